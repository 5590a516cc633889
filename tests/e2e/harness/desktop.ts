// A desktop of its own without a screen, where a browser's own menus and questions can be reached: they are outside any
// page. Needs Xvfb, openbox and xdotool.

import { type ChildProcess, execFile, execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { expect, type Locator, type Page } from "@playwright/test";

import { end, removeFolder, start, temporaryFolder } from "./cleanup.ts";

const PROGRAMS = ["Xvfb", "openbox", "xdotool"];

// Colors of Chromium's questions: red, green, blue.
/** A white page behind a question. */
const DIMMED = 0x666666;
/** The second button. */
const ALLOW = 0xd3e3fd;

/** The programs that are missing here. */
export function missingForDesktop(): string[] {
  return PROGRAMS.filter((program) => {
    try {
      execFileSync("which", [program], { stdio: "ignore" });
      return false;
    } catch {
      return true;
    }
  });
}

/** A desktop. Browsers started with `visible` while it is there appear on it. */
export class Desktop {
  private readonly processes: ChildProcess[];
  private readonly folder: string;
  private readonly before: string | undefined;

  private constructor(processes: ChildProcess[], folder: string, before: string | undefined) {
    this.processes = processes;
    this.folder = folder;
    this.before = before;
  }

  /** Starts one. */
  static async start(): Promise<Desktop> {
    const before = process.env["DISPLAY"];
    const folder = temporaryFolder();
    const screen = start("Xvfb", ["-displayfd", "1", "-screen", "0", "1280x900x24", "-fbdir", folder], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const display = await new Promise<string>((resolve, reject) => {
      screen.once("exit", () => reject(new Error("Xvfb ended at once")));
      createInterface({ input: screen.stdout! }).once("line", (line) => resolve(`:${line.trim()}`));
    });
    process.env["DISPLAY"] = display;
    // Gives windows the keyboard.
    const manager = start("openbox", [], { stdio: "ignore" });
    return new Desktop([manager, screen], folder, before);
  }

  /** Clicks on an element with the right button and chooses the item above the last one of the menu: there the browser
   * puts an extension's only item, above its own "Inspect". */
  async chooseExtensionsItem(element: Locator): Promise<void> {
    await element.page().bringToFront();
    await element.scrollIntoViewIfNeeded();
    const { x, y, width, height } = await element.evaluate((shown) => shown.getBoundingClientRect());
    const at = await onScreen(element.page(), x + width / 2, y + height / 2);
    const before = await windows();
    await xdotool("mousemove", String(at.x), String(at.y), "click", "3");
    const menu = await newWindows(before);
    await xdotool("key", "Up", "Up", "Return");
    await expect.poll(async () => gone(menu)).toBe(true);
  }

  /** Presses keys at once, for instance `alt+shift+f`, in the window of a page. */
  async press(page: Page, keys: string): Promise<void> {
    await page.bringToFront();
    const { x, y } = await onScreen(page, 10, 10);
    await xdotool("mousemove", String(x), String(y), "click", "1", "key", "--clearmodifiers", keys);
  }

  /** Waits for the browser's question and clicks on an answer. The question is drawn inside the browser's window: it dims
   * the page, and its second button is found by its color, with the first one to the left of it. */
  async answer(answer: "allow" | "deny"): Promise<void> {
    const asked = async (): Promise<boolean> => (await this.points(DIMMED)).length > 100_000;
    await expect.poll(asked, { message: "the browser's question" }).toBe(true);
    // The window's frame has the same color, but in longer or shorter lines.
    const find = async (): Promise<Box> => box(inLines(await this.points(ALLOW), 40, 100));
    await expect.poll(async () => (await find()).bottom, { message: "its button" }).toBeGreaterThan(0);
    const allow = await find();
    const y = Math.round((allow.top + allow.bottom) / 2);
    const x = answer === "allow" ? Math.round((allow.left + allow.right) / 2) : allow.left - 40;
    // The browser ignores clicks that come too soon after a question.
    await expect
      .poll(async () => {
        await xdotool("mousemove", String(x), String(y), "click", "1");
        return asked();
      })
      .toBe(false);
  }

  /** Ends it. */
  async stop(): Promise<void> {
    for (const process of this.processes) {
      await end(process);
    }
    await removeFolder(this.folder);
    if (this.before === undefined) {
      delete process.env["DISPLAY"];
    } else {
      process.env["DISPLAY"] = this.before;
    }
  }

  /** The points of a color on the screen, from top to bottom, in the picture that Xvfb keeps (XWD, 32 bits a point). */
  private async points(color: number): Promise<Point[]> {
    const picture = await readFile(path.join(this.folder, "Xvfb_screen0"));
    const field = (index: number): number => picture.readUInt32BE(index * 4);
    const [headerBytes, lineLength, height, lineBytes, colors] = [field(0), field(4), field(5), field(12), field(19)];
    const found: Point[] = [];
    for (let y = 0; y < height; y++) {
      const line = headerBytes + colors * 12 + y * lineBytes;
      for (let x = 0; x < lineLength; x++) {
        if ((picture.readUInt32LE(line + x * 4) & 0xffffff) === color) {
          found.push({ x, y });
        }
      }
    }
    return found;
  }
}

interface Point {
  x: number;
  y: number;
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** The smallest box around points. */
function box(points: Point[]): Box {
  const around = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  for (const { x, y } of points) {
    around.left = Math.min(around.left, x);
    around.right = Math.max(around.right, x);
    around.top = Math.min(around.top, y);
    around.bottom = Math.max(around.bottom, y);
  }
  return around;
}

/** Those points that stand in unbroken lines of this length. */
function inLines(points: Point[], least: number, most: number): Point[] {
  const lines: Point[][] = [];
  let before: Point | undefined;
  for (const point of points) {
    if (before?.y === point.y && before.x + 1 === point.x) {
      lines.at(-1)!.push(point);
    } else {
      lines.push([point]);
    }
    before = point;
  }
  return lines.filter(({ length }) => length >= least && length <= most).flat();
}

/** Where a point of a page is on the screen. */
async function onScreen(page: Page, x: number, y: number): Promise<Point> {
  return page.evaluate(
    ({ x, y }) => {
      const border = (outerWidth - innerWidth) / 2;
      return {
        x: Math.round(screenX + border + x),
        y: Math.round(screenY + outerHeight - innerHeight - border + y),
      };
    },
    { x, y },
  );
}

/** The windows that can be seen. */
async function windows(): Promise<string[]> {
  const found = await xdotool("search", "--onlyvisible", "--name", ".*").catch(() => "");
  return found.split("\n").filter((line) => line !== "");
}

/** Waits for windows that were not there before. */
async function newWindows(before: string[]): Promise<string[]> {
  const find = async (): Promise<string[]> => (await windows()).filter((one) => !before.includes(one));
  await expect.poll(async () => (await find()).length, { message: "a new window" }).toBeGreaterThan(0);
  return find();
}

async function gone(those: string[]): Promise<boolean> {
  const there = await windows();
  return those.every((one) => !there.includes(one));
}

async function xdotool(...command: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("xdotool", command);
  return stdout;
}

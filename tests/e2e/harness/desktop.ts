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

/** Of the button that Chromium puts forward in a question: red, green, blue. */
const BUTTON_COLOR = 0x0b57d0;

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

  /** Waits for the browser's question and clicks on an answer. The question is drawn inside the browser's window, so its
   * first button is found by its color; the second stands to the right of it. */
  async answer(answer: "allow" | "deny"): Promise<void> {
    await expect.poll(() => this.firstButton(), { message: "the browser's question" }).toBeDefined();
    // The browser ignores clicks that come too soon after a question.
    await expect
      .poll(async () => {
        const deny = await this.firstButton();
        if (deny) {
          const x = answer === "deny" ? deny.left + 30 : deny.right + 40;
          await xdotool("mousemove", String(x), String(deny.middle), "click", "1");
        }
        return this.firstButton();
      })
      .toBeUndefined();
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

  /** Where the picture on the screen (XWD, 32 bits a point) has the color of the button in front. */
  private async firstButton(): Promise<{ left: number; right: number; middle: number } | undefined> {
    const picture = await readFile(path.join(this.folder, "Xvfb_screen0"));
    const field = (index: number): number => picture.readUInt32BE(index * 4);
    const [headerBytes, width, height, lineBytes, colors] = [field(0), field(4), field(5), field(12), field(19)];
    const found: { x: number; y: number }[] = [];
    for (let y = 0; y < height; y++) {
      const line = headerBytes + colors * 12 + y * lineBytes;
      for (let x = 0; x < width; x++) {
        if ((picture.readUInt32LE(line + x * 4) & 0xffffff) === BUTTON_COLOR) {
          found.push({ x, y });
        }
      }
    }
    // Less than a button is a letter or a ring.
    if (found.length < 1_000) {
      return undefined;
    }
    const [first, last] = [found[0]!, found.at(-1)!];
    const columns = found.map(({ x }) => x);
    return {
      left: columns.reduce((a, b) => Math.min(a, b)),
      right: columns.reduce((a, b) => Math.max(a, b)),
      middle: Math.round((first.y + last.y) / 2),
    };
  }
}

/** Where a point of a page is on the screen. */
async function onScreen(page: Page, x: number, y: number): Promise<{ x: number; y: number }> {
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

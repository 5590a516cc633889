// `cargo xtask demo`: two browsers on this machine, a page, a link and a 64 MiB file from one to the other, by the same
// buttons and menus that a person uses. With --open two visible browsers for a person to use.

import { stat } from "node:fs/promises";
import path from "node:path";

import type { Page } from "@playwright/test";

import { removeFolder, temporaryFolder } from "./harness/cleanup.ts";
import { blake3, fileArrives, randomFile } from "./harness/files.ts";
import { askedToStop } from "./harness/lifeline.ts";
import { Profile } from "./harness/profile.ts";
import { SignalingServer } from "./harness/signaling.ts";
import { PAGE_TITLE, Site } from "./harness/site.ts";
import { chooseFiles, clickContextMenu, openSendTab, Popup } from "./harness/ui.ts";

const FILE_BYTES = 64 * 1024 * 1024;

async function main(): Promise<void> {
  if (process.argv.includes("--open")) {
    await openBrowsers();
  } else {
    // Whatever runs or lies around then goes when this process does.
    void askedToStop().then(() => process.exit(130));
    await sendThings();
  }
  console.log("\nStopped the server and both browsers, and removed their files.");
}

async function sendThings(): Promise<void> {
  console.log("\nTwo browsers on this machine, Blue and Green, and a server that introduces them to each other.\n");
  const server = await SignalingServer.start();
  const site = await Site.start();
  const folder = temporaryFolder();
  const started = performance.now();
  const [blue, green] = await Promise.all(["Blue", "Green"].map((name) => Profile.start({ name, server: server.url })));
  const [fromBlue, toGreen] = await Promise.all([Popup.open(blue!), Popup.open(green!)]);
  await fromBlue.sendFiles("Green").waitFor();
  await toGreen.sendFiles("Blue").waitFor();
  line("server", `${server.url}`);
  line("browsers", `Blue and Green see each other (${seconds(started)})`);

  await sendPage(blue!, green!, site, toGreen.page);
  await sendLink(blue!, green!, site, toGreen.page);
  await sendFile(blue!, green!, fromBlue, toGreen, folder);

  await Promise.all([blue!.stop(), green!.stop()]);
  await site.stop();
  await server.stop();
  await removeFolder(folder);
}

async function sendPage(blue: Profile, green: Profile, site: Site, popup: Page): Promise<void> {
  const page = await blue.open(site.url("/"));
  const sent = performance.now();
  await clickContextMenu(blue, "page", green, page);
  await popup.getByRole("listitem").filter({ hasText: PAGE_TITLE }).waitFor();
  line("page", `“${PAGE_TITLE}” → Green's popup, under Incoming (${seconds(sent)})`);
  line("", await opened(green, popup, PAGE_TITLE, page.url()));
}

async function sendLink(blue: Profile, green: Profile, site: Site, popup: Page): Promise<void> {
  const page = await blue.open(site.url("/"));
  const linkUrl = site.url("/other");
  const sent = performance.now();
  await clickContextMenu(blue, "link", green, page, { linkUrl, selectionText: "Another page" });
  await popup.getByRole("listitem").filter({ hasText: "Another page" }).waitFor();
  line("link", `${linkUrl} → Green's popup, under Incoming (${seconds(sent)})`);
  line("", await opened(green, popup, "Another page", linkUrl));
}

/** Presses Open, and tells where the browser went. */
async function opened(green: Profile, popup: Page, title: string, expected: string): Promise<string> {
  // A tab in the back draws nothing, and a click waits for what is drawn.
  await popup.bringToFront();
  const open = popup.getByRole("listitem").filter({ hasText: title }).getByRole("button", { name: /^Open/ });
  const [page] = await Promise.all([green.context.waitForEvent("page"), open.click()]);
  await page.waitForURL(expected);
  return `opened there: ${page.url()}, “${await page.title()}”`;
}

async function sendFile(blue: Profile, green: Profile, fromBlue: Popup, toGreen: Popup, folder: string): Promise<void> {
  const name = "harbor.bin";
  const file = await randomFile(folder, name, FILE_BYTES);
  await fromBlue.page.bringToFront();
  const sendTab = await openSendTab(blue, fromBlue, "Green");
  await chooseFiles(sendTab, [file]);
  await toGreen.page.bringToFront();
  await toGreen.accept("Blue").click();
  const accepted = performance.now();
  await showProgress(toGreen.page, name);
  const arrived = await fileArrives(green.downloads, FILE_BYTES);
  const took = performance.now() - accepted;
  finishProgress();

  const { size } = await stat(arrived);
  const [sent, received] = await Promise.all([blake3(file), blake3(arrived)]);
  line("file", `${name} → ${path.join(path.basename(path.dirname(arrived)), path.basename(arrived))} of Green: ${arrived}`);
  line("", `${size.toLocaleString("en")} bytes, ${(size / 1e3 / took).toFixed(1)} MB/s (${(took / 1e3).toFixed(1)} s from Accept to the file)`);
  line("", `BLAKE3 sent      ${sent}`);
  line("", `BLAKE3 received  ${received}`);
  if (sent !== received) {
    throw new Error("the file that arrived is not the file that was sent");
  }
}

/** Draws what the progress bar on a page shows, each time it changes. */
async function showProgress(page: Page, name: string): Promise<void> {
  await page.exposeFunction("tabferryProgress", drawProgress);
  await page.evaluate((name) => {
    const tell = (window as unknown as { tabferryProgress(part: number): void }).tabferryProgress;
    const watch = (): void => {
      const bar = [...document.querySelectorAll("progress")].find((bar) => bar.ariaLabel === name);
      if (bar?.hasAttribute("value")) {
        tell(bar.value / bar.max);
      }
    };
    new MutationObserver(watch).observe(document.body, {
      subtree: true,
      childList: true,
      attributes: true,
      attributeFilter: ["value"],
    });
    watch();
  }, name);
}

let drawn = -1;

function drawProgress(part: number): void {
  const percent = Math.floor(part * 100);
  // Where lines can't be drawn over, only every tenth.
  const step = process.stdout.isTTY ? percent : Math.floor(percent / 10) * 10;
  if (step <= drawn) {
    return;
  }
  drawn = step;
  const bar = "█".repeat(Math.floor(step / 2.5)).padEnd(40, "░");
  process.stdout.write(`${process.stdout.isTTY ? "\r" : ""}${"".padEnd(LABEL)}${bar} ${step} %${process.stdout.isTTY ? "" : "\n"}`);
}

function finishProgress(): void {
  drawProgress(1);
  if (process.stdout.isTTY) {
    process.stdout.write("\n");
  }
}

async function openBrowsers(): Promise<void> {
  const stop = askedToStop();
  const server = await SignalingServer.start();
  const site = await Site.start();
  const profiles = await Promise.all(
    ["Blue", "Green"].map((name, index) =>
      Profile.start({ name, server: server.url, visible: true, args: [`--window-position=${40 + index * 680},40`, "--window-size=660,800"] }),
    ),
  );
  for (const profile of profiles) {
    await profile.open(site.url("/"));
    await profile.open("popup.html");
    line(profile.name, `downloads go to ${profile.downloads}`);
  }
  console.log(
    "\nTwo browsers are open. Right-click the page in one and send it to the other, or use the popup (also in the tab\n" +
      "beside it). Press Enter here, or close both windows, to end.",
  );
  await Promise.race([stop, Promise.all(profiles.map((profile) => profile.ended()))]);
  await Promise.all(profiles.map((profile) => profile.stop()));
  await site.stop();
  await server.stop();
}

const LABEL = 10;

function line(label: string, text: string): void {
  console.log(`${label.padEnd(LABEL)}${text}`);
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1e3).toFixed(2)} s`;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);

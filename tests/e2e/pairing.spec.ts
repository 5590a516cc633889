// Two people pair their devices: they compare four pictures on the two screens, and both devices know each other from
// then on.

import type { Page } from "@playwright/test";

import { contents, devices } from "./harness/devices.ts";
import { fileArrives, randomFile } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { menuReads } from "./harness/menu.ts";
import { notification, pressButton, watchNotifications } from "./harness/notifications.ts";
import type { Profile } from "./harness/profile.ts";
import { review } from "./harness/review.ts";
import { accept, sendFiles } from "./harness/transfers.ts";
import { clickContextMenu, pasted, Popup } from "./harness/ui.ts";

const POPUP = { width: 380, height: 600 };
const TAB = { width: 900, height: 1000 };

const near = devices(["Ada", "Bee"]);

/** Opens the page that a device asks another one on, as the link in its popup does. */
async function ask(from: Profile, to: string): Promise<Page> {
  const { page } = await Popup.open(from);
  await page.getByRole("link", { name: `Pair with ${to}` }).click();
  return page;
}

/** Goes from the popup to the pairing under way. */
async function join(at: Profile): Promise<Page> {
  const { page } = await Popup.open(at);
  await page.getByRole("link", { name: "Continue" }).click();
  return page;
}

/** The words of the pictures that a screen shows. */
async function shown(page: Page): Promise<string> {
  const words = page.locator("#symbols .word");
  await expect(words).toHaveCount(4);
  return (await words.allTextContents()).join(", ");
}

/** Picks on one screen what the other one shows. */
async function pick(picker: Page, shower: Page): Promise<void> {
  await picker.getByRole("button", { name: await shown(shower), exact: true }).click();
}

test("two people who compare the pictures pair their devices", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const asker = await ask(ada, "Bee");
  await expect(asker.getByRole("heading", { name: "Waiting for Bee" })).toBeVisible();
  await review(asker, "pair-waiting", POPUP);
  const asked = await join(bee);
  await expect(asked.getByRole("heading", { name: "Ada wants to pair with this device" })).toBeVisible();
  await review(asked, "pair-asked", POPUP);
  await asked.getByRole("button", { name: "Pair" }).click();

  await expect(asker.getByRole("heading", { name: "Look at Bee" })).toBeVisible();
  await review(asker, "pair-shows", POPUP);
  await expect(asked.getByRole("heading", { name: "Which four pictures does Ada show?" })).toBeVisible();
  await review(asked, "pair-picks", POPUP);
  await pick(asked, asker);
  // They change places.
  await expect(asker.getByRole("heading", { name: "Which four pictures does Bee show?" })).toBeVisible();
  await pick(asker, asked);
  for (const [page, other] of [[asker, "Bee"], [asked, "Ada"]] as const) {
    await expect(page.getByRole("heading", { name: `${other} is paired` })).toBeVisible();
  }
  await review(asker, "pair-done", POPUP);
  await asker.getByRole("button", { name: "Close" }).click();
  await expect(asker.getByRole("list", { name: "Devices" }).getByText("Paired")).toBeVisible();
  await review(asker, "popup-paired", POPUP);
  await asked.getByRole("button", { name: "Close" }).click();
  await expect(asked.getByRole("list", { name: "Devices" })).toBeVisible();
});

test("a paired device is marked in the menus, and opens and copies at once what its person allows", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  await watchNotifications(bee);
  const options = await bee.open("options.html");
  for (const choice of ["Open its links by themselves: Ada", "Copy its texts to the clipboard: Ada"]) {
    await options.getByRole("checkbox", { name: choice }).check();
  }
  const popup = await Popup.open(ada);
  await menuReads(popup.page, "page", ["Send page to Bee (paired ✓)"]);
  const page = await ada.open(near.site.url("/"));
  const linkUrl = near.site.url("/other");
  const opened = bee.context.waitForEvent("page");
  await clickContextMenu(ada, "link", bee, page, { linkUrl });
  const tab = await opened;
  expect(tab.url()).toBe(linkUrl);
  expect(await options.evaluate(() => document.visibilityState), "the tab stays behind").toBe("visible");
  const told = await notification(bee, "Link from Ada: opened in a new tab");
  const count = bee.context.pages().length;
  await pressButton(bee, told, "Open");
  await expect.poll(() => tab.evaluate(() => document.visibilityState), { message: "the tab" }).toBe("visible");
  expect(bee.context.pages().length, "it is the same tab").toBe(count);
  await clickContextMenu(ada, "selection", bee, page, { selectionText: "high tide at noon" });
  await notification(bee, "Text from Ada: copied to the clipboard");
  await expect.poll(() => pasted(bee, near.site)).toBe("high tide at noon");

  // Ada's person has allowed Bee nothing.
  const tabs = ada.context.pages().length;
  await clickContextMenu(bee, "link", ada, options, { linkUrl });
  await expect(popup.page.getByText("Link from Bee")).toBeVisible();
  expect(ada.context.pages().length).toBe(tabs);
});

test("a paired device sends without a question what its person allows, until it is removed", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const options = await bee.open("options.html");
  await expect(options.getByRole("textbox", { name: "Name of Ada" })).toBeVisible();
  await review(options, "options-paired", TAB);
  await options.getByRole("combobox", { name: "Files from Ada" }).selectOption("Take up to 10.0 MB without asking");
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "allowed.bin", 10_007)]);
  await fileArrives(bee.downloads, 10_007, { fits: (name) => name === "allowed.bin" });
  // A program is asked for, however small it is.
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "allowed.exe", 1_009)]);
  const popup = await Popup.open(bee);
  await expect(popup.incoming.getByText("Paired")).toBeVisible();
  await review(popup.page, "popup-paired-asks", POPUP);
  await popup.decline("Ada").click();
  options.on("dialog", (dialog) => void dialog.accept());
  await options.bringToFront();
  await options.getByRole("button", { name: "Remove Ada" }).click();
  await expect(options.getByText("None yet.")).toBeVisible();
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "asked.bin", 10_009)]);
  await accept(bee, "Ada");
  await fileArrives(bee.downloads, 10_009, { fits: (name) => name === "asked.bin" });
  expect(await contents(bee.downloads)).not.toContain("allowed.exe");
});

test("devices whose pictures are not the same are not paired", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  // Bee has removed Ada, and may be asked by it again.
  const asker = await ask(bee, "Ada");
  const asked = await join(ada);
  await asked.getByRole("button", { name: "Pair" }).click();
  await shown(asker);
  await asked.getByRole("button", { name: "None of these" }).click();
  await expect(asked.getByRole("heading", { name: "Not paired with Bee: the pictures differ" })).toBeVisible();
  await expect(asker.getByRole("heading", { name: "Not paired with Ada", exact: true })).toBeVisible();
  await review(asked, "pair-mismatch", POPUP);
});

test("a device keeps its id and whom it has paired when its engine starts again", async () => {
  const ada = near.get("Ada");
  const before = await (await ada.open("options.html")).getByText(/^Id of this device: /).textContent();
  await near.closeTabs();
  await ada.inWorker(() => chrome.offscreen.closeDocument());
  const options = await ada.open("options.html");
  await expect(options.getByText(/^Id of this device: /)).toHaveText(before!);
  await expect(options.getByRole("textbox", { name: "Name of Bee" })).toBeVisible();
});

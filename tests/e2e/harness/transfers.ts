// What people do with transfers, in as many steps as they take.

import { expect, type Page } from "@playwright/test";

import type { Profile } from "./profile.ts";
import { chooseFiles, openSendTab, Popup } from "./ui.ts";

/** Chooses files on a send tab for a device, and closes the tab and the popup as soon as the tab says that they are on
 * their way. */
export async function sendFiles(from: Profile, to: string, files: string[]): Promise<void> {
  const popup = await Popup.open(from);
  const tab = await openSendTab(from, popup, to);
  await popup.page.close();
  await chooseFiles(tab, files);
  await says(tab, files.length === 1 ? `Sending 1 file to ${to}.` : `Sending ${files.length} files to ${to}.`);
  await tab.close();
}

/** Opens the popup, accepts the first proposal of a device there and returns the popup. */
export async function accept(at: Profile, from: string): Promise<Popup> {
  const popup = await Popup.open(at);
  await popup.accept(from).first().click();
  return popup;
}

/** Waits until some bytes of a transfer have arrived, and not all. */
export async function midway(popup: Popup, subject: string, part = 0): Promise<void> {
  await expect
    .poll(async () => popup.progress(subject).evaluate((bar) => (bar as HTMLProgressElement).value))
    .toBeGreaterThan(part);
}

/** Waits until a transfer says what it is, for instance "Declined". */
export async function transferSays(popup: Popup, subject: string, words: string | RegExp, timeout?: number): Promise<void> {
  const options = { useInnerText: true, ...(timeout === undefined ? {} : { timeout }) };
  await expect(popup.transfer(subject)).toContainText(words, options);
}

/** Waits for what a person reads somewhere on a page. */
export async function says(page: Page, words: string | RegExp): Promise<void> {
  await expect(page.getByText(words).first()).toBeVisible();
}

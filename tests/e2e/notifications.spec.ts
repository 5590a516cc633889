// What comes in is told by a notification that can be answered at once, and by the number on the extension's button.

import { contents, devices } from "./harness/devices.ts";
import { fileArrives, randomFile } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { notification, onScreen, pressButton, watchNotifications } from "./harness/notifications.ts";
import type { Profile } from "./harness/profile.ts";
import { PAGE_TITLE } from "./harness/site.ts";
import { sendFiles, transferSays } from "./harness/transfers.ts";
import { clickContextMenu, pasted, Popup } from "./harness/ui.ts";

const near = devices(["Ada", "Bee"]);

test.beforeEach(async () => {
  await watchNotifications(near.get("Bee"));
});

test("files can be accepted in the notification, which then says where they are", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  await badgeReads(bee, "");
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "photo.bin", 100_001)]);
  const asked = await notification(bee, "Ada wants to send you 1 file");
  expect(asked.message).toContain("photo.bin");
  expect(asked.buttons).toEqual(["Accept", "Decline"]);
  await badgeReads(bee, "1");
  await pressButton(bee, asked, "Accept");
  await fileArrives(bee.downloads, 100_001);
  const done = await notification(bee, "Received 1 file from Ada");
  expect(done.buttons).toEqual(["Show in folder"]);
  expect(await onScreen(bee), "the question is gone").not.toContain(asked.id);
  await badgeReads(bee, "");
});

test("files can be declined in the notification", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const before = await contents(bee.downloads);
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "advertisement.bin", 1_000)]);
  await pressButton(bee, await notification(bee, "Ada wants to send you 1 file"), "Decline");
  await transferSays(await Popup.open(ada), "advertisement.bin", "Declined");
  expect(await contents(bee.downloads)).toEqual(before);
});

test("a page opens from its notification, and not before", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const page = await ada.open(near.site.url("/"));
  const tabs = bee.context.pages().length;
  await clickContextMenu(ada, "page", bee, page);
  const shown = await notification(bee, "Page from Ada");
  expect(shown.message).toContain(PAGE_TITLE);
  expect(bee.context.pages().length).toBe(tabs);
  const opened = bee.context.waitForEvent("page");
  await pressButton(bee, shown, "Open");
  const tab = await opened;
  await tab.waitForURL(near.site.url("/"));
  await expect.poll(() => onScreen(bee)).not.toContain(shown.id);
});

test("a text typed in the popup is copied from its notification to the clipboard", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const text = "Tide tables:\n低潮 06:14 – 高潮 12:31 🌊";
  const popup = await Popup.open(ada);
  await popup.sendText("Bee").click();
  await popup.page.getByRole("textbox", { name: "Text to send" }).fill(text);
  await popup.page.getByRole("button", { name: "Send", exact: true }).click();
  const shown = await notification(bee, "Text from Ada");
  expect(shown.message).toBe(text);
  await pressButton(bee, shown, "Copy");
  // The notification goes away when the text has been handed on.
  await expect.poll(() => onScreen(bee)).not.toContain(shown.id);
  await expect.poll(() => pasted(bee, near.site)).toBe(text);
});

test("a click on a notification works after the service worker died", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const page = await ada.open(near.site.url("/other"));
  await clickContextMenu(ada, "page", bee, page);
  const shown = await notification(bee, "Page from Ada");
  await bee.killWorker();
  const opened = bee.context.waitForEvent("page", (tab) => tab.url().startsWith(near.site.url("/")));
  await pressButton(bee, shown, "Open");
  expect((await opened).url()).toBe(near.site.url("/other"));
});

test("the button says when there is no connection, and why", async () => {
  const bee = near.get("Bee");
  await near.server.kill();
  await badgeReads(bee, "!");
  // First the connection was lost; when that is tried again, nothing answers.
  expect(await bee.inWorker(() => chrome.action.getTitle({}))).toMatch(
    /The (connection to the signaling server was lost|signaling server can’t be reached)\./,
  );
  await near.server.restart();
  await badgeReads(bee, "");
});

async function badgeReads(profile: Profile, text: string): Promise<void> {
  await expect
    .poll(() => profile.inWorker(() => chrome.action.getBadgeText({})), { message: "the badge", timeout: 45_000 })
    .toBe(text);
}

// Whatever can be clicked on goes to the other device from the context menu: a page, a link and a text as such, an image
// with its bytes. Nothing opens by itself there.

import { readFile } from "node:fs/promises";

import { devices } from "./harness/devices.ts";
import { fileArrives } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { menuReads } from "./harness/menu.ts";
import { notification, watchNotifications } from "./harness/notifications.ts";
import type { Profile } from "./harness/profile.ts";
import { PAGE_TEXT, PAGE_TITLE } from "./harness/site.ts";
import { accept } from "./harness/transfers.ts";
import { clickContextMenu, Popup } from "./harness/ui.ts";

// Her person has given access to sites at 127.0.0.1, and to no others.
const near = devices(["Ada", "Bee"], { grantedHosts: ["http://127.0.0.1/*"] });

/** Opens Bee's list of what has come. */
async function received(bee: Profile): Promise<Popup> {
  return Popup.open(bee);
}

test("a link arrives as a link, and opens only when it is asked for", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const page = await ada.open(near.site.url("/"));
  const linkUrl = await page.locator("#link").evaluate((link) => (link as HTMLAnchorElement).href);
  const before = bee.context.pages().length;

  await clickContextMenu(ada, "link", bee, page, { linkUrl });

  const popup = await received(bee);
  const open = popup.page.getByRole("button", { name: `Open ${linkUrl}` });
  await expect(open).toBeVisible();
  await expect(popup.page.getByText("Link from Ada")).toBeVisible();
  expect(bee.context.pages().length, "no tab but the popup's").toBe(before + 1);
  const opened = bee.context.waitForEvent("page");
  await open.click();
  expect((await opened).url()).toBe(linkUrl);
});

test("a page arrives with its title", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const page = await ada.open(near.site.url("/"));
  await clickContextMenu(ada, "page", bee, page);
  const popup = await received(bee);
  await expect(popup.page.getByText("Page from Ada")).toBeVisible();
  await expect(popup.page.getByRole("button", { name: `Open ${PAGE_TITLE}` })).toBeVisible();
});

test("a selected text arrives word for word", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const page = await ada.open(near.site.url("/"));
  const selectionText = await page.locator("#text").evaluate((text) => {
    getSelection()!.selectAllChildren(text);
    return getSelection()!.toString();
  });
  expect(selectionText).toBe(PAGE_TEXT);
  await clickContextMenu(ada, "selection", bee, page, { selectionText });
  const popup = await received(bee);
  await expect(popup.page.getByText("Text from Ada")).toBeVisible();
  await expect(popup.page.getByText(PAGE_TEXT, { exact: true })).toBeVisible();
});

test("an image arrives as a file with the same bytes", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const page = await ada.open(near.site.url("/"));
  const srcUrl = await page.locator("#picture").evaluate((picture) => (picture as HTMLImageElement).src);
  await clickContextMenu(ada, "image", bee, page, { srcUrl, mediaType: "image" });
  await accept(bee, "Ada");
  const file = await fileArrives(bee.downloads, near.site.picture.length, { fits: (name) => name.startsWith("picture") });
  expect(file).toMatch(/picture\.png$/);
  expect(await readFile(file)).toEqual(near.site.picture);
});

test("an image behind a login arrives, too", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const page = await ada.open(near.site.url("/login"));
  const srcUrl = near.site.url("/private.png");
  expect((await fetch(srcUrl)).status, "without the cookie").toBe(403);
  await clickContextMenu(ada, "image", bee, page, { srcUrl, mediaType: "image" });
  await accept(bee, "Ada");
  const file = await fileArrives(bee.downloads, near.site.privatePicture.length, {
    fits: (name) => name.startsWith("private"),
  });
  expect(await readFile(file)).toEqual(near.site.privatePicture);
});

test("the file that a link leads to arrives under the name that its site gives it", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const page = await ada.open(near.site.url("/"));
  await clickContextMenu(ada, "file", bee, page, { linkUrl: near.site.url("/report.bin") });
  await accept(bee, "Ada");
  const file = await fileArrives(bee.downloads, near.site.report.length);
  expect(file).toMatch(/report\.bin$/);
  expect(await readFile(file)).toEqual(near.site.report);
});

test("an image from a site that may not be read is sent as a link, and the sender is told", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  await watchNotifications(ada);
  const page = await ada.open(near.site.url("/"));
  const srcUrl = near.site.url("/picture.png?elsewhere").replace("127.0.0.1", "localhost");
  await clickContextMenu(ada, "image", bee, page, { srcUrl, mediaType: "image" });
  await notification(ada, "Sent the link instead");
  const popup = await received(bee);
  const opened = bee.context.waitForEvent("page");
  await popup.page
    .getByRole("listitem")
    .filter({ hasText: `localhost:${new URL(srcUrl).port}` })
    .getByRole("button", { name: /^Open / })
    .click();
  expect((await opened).url()).toBe(srcUrl);
});

test("the menu has one item per thing for one device, and none when nobody is near", async () => {
  const ada = near.get("Ada");
  const popup = await Popup.open(ada);
  await menuReads(popup.page, "image", ["Send image to Bee"]);
  await menuReads(popup.page, "link", ["Send link to Bee", "Send linked file to Bee"]);
  await near.remove("Bee");
  await menuReads(popup.page, "image", []);
  await near.add("Bee");
  await menuReads(popup.page, "image", ["Send image to Bee"]);
});

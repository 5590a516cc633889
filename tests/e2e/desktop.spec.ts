// The way that a person's hand takes: the right mouse button, the browser's own menu, and its question whether the
// extension may read a site.

import { readFile } from "node:fs/promises";

import type { Page } from "@playwright/test";

import { Desktop, missingForDesktop } from "./harness/desktop.ts";
import { Devices } from "./harness/devices.ts";
import { waitForTarget } from "./harness/devtools.ts";
import { fileArrives } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { menuReads } from "./harness/menu.ts";
import { notification, watchNotifications } from "./harness/notifications.ts";
import { accept } from "./harness/transfers.ts";
import { Popup } from "./harness/ui.ts";

const missing = missingForDesktop();
test.skip(missing.length > 0, `needs ${missing.join(", ")}`);

const near = new Devices();
let desktop: Desktop;

test.beforeAll(async () => {
  desktop = await Desktop.start();
  await near.start([], {});
  await near.add("Ada", { visible: true, args: ["--window-position=0,0", "--window-size=1100,800"] });
  await near.add("Bee");
  const popup = await Popup.open(near.get("Ada"));
  await menuReads(popup.page, "image", ["Send image to Bee"]);
});

test.afterEach(() => near.closeTabs());

test.afterAll(async () => {
  await near.stop();
  await desktop.stop();
});

/** A page of Ada's with nothing but an image. */
async function pageWith(image: string, at = "/other"): Promise<Page> {
  const page = await near.get("Ada").open(near.site.url(at));
  await page.evaluate(async (src) => {
    const image = document.createElement("img");
    image.src = src;
    image.style.width = "300px";
    document.body.replaceChildren(image);
    await image.decode();
  }, image);
  return page;
}

test("an image of the page's own site is sent without any question, also behind a login", async () => {
  const page = await pageWith(near.site.url("/private.png"), "/login");
  await desktop.chooseExtensionsItem(page.locator("img"));
  const bee = near.get("Bee");
  await accept(bee, "Ada");
  const file = await fileArrives(bee.downloads, near.site.privatePicture.length);
  expect(await readFile(file)).toEqual(near.site.privatePicture);
});

test("an image of another site is sent as a link if its person denies access, and with its bytes if she allows it", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  await watchNotifications(ada);
  const elsewhere = near.site.url("/picture.png").replace("127.0.0.1", "localhost");
  const page = await pageWith(elsewhere);
  const image = page.locator("img");

  await desktop.chooseExtensionsItem(image);
  await desktop.answer("deny");
  await notification(ada, "Sent the link instead");
  const popup = await Popup.open(bee);
  await expect(popup.page.getByText(new URL(elsewhere).host)).toBeVisible();

  await desktop.chooseExtensionsItem(image);
  await desktop.answer("allow");
  await popup.accept("Ada").click();
  const file = await fileArrives(bee.downloads, near.site.picture.length);
  expect(await readFile(file)).toEqual(near.site.picture);
  const granted = await ada.inWorker(() => chrome.permissions.getAll());
  expect(granted.origins, "that site and no other").toEqual([`${new URL(elsewhere).origin}/*`]);
});

test("the keyboard shortcut opens the popup", async () => {
  const ada = near.get("Ada");
  await near.closeTabs();
  const page = await ada.open(near.site.url("/"));
  const isPopup = ({ url }: { url: string }): boolean => url === ada.url("popup.html");
  expect((await ada.targets()).some(isPopup)).toBe(false);
  const opened = waitForTarget(ada.port, isPopup);
  await desktop.press(page, "alt+shift+f");
  await opened;
});

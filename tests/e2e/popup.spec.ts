// The popup as the toolbar opens it, and what it says aloud.

import { devices } from "./harness/devices.ts";
import { fileArrives, randomFile } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { PAGE_TITLE } from "./harness/site.ts";
import { accept, midway, sendFiles } from "./harness/transfers.ts";
import { clickButton, Popup } from "./harness/ui.ts";

// A click on the toolbar would give access to the page in front; a test can't click there.
const near = devices(["Ada", "Bee"], { grantedHosts: ["http://127.0.0.1/*"] });

test("the page in front is sent from the popup", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const page = await ada.open(near.site.url("/"));
  await page.bringToFront();
  const popup = await ada.openPopup();
  await clickButton(popup, "Send this page to Bee");
  popup.close();
  const received = await Popup.open(bee);
  const opened = bee.context.waitForEvent("page");
  await received.page.getByRole("button", { name: `Open ${PAGE_TITLE}` }).click();
  expect((await opened).url()).toBe(near.site.url("/"));
});

test("a popup that is opened in the middle of a transfer follows it", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "long.bin", 100_000_000)]);
  const receiver = await accept(bee, "Ada");
  await midway(receiver, "long.bin");
  const sender = await Popup.open(ada);
  for (const popup of [sender, receiver]) {
    const seen = await popup.progress("long.bin").evaluate((bar) => (bar as HTMLProgressElement).value);
    await midway(popup, "long.bin", seen);
  }
  await fileArrives(bee.downloads, 100_000_000);
});

test("a screen reader hears what begins and ends, and no percentages", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const popup = await Popup.open(bee);
  await expect(popup.device("Ada")).toBeVisible();
  const live = popup.page.locator("[aria-live=polite]");
  await live.evaluate((region) => {
    const heard: string[] = [];
    Object.assign(globalThis, { heard });
    new MutationObserver(() => heard.push(region.textContent)).observe(region, {
      childList: true,
      characterData: true,
      subtree: true,
    });
  });
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "aloud.bin", 30_000_000)]);
  await popup.accept("Ada").click();
  await fileArrives(bee.downloads, 30_000_000);
  await expect(live).toHaveText("aloud.bin: done.");
  const heard = await popup.page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);
  // In between the region is emptied, so that the same words are said again.
  expect(heard.filter((words) => words !== "")).toEqual(["Ada wants to send you 1 file. Accept or decline.", "aloud.bin: done."]);
});

// Files dragged from the desktop onto a page of the extension.

import { mkdir } from "node:fs/promises";
import path from "node:path";

import type { Locator } from "@playwright/test";

import { devices } from "./harness/devices.ts";
import { blake3, fileArrives, randomFile } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { accept, says } from "./harness/transfers.ts";
import { openSendTab, Popup } from "./harness/ui.ts";

const near = devices(["Ada", "Bee"]);

/** Drags files or folders in from outside the browser and drops them on an element. */
async function drop(target: Locator, paths: string[]): Promise<void> {
  const { x, y, width, height } = await target.evaluate((shown) => shown.getBoundingClientRect());
  const devtools = await target.page().context().newCDPSession(target.page());
  const copy = 1;
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await devtools.send("Input.dispatchDragEvent", {
      type,
      x: x + width / 2,
      y: y + height / 2,
      data: { items: [], files: paths, dragOperationsMask: copy },
    });
  }
  await devtools.detach();
}

test("files dropped on the send tab arrive at its device", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const tab = await openSendTab(ada, await Popup.open(ada), "Bee");
  await expect(tab.getByLabel("Files to send")).toBeEnabled();
  const file = await randomFile(near.folder, "dropped on the tab.bin", 200_000);
  await drop(tab.getByText("Drop them here"), [file]);
  await says(tab, "Sending 1 file to Bee.");
  await accept(bee, "Ada");
  expect(await blake3(await fileArrives(bee.downloads, 200_000))).toBe(await blake3(file));
});

test("files dropped on a device in the popup arrive there", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const popup = await Popup.open(ada);
  const files = [await randomFile(near.folder, "first.bin", 300_000), await randomFile(near.folder, "second.bin", 300_001)];
  await drop(popup.device("Bee"), files);
  await accept(bee, "Ada");
  expect(await blake3(await fileArrives(bee.downloads, 300_000))).toBe(await blake3(files[0]!));
  expect(await blake3(await fileArrives(bee.downloads, 300_001))).toBe(await blake3(files[1]!));
});

test("a dropped folder is refused in words, and nothing is proposed", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const folder = path.join(near.folder, "a folder");
  await mkdir(folder);
  await randomFile(folder, "inside.bin", 1_000);
  const popup = await Popup.open(ada);
  await drop(popup.device("Bee"), [folder]);
  await says(popup.page, "Folders can’t be sent yet. Drop the files inside it instead.");
  const tab = await openSendTab(ada, popup, "Bee");
  await expect(tab.getByLabel("Files to send")).toBeEnabled();
  await drop(tab.getByText("Drop them here"), [folder]);
  await says(tab, "Folders can’t be sent yet. Drop the files inside it instead.");
  // What is sent afterwards is the first thing that the other device is asked.
  await drop(tab.getByText("Drop them here"), [await randomFile(near.folder, "after.bin", 1_000)]);
  const receiver = await Popup.open(bee);
  await expect(receiver.accept("Ada")).toHaveCount(1);
  await expect(receiver.incoming).toContainText("after.bin");
  await receiver.decline("Ada").click();
});

// Files chosen on one device stand in the other's Downloads, byte for byte and under their names; nothing arrives that
// was not accepted, and either side can stop it.

import path from "node:path";

import { contents, devices } from "./harness/devices.ts";
import { blake3, fileArrives, randomFile } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { menuReads } from "./harness/menu.ts";
import { accept, midway, sendFiles, transferSays } from "./harness/transfers.ts";
import { chooseFiles, openSendTab, Popup } from "./harness/ui.ts";

const MIB = 1024 * 1024;

const near = devices(["Ada", "Bee"]);

test("three files arrive, an empty one and one with a Chinese name and an emoji among them", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const files = [
    await randomFile(near.folder, "notes.txt", 12_345),
    await randomFile(near.folder, "nothing.bin", 0),
    await randomFile(near.folder, "港口报告 🚢.pdf", 3 * MIB + 1),
  ];
  // The popup closes when it opens the tab.
  const tab = await openSendTab(ada, await Popup.open(ada), "Bee");
  await expect(tab.getByRole("heading", { name: "Send files to Bee" })).toBeVisible();
  await chooseFiles(tab, files);

  const answer = await Popup.open(bee);
  await expect(answer.incoming).toContainText("Ada wants to send you 3 files");
  for (const file of files) {
    await expect(answer.incoming).toContainText(path.basename(file));
  }
  expect(await contents(bee.downloads), "before anybody said yes").toEqual([]);
  await answer.accept("Ada").click();

  for (const [index, bytes] of [12_345, 0, 3 * MIB + 1].entries()) {
    const name = path.basename(files[index]!);
    const arrived = await fileArrives(bee.downloads, bytes, { fits: (inside) => inside === name });
    expect(await blake3(arrived), name).toBe(await blake3(files[index]!));
  }
  await transferSays(await Popup.open(ada), "3 files", "Sent ·");
  await transferSays(answer, "3 files", "Received ·");
  await expect(answer.page.getByRole("button", { name: /^Show in folder/ })).toBeVisible();
});

test("a declined file leaves nothing, and its sender learns why", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const before = await contents(bee.downloads);
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "unwanted.bin", MIB)]);
  const answer = await Popup.open(bee);
  await answer.decline("Ada").click();
  const popup = await Popup.open(ada);
  await transferSays(popup, "unwanted.bin", "Declined");
  await transferSays(popup, "unwanted.bin", "The other device said no.");
  await expect(answer.incoming.getByRole("listitem")).toHaveCount(0);
  expect(await contents(bee.downloads)).toEqual(before);
});

for (const [who, other] of [
  ["Ada", "Bee"],
  ["Bee", "Ada"],
] as const) {
  const role = who === "Ada" ? "sender" : "receiver";
  test(`the ${role} can stop a transfer midway, and no part of the file stays`, async () => {
    const [ada, bee] = [near.get("Ada"), near.get("Bee")];
    const before = await contents(bee.downloads);
    const name = `stopped by the ${role}.bin`;
    await sendFiles(ada, "Bee", [await randomFile(near.folder, name, 400 * MIB)]);
    const popups = { Ada: await Popup.open(ada), Bee: await accept(bee, "Ada") };
    await midway(popups.Ada, name);
    await midway(popups.Bee, name);
    await popups[who].page.getByRole("button", { name: `Cancel ${name}` }).click();
    await transferSays(popups[who], name, "You cancelled");
    await transferSays(popups[other], name, `${who} cancelled`);
    await expect.poll(() => contents(bee.downloads)).toEqual(before);
  });
}

test("two transfers run at once and both arrive", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const sizes = [60 * MIB, 61 * MIB];
  const files = [
    await randomFile(near.folder, "first.bin", sizes[0]!),
    await randomFile(near.folder, "second.bin", sizes[1]!),
  ];
  for (const file of files) {
    await sendFiles(ada, "Bee", [file]);
  }
  const popup = await Popup.open(bee);
  await expect(popup.accept("Ada")).toHaveCount(2);
  await popup.accept("Ada").first().click();
  await expect(popup.accept("Ada")).toHaveCount(1);
  await popup.accept("Ada").click();
  // Both have moved before either is done.
  const moving = popup.transfers.getByRole("progressbar");
  await expect
    .poll(async () => moving.evaluateAll((bars) => bars.filter((bar) => (bar as HTMLProgressElement).value > 0).length))
    .toBe(2);
  for (const [index, file] of files.entries()) {
    const arrived = await fileArrives(bee.downloads, sizes[index]!);
    expect(await blake3(arrived)).toBe(await blake3(file));
  }
});

test("three devices: each gets what was sent to it", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const cid = await near.add("Cid");
  const popup = await Popup.open(ada);
  await expect(popup.device("Cid")).toBeVisible();
  await expect(popup.device("Bee")).toBeVisible();
  await menuReads(popup.page, "page", ["Send page to", "  Bee", "  Cid"]);

  const sizes = { Bee: 20 * MIB, Cid: 21 * MIB, Ada: 22 * MIB };
  const forBee = await randomFile(near.folder, "for Bee.bin", sizes.Bee);
  const forCid = await randomFile(near.folder, "for Cid.bin", sizes.Cid);
  const forAda = await randomFile(near.folder, "for Ada.bin", sizes.Ada);
  await sendFiles(ada, "Bee", [forBee]);
  await sendFiles(ada, "Cid", [forCid]);
  await sendFiles(cid, "Ada", [forAda]);
  await Promise.all([accept(bee, "Ada"), accept(cid, "Ada"), accept(ada, "Cid")]);
  const arrived = await Promise.all([
    fileArrives(bee.downloads, sizes.Bee),
    fileArrives(cid.downloads, sizes.Cid),
    fileArrives(ada.downloads, sizes.Ada),
  ]);
  expect(await Promise.all(arrived.map(blake3))).toEqual(await Promise.all([forBee, forCid, forAda].map(blake3)));
  expect(await contents(cid.downloads)).toEqual(["for Cid.bin"]);
  await near.remove("Cid");
  await menuReads(popup.page, "page", ["Send page to Bee"]);
});

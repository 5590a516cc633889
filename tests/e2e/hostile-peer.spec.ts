// A peer that breaks the rules of the protocol is cut off with a clear failure. It writes nothing outside Downloads, and
// the extension goes on serving honest peers.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";

import { blake3 as blake3Of } from "hash-wasm";

import { contents, devices } from "./harness/devices.ts";
import { blake3, fileArrives, randomFile } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { FRAME, HostilePeer, resumeId } from "./harness/hostile.ts";
import { accept, sendFiles, transferSays } from "./harness/transfers.ts";
import { Popup } from "./harness/ui.ts";

const near = devices(["Ada", "Bee"]);
let mallory: HostilePeer;

test.beforeAll(async () => {
  mallory = await HostilePeer.start(near.server, "Mallory");
});

test.beforeEach(async () => {
  await mallory.connect("Ada");
});

// Whatever happened before, an honest peer is served.
test.afterEach(async ({}, { title }) => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const name = `honest after ${title.replaceAll(/\W+/g, " ")}.bin`;
  const file = await randomFile(near.folder, name, 10_007);
  await sendFiles(bee, "Ada", [file]);
  const popup = await accept(ada, "Bee");
  const arrived = await fileArrives(ada.downloads, 10_007, { fits: (inside) => inside === name });
  expect(await blake3(arrived)).toBe(await blake3(file));
  await expect(popup.page.getByText("Connected", { exact: true })).toBeVisible();
});

test.afterAll(async () => {
  await mallory.stop();
});

test("more bytes than proposed end the transfer, and nothing of it is kept", async () => {
  const ada = near.get("Ada");
  const before = await contents(ada.downloads);
  await mallory.propose(1, [{ name: "ten bytes.bin", bytes: 10 }]);
  const popup = await accept(ada, "Mallory");
  const { epoch } = (await mallory.frame(FRAME.accept)) as { epoch: number };
  await mallory.bulk({ transfer: 1, epoch, entry: 0, offset: 0 }, randomBytes(11));
  expect(await mallory.closedWith()).toBe("peer-misbehaved");
  await transferSays(popup, "ten bytes.bin", "Failed");
  await transferSays(popup, "ten bytes.bin", "The other device broke the rules of the protocol");
  await expect.poll(() => contents(ada.downloads)).toEqual(before);
});

test("bytes behind the end of a file end the transfer, and the file is not kept", async () => {
  const ada = near.get("Ada");
  const before = await contents(ada.downloads);
  await mallory.propose(1, [{ name: "full.bin", bytes: 10 }]);
  const popup = await accept(ada, "Mallory");
  const { epoch } = (await mallory.frame(FRAME.accept)) as { epoch: number };
  await mallory.bulk({ transfer: 1, epoch, entry: 0, offset: 0 }, randomBytes(10));
  await mallory.bulk({ transfer: 1, epoch, entry: 0, offset: 10 }, randomBytes(1));
  expect(await mallory.closedWith()).toBe("peer-misbehaved");
  await transferSays(popup, "full.bin", "Failed");
  await expect.poll(() => contents(ada.downloads)).toEqual(before);
});

test("other bytes than announced end the transfer, and nothing of it is kept", async () => {
  const ada = near.get("Ada");
  const before = await contents(ada.downloads);
  await mallory.propose(1, [{ name: "forged.bin", bytes: 10 }]);
  const popup = await accept(ada, "Mallory");
  const { epoch } = (await mallory.frame(FRAME.accept)) as { epoch: number };
  await mallory.bulk({ transfer: 1, epoch, entry: 0, offset: 0 }, randomBytes(10));
  await mallory.control(FRAME.entryDone, { transfer: 1, epoch, entry: 0, digest: "0".repeat(64) });
  expect((await mallory.frame(FRAME.cancel))["code"]).toBe("digest-mismatch");
  await transferSays(popup, "forged.bin", "Failed");
  await transferSays(popup, "forged.bin", "The bytes that arrived are not those that were sent.");
  await expect.poll(() => contents(ada.downloads)).toEqual(before);
});

test("bytes before anybody said yes end the connection, and the question goes away", async () => {
  const ada = near.get("Ada");
  const before = await contents(ada.downloads);
  const popup = await Popup.open(ada);
  await mallory.propose(1, [{ name: "pushed.bin", bytes: 10 }]);
  await expect(popup.accept("Mallory")).toBeVisible();
  await mallory.bulk({ transfer: 1, epoch: 1, entry: 0, offset: 0 }, randomBytes(10));
  expect(await mallory.closedWith()).toBe("peer-misbehaved");
  await expect(popup.accept("Mallory")).toHaveCount(0);
  expect(await contents(ada.downloads)).toEqual(before);
});

test("a proposal beyond every limit is refused before anybody is asked", async () => {
  const popup = await Popup.open(near.get("Ada"));
  await mallory.propose(1, [{ name: "endless.bin", bytes: Number.MAX_SAFE_INTEGER + 1 }]);
  expect((await mallory.frame(FRAME.decline))["code"]).toBe("too-large");
  await mallory.control(FRAME.propose, { transfer: 2, resume: resumeId(), count: 100_001, entries: [] });
  expect(await mallory.closedWith()).toBe("invalid-frame");
  await expect(popup.accept("Mallory")).toHaveCount(0);
});

test("names that reach for other places become plain names in Downloads", async () => {
  const ada = near.get("Ada");
  const escape = `tabferry-escape-${randomBytes(8).toString("hex")}`;
  const files = [
    { proposed: `../../${escape}`, stored: escape, data: randomBytes(31) },
    { proposed: "CON", stored: "_CON", data: randomBytes(32) },
    { proposed: "invoice\u202Efdp.txt", stored: "invoicefdp.txt", data: randomBytes(33) },
    { proposed: `C:\\Windows\\${escape}.dll.txt`, stored: `${escape}.dll.txt`, data: randomBytes(34) },
  ];
  await mallory.propose(
    1,
    files.map(({ proposed, data }) => ({ name: proposed, bytes: data.length })),
  );
  const popup = await Popup.open(ada);
  await expect(popup.accept("Mallory")).toBeVisible();
  for (const { stored } of files) {
    await expect(popup.incoming, "shown as it will be called").toContainText(stored);
  }
  await popup.accept("Mallory").click();
  const { epoch } = (await mallory.frame(FRAME.accept)) as { epoch: number };
  for (const [entry, { data }] of files.entries()) {
    await mallory.bulk({ transfer: 1, epoch, entry, offset: 0 }, data);
    const digest = await blake3Of(data);
    await mallory.control(FRAME.entryDone, { transfer: 1, epoch, entry, digest });
  }
  for (const { stored, data } of files) {
    const file = await fileArrives(ada.downloads, data.length);
    expect(path.relative(ada.downloads, file)).toBe(stored);
  }
  await transferSays(popup, "4 files", "Received ·");
  // Two folders above Downloads, and one.
  const above = [path.resolve(ada.downloads, "../.."), path.resolve(ada.downloads, "..")];
  expect(above.filter((folder) => existsSync(path.join(folder, escape)))).toEqual([]);
});

for (const channel of ["control", "bulk"] as const) {
  test(`garbage on the ${channel} channel ends the connection, and nothing else`, async () => {
    const popup = await Popup.open(near.get("Ada"));
    await mallory.propose(1, [{ name: "waiting.bin", bytes: 10 }]);
    await expect(popup.accept("Mallory")).toBeVisible();
    // A kind of control frame that exists, so that the rest must be read.
    const garbage = Buffer.concat([Buffer.from([FRAME.propose]), randomBytes(5_000)]);
    await mallory.raw(channel, channel === "control" ? garbage : garbage.subarray(0, 7));
    expect(await mallory.closedWith()).toBe("invalid-frame");
    await expect(popup.accept("Mallory")).toHaveCount(0);
  });
}

test("a link that is no web link never reaches a person", async () => {
  const ada = near.get("Ada");
  const popup = await Popup.open(ada);
  const entries = [{ kind: "link", url: "javascript:alert(1)", title: "A harmless link" }];
  await mallory.control(FRAME.propose, { transfer: 1, resume: resumeId(), count: 1, entries });
  expect(await mallory.closedWith()).toBe("invalid-frame");
  await expect(popup.page.getByText("A harmless link")).toHaveCount(0);
});

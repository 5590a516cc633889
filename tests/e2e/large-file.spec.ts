// A file larger than any memory it could be kept in arrives whole while popup and send tab are closed, and neither
// browser keeps it in memory.

import { rm } from "node:fs/promises";

import { devices } from "./harness/devices.ts";
import { blake3, fileArrives, randomFile } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { accept, sendFiles } from "./harness/transfers.ts";

const BYTES = 3 * 1024 * 1024 * 1024;
const GROWTH_BYTES = 150 * 1_000_000;

const near = devices(["Ada", "Bee"]);

test("a file of 3 GiB arrives with the popup closed, and memory stays small", async () => {
  test.setTimeout(15 * 60_000);
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const file = await randomFile(near.folder, "film.bin", BYTES);
  const digest = await blake3(file);

  // A transfer warms up all that any transfer needs: what grows from here on grows with the size.
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "warm-up.bin", 1_000_000)]);
  await (await accept(bee, "Ada")).page.close();
  await fileArrives(bee.downloads, 1_000_000);

  const before = { ada: await ada.memory(), bee: await bee.memory() };
  await Promise.all([ada.resetMemoryPeaks(), bee.resetMemoryPeaks()]);
  const started = Date.now();
  await sendFiles(ada, "Bee", [file]);
  await (await accept(bee, "Ada")).page.close();
  expect((await ada.targets()).some(({ url }) => /popup\.html|send\.html/.test(url)), "a page is open").toBe(false);
  const arrived = await fileArrives(bee.downloads, BYTES, { timeoutMs: 12 * 60_000 });
  const seconds = (Date.now() - started) / 1000;
  const after = { ada: await ada.memory(), bee: await bee.memory() };
  const growth = {
    "sender, extension": after.ada.extension.peak - before.ada.extension.now,
    "receiver, extension": after.bee.extension.peak - before.bee.extension.now,
    "receiver, rest of the browser": after.bee.others.peak - before.bee.others.now,
  };
  const lines = Object.entries(growth).map(([what, bytes]) => `${what} +${Math.round(bytes / 1e6)} MB`);
  const summary = `${Math.round(BYTES / 1e6 / seconds)} MB/s; memory: ${lines.join(", ")}`;
  test.info().annotations.push({ type: "measured", description: summary });
  console.log(summary);

  expect(await blake3(arrived)).toBe(digest);
  for (const [what, bytes] of Object.entries(growth)) {
    expect(bytes, `growth of memory: ${what}`).toBeLessThan(GROWTH_BYTES);
  }
  await rm(arrived);
});

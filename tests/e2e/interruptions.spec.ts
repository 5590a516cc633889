// What dies meanwhile: the server and the service workers disturb no transfer; a device that goes away is noticed.

import { devices } from "./harness/devices.ts";
import { blake3, fileArrives, randomFile } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { accept, midway, sendFiles, says, transferSays } from "./harness/transfers.ts";
import { Popup } from "./harness/ui.ts";

const MIB = 1024 * 1024;

const near = devices(["Ada", "Bee"]);

test("the server dies and comes back: the transfer goes on, and the devices find each other again", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const bytes = 250 * MIB;
  const file = await randomFile(near.folder, "while the server is gone.bin", bytes);
  await sendFiles(ada, "Bee", [file]);
  const popups = [await Popup.open(ada), await accept(bee, "Ada")];
  await midway(popups[0]!, "while the server is gone.bin");

  await near.server.kill();
  for (const popup of popups) {
    await says(popup.page, "Not connected");
  }
  // The bytes that arrive from here on owe nothing to the server.
  const reached = await popups[0]!
    .progress("while the server is gone.bin")
    .evaluate((bar) => (bar as HTMLProgressElement).value);
  expect(reached, "the transfer still runs").toBeLessThan(1);
  await midway(popups[0]!, "while the server is gone.bin", reached);
  await near.server.restart();

  await expect(popups[0]!.device("Bee")).toBeVisible({ timeout: 45_000 });
  await expect(popups[1]!.device("Ada")).toBeVisible({ timeout: 45_000 });
  const arrived = await fileArrives(bee.downloads, bytes, { timeoutMs: 100_000 });
  expect(await blake3(arrived)).toBe(await blake3(file));
  await transferSays(popups[0]!, "while the server is gone.bin", "Sent ·");

  // And the way between them works as before.
  await sendFiles(bee, "Ada", [await randomFile(near.folder, "afterwards.bin", 1_000)]);
  await accept(ada, "Bee");
  await fileArrives(ada.downloads, 1_000);
});

for (const [who, role] of [
  ["Ada", "sender"],
  ["Bee", "receiver"],
] as const) {
  test(`the ${role}'s service worker dies: the transfer ends well`, async () => {
    const [ada, bee] = [near.get("Ada"), near.get("Bee")];
    const bytes = 150 * MIB + (who === "Ada" ? 1 : 2);
    const name = `without the ${role}'s worker.bin`;
    const file = await randomFile(near.folder, name, bytes);
    await sendFiles(ada, "Bee", [file]);
    const popup = await Popup.open(ada);
    await accept(bee, "Ada");
    await midway(popup, name, 0.1);

    await near.get(who).killWorker();

    const arrived = await fileArrives(bee.downloads, bytes, { timeoutMs: 100_000 });
    expect(await blake3(arrived)).toBe(await blake3(file));
    await transferSays(popup, name, "Sent ·");
  });
}

test("the receiver's browser dies: the sender sees within ten seconds that it waits, and can stop", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const name = "to nobody.bin";
  await sendFiles(ada, "Bee", [await randomFile(near.folder, name, 400 * MIB)]);
  const popup = await Popup.open(ada);
  await accept(bee, "Ada");
  await midway(popup, name);

  await bee.kill();

  await transferSays(popup, name, "Waiting for Bee…", 10_000);
  await expect(popup.device("Bee")).toHaveCount(0);
  await popup.page.getByRole("button", { name: `Cancel ${name}` }).click();
  await transferSays(popup, name, "You cancelled");
  await near.remove("Bee");
});

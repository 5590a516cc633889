// `cargo xtask bench browser`: how fast a file goes from one browser to another, beside a bare data channel between the same
// two browsers in the same run. The file is read, hashed at both ends and written to disk; the bare channel's bytes come from
// memory and go nowhere. The bare channel is measured as pages make one, and once more with the larger receive buffers that the
// extension's connections have. Making a connection counts for none of them.

import type { Page } from "@playwright/test";

import { BareChannel, type BareEnd } from "./harness/bare.ts";
import { removeFolder, temporaryFolder } from "./harness/cleanup.ts";
import { blake3, fileArrives, randomFile } from "./harness/files.ts";
import { askedToStop } from "./harness/lifeline.ts";
import { Profile } from "./harness/profile.ts";
import { SignalingServer } from "./harness/signaling.ts";
import { Site } from "./harness/site.ts";
import { column, median, takeTurns } from "./harness/statistics.ts";
import { chooseFiles, openSendTab, Popup } from "./harness/ui.ts";

const BYTES = 256 * 1024 * 1024;
const RUNS = 5;
/** Makes the connection, and takes what a new one does slowly. */
const FIRST_BYTES = 32 * 1024 * 1024;
/** What of the bare channel's speed must be left. */
const GOAL = 0.85;

async function main(): Promise<void> {
  void askedToStop().then(() => process.exit(130));
  const site = await Site.start();
  const server = await SignalingServer.start(["--allow-origin", new URL(site.url("/")).origin]);
  const folder = temporaryFolder();
  const [blue, green] = await Promise.all(["Blue", "Green"].map((name) => Profile.start({ name, server: server.url })));
  const [fromBlue, toGreen] = await Promise.all([Popup.open(blue!), Popup.open(green!)]);
  await fromBlue.sendFiles("Green").waitFor();
  await acceptEverything(toGreen.page);
  const sendTab = await openSendTab(blue!, fromBlue, "Green");

  console.log(`\n${BYTES / 1024 / 1024} MiB from browser to browser, MB/s (10^6 bytes per second)\n`);
  console.log("run   bare channel   larger buffers   Tabferry");
  await transfer(sendTab, green!, await randomFile(folder, "bench-0.bin", FIRST_BYTES), FIRST_BYTES);
  const bare: number[] = [];
  const larger: number[] = [];
  const ours: number[] = [];
  for (let run = 1; run <= RUNS; run++) {
    // Written to the disk before anything is measured, and gone from it afterwards.
    const file = await randomFile(folder, `bench-${run}.bin`, BYTES);
    await takeTurns(run, [
      async () => bare.push(await bareChannel(blue!, green!, site, server)),
      async () => larger.push(await bareChannel(blue!, green!, site, server, { video: true })),
      async () => ours.push(await transfer(sendTab, green!, file, BYTES)),
    ]);
    console.log(`${String(run).padEnd(6)}${column(bare.at(-1)!)}${column(larger.at(-1)!)}${column(ours.at(-1)!)}`);
  }
  console.log(`${"median".padEnd(6)}${column(median(bare))}${column(median(larger))}${column(median(ours))}`);
  const ratio = median(ours) / median(bare);
  console.log(`\nratio ${ratio.toFixed(2)} (goal: at least ${GOAL})`);
  console.log(`to the bare channel with larger buffers: ${(median(ours) / median(larger)).toFixed(2)}`);

  await Promise.all([blue!.stop(), green!.stop()]);
  await server.stop();
  await site.stop();
  await removeFolder(folder);
}

/** Speed of a transfer, from choosing the file to its place in the receiver's Downloads, in MB/s. */
async function transfer(sendTab: Page, green: Profile, file: string, bytes: number): Promise<number> {
  const name = file.split(/[\\/]/).at(-1)!;
  const arrival = fileArrives(green.downloads, bytes, { fits: (inside) => inside.endsWith(name), timeoutMs: 600_000 });
  const started = performance.now();
  await chooseFiles(sendTab, [file]);
  const arrived = await arrival;
  const took = performance.now() - started;
  if ((await blake3(file)) !== (await blake3(arrived))) {
    throw new Error("the file that arrived is not the file that was sent");
  }
  return bytes / 1e3 / took;
}

/** Presses Accept as soon as it appears. */
async function acceptEverything(popup: Page): Promise<void> {
  await popup.evaluate(() => {
    const accept = (): void => {
      for (const button of document.querySelectorAll("button")) {
        if ((button.ariaLabel ?? button.textContent).startsWith("Accept") && button.checkVisibility()) {
          button.click();
        }
      }
    };
    new MutationObserver(accept).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
}

/** Speed of a data channel between pages of the two browsers in MB/s. */
async function bareChannel(
  blue: Profile,
  green: Profile,
  site: Site,
  server: SignalingServer,
  options: { video?: boolean } = {},
): Promise<number> {
  // Documents of another origin, so that they get a process of their own: all pages of an extension share one, and what this
  // leaves behind there would burden the next transfer.
  const [sender, receiver] = await Promise.all([blue.open(site.url("/")), green.open(site.url("/"))]);
  const channel = await BareChannel.between(sender, receiver, server, options);
  await channel.connect();
  await receiver.evaluate((bytes) => {
    const { channel } = (globalThis as unknown as { bare: BareEnd }).bare;
    let received = 0;
    channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      received += data.byteLength;
      if (received === bytes) {
        channel.send("all there");
      }
    };
  }, BYTES);
  const milliseconds = await sender.evaluate(async (bytes) => {
    const { channel } = (globalThis as unknown as { bare: BareEnd }).bare;
    const high = 4 * 1024 * 1024;
    channel.bufferedAmountLowThreshold = high / 2;
    const message = new Uint8Array(64 * 1024);
    const started = performance.now();
    const done = new Promise((resolve) => (channel.onmessage = resolve));
    for (let sent = 0; sent < bytes; sent += message.length) {
      if (channel.bufferedAmount >= high) {
        await new Promise((resolve) => (channel.onbufferedamountlow = resolve));
      }
      channel.send(message);
    }
    await done;
    return performance.now() - started;
  }, BYTES);
  await Promise.all([sender.close(), receiver.close()]);
  return BYTES / 1e3 / milliseconds;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);

// `cargo xtask bench host`: how fast bytes get to the native host, from a browser and from another host, over bare connections
// with the host's settings: from memory to nowhere.

import { hostToHost, pageToHost } from "./harness/bare-host.ts";
import { askedToStop } from "./harness/lifeline.ts";
import { Profile } from "./harness/profile.ts";
import { SignalingServer } from "./harness/signaling.ts";
import { Site } from "./harness/site.ts";
import { column, median, takeTurns } from "./harness/statistics.ts";

const FROM_BROWSER_BYTES = 256 * 1024 * 1024;
const FROM_HOST_BYTES = 1024 * 1024 * 1024;
/** What the product puts into one frame. */
const MESSAGE_BYTES = 128 * 1024;
const RUNS = 5;

async function main(): Promise<void> {
  void askedToStop().then(() => process.exit(130));
  const site = await Site.start();
  const server = await SignalingServer.start();
  const browser = await Profile.start({ name: "Blue", server: server.url });

  console.log("\nbare connections, MB/s (10^6 bytes per second)\n");
  console.log("run   browser → host  host → host");
  const fromBrowser: number[] = [];
  const fromHost: number[] = [];
  for (let run = 1; run <= RUNS; run++) {
    await takeTurns(run, [
      async () => {
        const page = await browser.open(site.url("/"));
        fromBrowser.push(await pageToHost(page, FROM_BROWSER_BYTES, MESSAGE_BYTES));
        await page.close();
      },
      async () => fromHost.push(await hostToHost(FROM_HOST_BYTES, MESSAGE_BYTES)),
    ]);
    console.log(`${String(run).padEnd(6)}${column(fromBrowser.at(-1)!)}${column(fromHost.at(-1)!)}`);
  }
  console.log(`${"median".padEnd(6)}${column(median(fromBrowser))}${column(median(fromHost))}`);

  await browser.stop();
  await server.stop();
  await site.stop();
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);

// `cargo xtask bench host`: how fast a file gets to the native host, from a browser and from another host, beside the fastest that
// a bare connection with the host's settings does between the same two ends in the same run. The file is read, hashed at both
// ends and written to disk; the bare connections' bytes come from memory and go nowhere.

import type { ChildProcess } from "node:child_process";
import { rm, stat } from "node:fs/promises";
import path from "node:path";

import { hostToHost, pageToHost } from "./harness/bare-host.ts";
import { end, removeFolder, temporaryFolder } from "./harness/cleanup.ts";
import { blake3, fileArrives, randomFile } from "./harness/files.ts";
import { askedToStop } from "./harness/lifeline.ts";
import { NativeHost } from "./harness/native.ts";
import { Profile } from "./harness/profile.ts";
import { SignalingServer } from "./harness/signaling.ts";
import { Site } from "./harness/site.ts";
import { column, median, takeTurns } from "./harness/statistics.ts";
import { chooseFiles, openSendTab, Popup } from "./harness/ui.ts";

const FROM_BROWSER_BYTES = 256 * 1024 * 1024;
const FROM_HOST_BYTES = 1024 * 1024 * 1024;
/** What the product puts into one frame. */
const MESSAGE_BYTES = 128 * 1024;
const RUNS = 5;
/** What the protocol may cost at most. */
const GOALS = { fromBrowser: 0.95, fromHost: 0.9 };

async function main(): Promise<void> {
  void askedToStop().then(() => process.exit(130));
  const site = await Site.start();
  const server = await SignalingServer.start();
  const folder = temporaryFolder();
  const browser = await Profile.start({ name: "Blue", server: server.url });
  const [red, redFolder] = await hostNamed("Red", server);
  const [green, greenFolder] = await hostNamed("Green", server);
  const receiving: ChildProcess = green.start("receive", "--accept");
  const popup = await Popup.open(browser);
  await popup.sendFiles("Green").waitFor();
  const sendTab = await openSendTab(browser, popup, "Green");

  console.log("\nto a native host, MB/s (10^6 bytes per second)\n");
  console.log("run   from a browser: bare  Tabferry     from a host: bare  Tabferry");
  const speeds = { bareBrowser: [] as number[], browser: [] as number[], bareHost: [] as number[], host: [] as number[] };
  for (let run = 1; run <= RUNS; run++) {
    const small = await randomFile(folder, `browser-${run}.bin`, FROM_BROWSER_BYTES);
    const large = await randomFile(folder, `host-${run}.bin`, FROM_HOST_BYTES);
    await takeTurns(run, [
      async () => {
        const page = await browser.open(site.url("/"));
        speeds.bareBrowser.push(await pageToHost(page, FROM_BROWSER_BYTES, MESSAGE_BYTES));
        await page.close();
      },
      async () => speeds.browser.push(await transfer(small, green, (file) => chooseFiles(sendTab, [file]))),
    ]);
    await takeTurns(run, [
      async () => speeds.bareHost.push(await hostToHost(FROM_HOST_BYTES, MESSAGE_BYTES)),
      async () => speeds.host.push(await transfer(large, green, (file) => red.run("send", file, "--to", "Green", "--quiet"))),
    ]);
    await Promise.all([small, large].map((file) => rm(file)));
    console.log(
      `${String(run).padEnd(6)}${column(speeds.bareBrowser.at(-1)!)}${column(speeds.browser.at(-1)!)}   ${column(speeds.bareHost.at(-1)!)}${column(speeds.host.at(-1)!)}`,
    );
  }
  console.log(
    `${"median".padEnd(6)}${column(median(speeds.bareBrowser))}${column(median(speeds.browser))}   ${column(median(speeds.bareHost))}${column(median(speeds.host))}`,
  );
  const ratio = (ours: number[], bare: number[]): string => (median(ours) / median(bare)).toFixed(2);
  console.log(`\nbrowser to host: ratio ${ratio(speeds.browser, speeds.bareBrowser)} (goal: at least ${GOALS.fromBrowser})`);
  console.log(`host to host:    ratio ${ratio(speeds.host, speeds.bareHost)} (goal: at least ${GOALS.fromHost})`);

  await end(receiving);
  await Promise.all([browser.stop(), red.stop(), green.stop()]);
  await server.stop();
  await site.stop();
  await Promise.all([folder, redFolder, greenFolder].map(removeFolder));
}

/** A host that is a device of its own, and the folder that it keeps everything in. */
async function hostNamed(name: string, server: SignalingServer): Promise<[NativeHost, string]> {
  const folder = temporaryFolder();
  const host = await NativeHost.create(folder);
  await host.run("config", "set", "server", server.url);
  await host.run("config", "set", "name", name);
  return [host, folder];
}

/**
 * Speed of a transfer, from what starts it to the file's place at the receiver, in MB/s. Like the bare channel's, the connection is
 * there already: a small file goes first.
 */
async function transfer(file: string, to: NativeHost, send: (file: string) => Promise<unknown>): Promise<number> {
  const first = await randomFile(path.dirname(file), `first-${path.basename(file)}`, 1);
  const opened = arrives(first, 1, to);
  await Promise.all([opened, send(first)]);
  await Promise.all([first, await opened].map((file) => rm(file)));
  const bytes = (await stat(file)).size;
  const arrival = arrives(file, bytes, to);
  const started = performance.now();
  const sent = send(file);
  const arrived = await arrival;
  const took = performance.now() - started;
  await sent;
  if ((await blake3(file)) !== (await blake3(arrived))) {
    throw new Error("the file that arrived is not the file that was sent");
  }
  await rm(arrived);
  return bytes / 1e3 / took;
}

async function arrives(file: string, bytes: number, at: NativeHost): Promise<string> {
  return fileArrives(at.downloads, bytes, { fits: (inside) => inside === path.basename(file), timeoutMs: 600_000 });
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);

// `cargo xtask bench handshake`: how long it takes until a session can be used, beside a bare data channel between pages of
// the same two browsers, and what of it is the handshake. Every session is a new one, between two real extensions.

import { BareChannel } from "./harness/bare.ts";
import { askedToStop } from "./harness/lifeline.ts";
import { Profile } from "./harness/profile.ts";
import { SignalingServer } from "./harness/signaling.ts";
import { column, median, quantile, takeTurns } from "./harness/statistics.ts";
import { type Opening, Stopwatch } from "./harness/stopwatch.ts";
import { clickContextMenu } from "./harness/ui.ts";

const RUNS = 50;
/** People don't connect that often; the server would have them wait. */
const MESSAGES = ["--message-burst", "100000"];

async function main(): Promise<void> {
  void askedToStop().then(() => process.exit(130));
  const server = await SignalingServer.start(MESSAGES);
  const profiles = await Promise.all(["Blue", "Green"].map((name) => Profile.start({ name, server: server.url })));
  const [blue, green] = profiles as [Profile, Profile];
  await Promise.all([blue.sees(["Green"]), green.sees(["Blue"])]);
  // Pages of the extension's origin: their connections find the same candidates as the extension's.
  const [fromBlue, toGreen] = await Promise.all([blue.open("manifest.json"), green.open("manifest.json")]);
  const channel = await BareChannel.between(fromBlue, toGreen, server);
  const [offerer, answerer] = await Promise.all([Stopwatch.start(blue), Stopwatch.start(green)]);

  const bare = async (): Promise<number> => {
    const took = await channel.connect();
    await channel.close();
    return took;
  };
  const session = async (): Promise<[Opening, Opening]> => {
    const openings = Promise.all([offerer.next(), answerer.next()]);
    await clickContextMenu(blue, "link", green, fromBlue, { linkUrl: "https://example.com/" });
    const both = await openings;
    await offerer.breakOff();
    await Promise.all([offerer.closed(), answerer.closed()]);
    return both;
  };
  // The first of each pays for what is loaded once.
  await bare();
  await session();

  const bares: number[] = [];
  const sessions: [Opening, Opening][] = [];
  for (let run = 1; run <= RUNS; run++) {
    await takeTurns(run, [async () => bares.push(await bare()), async () => sessions.push(await session())]);
  }

  const offering = sessions.map(([opening]) => opening);
  const usable = offering.map(({ channels, handshake }) => channels + handshake);
  console.log(`\n${RUNS} new connections of each kind from browser to browser, in turns, milliseconds\n`);
  console.log(`${"".padEnd(62)}      median        10 %        90 %`);
  print("bare data channel: from its peer connection to its opening", bares);
  print("Tabferry: from its peer connection to a usable session", usable);
  print("  of it until both channels are open", offering.map(({ channels }) => channels));
  print("  of it the handshake, at the end that offers", offering.map(({ handshake }) => handshake));
  print("the handshake at the end that answers", sessions.map(([, { handshake }]) => handshake));
  console.log(`\ndifference of the first two medians ${(median(usable) - median(bares)).toFixed(1)} ms`);

  offerer.stop();
  answerer.stop();
  await Promise.all([blue.stop(), green.stop()]);
  await server.stop();
}

function print(what: string, numbers: number[]): void {
  const columns = [median(numbers), quantile(numbers, 0.1), quantile(numbers, 0.9)].map(column);
  console.log(`${what.padEnd(62)}${columns.join("")}`);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);

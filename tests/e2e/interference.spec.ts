// The signaling server can't read, change or pretend anything: whatever it does to the messages that it passes on, what
// people send gets to the device that it is for, or to nobody, and those to whom it was done are told. The attacks are
// those of tests/system, between real browsers; each is followed by an honest server, with which everything works.

import { expect, test } from "@playwright/test";

import { removeFolder, temporaryFolder } from "./harness/cleanup.ts";
import { attacks, EvilServer } from "./harness/evil.ts";
import { blake3, fileArrives, randomFile } from "./harness/files.ts";
import { Middle } from "./harness/middle.ts";
import { allShown, told, watchNotifications } from "./harness/notifications.ts";
import { Profile } from "./harness/profile.ts";
import { SignalingServer } from "./harness/signaling.ts";
import { accept, sendFiles } from "./harness/transfers.ts";
import { clickContextMenu } from "./harness/ui.ts";

const NAMES = ["Ada", "Bee", "Cleo", "Dora", "Emil"];
/** Texts that people send under each attack. */
const RUNS = 20;
/** Longer than the 30 seconds after which a device that can't be reached is given up. */
const GIVEN_UP_MS = 45_000;

/** What came of an attack. */
interface Account {
  runs: number;
  /** Connections that were tried. */
  attempts: number;
  /** Texts whose sender was told that the connection could not be verified. */
  bySender: number;
  /** Texts where somebody else was. */
  byOther: number;
  arrived: number;
  /** Texts whose sender was told that they could not be sent. */
  failed: number;
  /** Bytes of what people send that anybody else got. */
  astray: number;
}

/** What a person sends. */
interface Sending {
  from: Profile;
  to: Profile;
  text: string;
}

/** What must have come of a text; not said of what may be either way. */
interface Expected {
  /** Its sender is told that the connection could not be verified. */
  bySender?: boolean;
  /** Somebody else is. */
  byOther?: boolean;
  arrived?: boolean;
}

/** How the title of such a notification begins and ends. */
const UNVERIFIED = /^The connection to .* could not be verified$/;

const BOTH: Expected = { bySender: true, byOther: true, arrived: false };

/** Attacks after which devices must learn anew who is there. */
const LIES = ["false-id", "false-name", "swap-cards"];

const tried: string[] = [];
const accounts = new Map<string, Account>();
let account: Account;
let server: SignalingServer;
let evil: EvilServer;
let middle: Middle;
let folder: string;
let devices: Profile[];
let texts = 0;

test.beforeAll(async () => {
  // Nobody ever has so much to signal.
  server = await SignalingServer.start(["--message-burst=100000", "--messages-per-minute=100000"]);
  evil = await EvilServer.start(server);
  middle = await Middle.start(evil);
  folder = temporaryFolder();
  devices = await Promise.all(NAMES.map((name) => Profile.start({ name, server: evil.url })));
  await allSee();
});

test.afterAll(async () => {
  console.log(table());
  await Promise.all(devices.map((device) => device.stop()));
  await middle.stop();
  await evil.stop();
  await server.stop();
  await removeFolder(folder);
});

for (const [name, what] of Object.entries({
  middle: "a server that puts itself between two browsers and passes on what they say",
  "middle-with-own-key": "a server that pretends to be the other browser, to either of two",
  "swap-both": "certificates that nobody has",
  "swap-offer": "another certificate for the browser that is called",
  "swap-answer": "another certificate for the browser that calls",
  nonce: "another session for each of two browsers",
})) {
  attacked(`both people are told of ${what}`, name, async () => {
    middle.speaks = name === "middle-with-own-key";
    for (const [from, to] of pairs()) {
      await evil.attack(name, texts);
      const sending = await send(from, to);
      await Promise.all([toldOf(from, to), toldOf(to, from)]);
      await tally(sending, BOTH);
    }
    await noConnections();
  });
}

for (const [name, what] of Object.entries({
  append: "names a second certificate",
  "sha-1": "names its certificate by an old digest",
})) {
  attacked(`a description that ${what} is refused, and people are told`, name, async () => {
    for (const [run, [from, to]] of pairs().entries()) {
      const silent = run % 5 === 0;
      for (let seed = run; (await evil.attack(name, seed)) !== silent; seed += RUNS);
      const sending = await send(from, to);
      const both = [toldOf(from, to), toldOf(to, from)];
      if (silent) {
        await Promise.any(both);
        await tally(sending, { arrived: false });
        // The end that is not told tries for as long as it would for a device that can't be reached.
        await restart([from, to]);
      } else {
        await Promise.all(both);
        await tally(sending, BOTH);
      }
    }
    await noConnections();
  });
}

attacked("both people are told when a certificate is changed later on", "restart", async () => {
  for (const [from, to] of pairs()) {
    await evil.rest();
    const sending = await send(from, to);
    await told(to, `Text from ${from.name}`);
    await evil.attack("restart", texts);
    await evil.provoke();
    await Promise.all([toldOf(from, to), toldOf(to, from)]);
    await tally(sending, { ...BOTH, arrived: true });
  }
  await noConnections();
});

attacked("both people are told when the server gives a device another id", "false-id", async () => {
  await evil.attack("false-id", 0);
  await restart(devices);
  for (const [from, to] of pairs()) {
    const sending = await send(from, to);
    await Promise.all([toldOf(from, to), toldOf(to, from)]);
    await tally(sending, BOTH);
  }
  await noConnections();
});

for (const [name, what] of Object.entries({
  divert: "another browser answers than the one that was called",
  "swap-cards": "the server gives out two browsers for each other",
})) {
  attacked(`both people are told when ${what}`, name, async () => {
    await evil.attack(name, 0);
    await restart(devices);
    for (const [from, to] of pairs()) {
      const sending = await send(from, to);
      const others = devices.filter((device) => device !== from && device !== to);
      await Promise.all([toldOf(from, to), Promise.any(others.map((other) => told(other, UNVERIFIED)))]);
      await tally(sending, BOTH);
    }
    await noConnections();
  });
}

attacked("a browser that is connected to itself says so", "mirror", async () => {
  for (const [from, to] of pairs()) {
    await evil.attack("mirror", texts);
    const sending = await send(from, to);
    await toldOf(from, to);
    await tally(sending, { bySender: true, byOther: false, arrived: false });
  }
  await noConnections();
});

for (const [name, what] of Object.entries({
  reflect: "its own words come back to a browser",
  "replay-instead": "words of an earlier connection come in place of the present ones",
  splice: "the answers of two browsers are exchanged",
})) {
  attacked(`nothing is sent where ${what}`, name, async () => {
    if (name === "replay-instead") {
      await rememberConnections();
    }
    await evil.attack(name, 0);
    for (const sending of await allSend()) {
      const confused = name === "splice" ? [toldOf(sending.from, sending.to, GIVEN_UP_MS)] : [];
      await Promise.any([toldFailed(sending), ...confused]);
      await tally(sending, { arrived: false, ...(name === "splice" ? {} : { bySender: false, byOther: false }) });
    }
    await noConnections();
  });
}

attacked("words of an earlier connection beside the present ones do no more than disturb", "replay-beside", async () => {
  await rememberConnections();
  await evil.attack("replay-beside", 0);
  for (const sending of await allSend()) {
    await Promise.any([toldText(sending), toldFailed(sending)]);
    await tally(sending, { bySender: false, byOther: false });
  }
});

attacked("a device is called as it calls itself, whatever the server says", "false-name", async () => {
  await evil.attack("false-name", 0);
  await restart(devices, (name) => `False ${name}`);
  for (const [from, to] of pairs()) {
    const sending = await send(from, to, `False ${to.name}`);
    await toldText(sending);
    await tally(sending, { bySender: false, byOther: false, arrived: true });
  }
});

test("every attack was tried, and files arrive when it is all over", async () => {
  expect(tried.sort()).toEqual(attacks().sort());
  const [ada, bee] = [devices[0]!, devices[1]!];
  const file = await randomFile(folder, "honest.bin", 300_001);
  await sendFiles(ada, "Bee", [file]);
  await accept(bee, "Ada");
  expect(await blake3(await fileArrives(bee.downloads, 300_001))).toBe(await blake3(file));
});

/** Runs one attack, and sees that all is well when it is over. */
function attacked(promise: string, name: string, attack: () => Promise<void>): void {
  tried.push(name);
  test(promise, async () => {
    account = { runs: 0, attempts: 0, bySender: 0, byOther: 0, arrived: 0, failed: 0, astray: 0 };
    accounts.set(name, account);
    middle.read = 0;
    evil.offered.clear();
    await attack();
    account.attempts = evil.offered.size;
    account.astray += middle.read;
    expect(account.runs).toBe(RUNS);
    // Where texts arrive, those of two devices to each other share a connection.
    expect(account.attempts).toBeGreaterThanOrEqual(account.arrived < RUNS || name === "restart" ? RUNS : RUNS / 2);
    expect(account.astray).toBe(0);

    await evil.rest();
    if (LIES.includes(name)) {
      await restart(devices);
    }
    const [ada, bee] = [devices[0]!, devices[1]!];
    for (const [from, to] of [
      [ada, bee],
      [bee, ada],
    ] as const) {
      await toldText(await send(from, to));
    }
    // The next attack is on connections of its own.
    await restart(account.arrived > 0 ? devices : [ada, bee]);
  });
}

/** Who sends to whom, in turns: everybody to everybody else. */
function pairs(): [Profile, Profile][] {
  const pairs = devices.flatMap((_, by) =>
    devices.map((from, index): [Profile, Profile] => [from, devices[(index + by) % devices.length]!]),
  );
  const others = pairs.filter(([from, to]) => from !== to);
  expect(others.length).toBe(RUNS);
  return others;
}

/** Sends a text that nobody else has sent, as a person does who has selected it, to a device by the name that is shown. */
async function send(from: Profile, to: Profile, shown = to.name): Promise<Sending> {
  await Promise.all(devices.map(watchNotifications));
  return sendUnwatched(from, to, shown);
}

async function sendUnwatched(from: Profile, to: Profile, shown = to.name): Promise<Sending> {
  texts += 1;
  const text = `text ${texts} of ${from.name}`;
  const page = from.context.pages()[0]!;
  await clickContextMenu(from, "selection", { name: shown }, page, { selectionText: text });
  return { from, to, text };
}

/** Everybody sends to everybody else at once. */
async function allSend(): Promise<Sending[]> {
  await Promise.all(devices.map(watchNotifications));
  return Promise.all(pairs().map(([from, to]) => sendUnwatched(from, to)));
}

/** Waits until a person is told that the connection to a device could not be verified. */
async function toldOf(profile: Profile, other: Profile, timeoutMs?: number): Promise<void> {
  await told(profile, `The connection to ${other.name} could not be verified`, timeoutMs);
}

async function toldText({ from, to, text }: Sending): Promise<void> {
  const shown = await told(to, `Text from ${from.name}`, GIVEN_UP_MS, text);
  expect(shown.message).toBe(text);
}

/** Waits until a person is told that a text could not be sent. */
async function toldFailed({ from, to, text }: Sending): Promise<void> {
  await told(from, `Could not send “${text}” to ${to.name}`, GIVEN_UP_MS);
}

/** Adds what has come of a text to the account, and holds it against what must have. */
async function tally({ from, to, text }: Sending, expected: Expected): Promise<void> {
  const shown = await Promise.all(devices.map(allShown));
  const found = { bySender: false, byOther: false, arrived: false, failed: false };
  for (const [index, device] of devices.entries()) {
    for (const { id, title, message } of shown[index]!) {
      if (id.startsWith("unverified:")) {
        found[device === from ? "bySender" : "byOther"] = true;
      } else if (message === text && device === to) {
        found.arrived = true;
      } else if (message === text) {
        account.astray += text.length;
      } else if (device === from && title.includes(`“${text}”`)) {
        found.failed = true;
      }
    }
  }
  expect(found, `${text} for ${to.name}`).toMatchObject({ ...expected });
  account.runs += 1;
  for (const what of ["bySender", "byOther", "arrived", "failed"] as const) {
    account[what] += Number(found[what]);
  }
}

/** Has everybody try to connect to everybody else, so that there is something to repeat. */
async function rememberConnections(): Promise<void> {
  await evil.attack("nonce", 0);
  for (const [from, to] of pairs()) {
    await send(from, to);
    await Promise.all([toldOf(from, to), toldOf(to, from)]);
  }
  evil.offered.clear();
}

/** Waits until all devices see all others, by the names that the server gives them. */
async function allSee(shown: (name: string) => string = (name) => name): Promise<void> {
  await Promise.all(
    devices.map((device) => device.sees(NAMES.filter((name) => name !== device.name).map(shown))),
  );
}

/** Ends all connections of some devices, and has them ask the server anew who is there. */
async function restart(some: Profile[], shown?: (name: string) => string): Promise<void> {
  await Promise.all(some.map((device) => device.restartEngine()));
  await allSee(shown);
}

/** No device holds a connection that came of an attack. */
async function noConnections(): Promise<void> {
  const counts = async (): Promise<number[]> => Promise.all(devices.map((device) => device.peerConnections()));
  await expect.poll(counts, { message: "peer connections that are open" }).toEqual(NAMES.map(() => 0));
}

function table(): string {
  const row = (cells: (string | number)[]): string =>
    cells.map((cell, index) => (index === 0 ? String(cell).padEnd(20) : String(cell).padStart(12))).join("");
  const heading = row(["attack", "runs", "attempts", "by sender", "by other", "arrived", "failed", "astray"]);
  const rows = [...accounts].map(([name, it]) =>
    row([name, it.runs, it.attempts, it.bySender, it.byOther, it.arrived, it.failed, it.astray]),
  );
  return [heading, ...rows].join("\n");
}

// The handshake written a second time writes and reads the bytes of the first, and refuses what docs/protocol.md refuses.
// Needs no browser.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

import { blake3 } from "@noble/hashes/blake3.js";
import { expect, test } from "@playwright/test";

import {
  checkPublicKey,
  DeviceKey,
  fingerprintOf,
  Handshake,
  type Params,
  prologueOf,
  type Role,
  type Verified,
} from "./harness/handshake.ts";

const GOLDEN = {
  first: golden("first.message"),
  second: golden("second.message"),
  third: golden("third.message"),
  transcript: golden("transcript.digest"),
};

function golden(name: string): Buffer {
  return readFileSync(new URL(`../../crates/protocol/tests/golden/handshake/${name}`, import.meta.url));
}

/** The two ends that the golden files are of: crates/protocol/tests/scenario/handshake.rs. */
const INITIATOR = end("initiator", 1, "Åsa's laptop 💻", "computer", 0xa1, 0xb2);
const RESPONDER = end("responder", 2, "phone", "phone", 0xb2, 0xa1);

function end(role: Role, key: number, name: string, kind: Params["kind"], local: number, remote: number): Params {
  const session = Buffer.from("halves of two ends, made of text");
  const path = { local: Buffer.alloc(32, local), remote: Buffer.alloc(32, remote) };
  // How an end comes to its secrets is its own affair. The ends of the golden files derive them from a seed.
  const material = Buffer.concat([Buffer.alloc(32, local), prologueOf(role, path, session)]);
  const secret = (context: string): Buffer => Buffer.from(blake3(material, { context: Buffer.from(context) }));
  return {
    key: DeviceKey.fromSeed(Buffer.alloc(32, key)),
    name,
    kind,
    versions: [1, 2],
    path,
    session,
    secrets: {
      fixed: secret("tabferry noise static key v1"),
      ephemeral: secret("tabferry noise ephemeral key v1"),
    },
  };
}

/** Runs a whole handshake. What is changed on the way is changed before it is read. */
function run(
  initiator: Params,
  responder: Params,
  change: Partial<Record<"first" | "second" | "third", (message: Buffer) => Buffer>> = {},
): { byInitiator: Verified; byResponder: Verified } {
  const same = (message: Buffer): Buffer => message;
  const { first = same, second = same, third = same } = change;
  const [one, other] = [new Handshake("initiator", initiator), new Handshake("responder", responder)];
  const answer = other.read(first(one.begin())).reply!;
  const { reply, verified: byInitiator } = one.read(second(answer));
  const { verified: byResponder } = other.read(third(reply!));
  return { byInitiator: byInitiator!, byResponder: byResponder! };
}

type Certificates = Exclude<Params["path"], "relay">;

/** The same end with other parameters. */
function but(params: Params, other: Partial<Params>): Params {
  return { ...params, ...other };
}

test("the golden messages are written and read byte for byte", () => {
  const initiator = new Handshake("initiator", INITIATOR);
  const responder = new Handshake("responder", RESPONDER);
  expect(initiator.begin()).toEqual(GOLDEN.first);
  expect(responder.read(GOLDEN.first)).toEqual({ reply: GOLDEN.second });
  expect(initiator.read(GOLDEN.second)).toEqual({
    reply: GOLDEN.third,
    verified: {
      publicKey: RESPONDER.key.publicKey,
      id: RESPONDER.key.id,
      name: "phone",
      kind: "phone",
      versions: [1, 2],
      transcript: GOLDEN.transcript,
    },
  });
  expect(responder.read(GOLDEN.third)).toEqual({
    verified: {
      publicKey: INITIATOR.key.publicKey,
      id: INITIATOR.key.id,
      name: "Åsa's laptop 💻",
      kind: "computer",
      versions: [1, 2],
      transcript: GOLDEN.transcript,
    },
  });
});

test("an id follows from a key as it does in the extension", () => {
  expect(DeviceKey.fromSeed(Buffer.alloc(32, 1)).id).toBe("pdzsusu72qht3ycqzbdeak3vzq");
});

test("two ends with keys drawn at random verify each other, on both paths", () => {
  const fingerprints = { local: randomBytes(32), remote: randomBytes(32) };
  const turned = { local: fingerprints.remote, remote: fingerprints.local };
  for (const [path, opposite] of [[fingerprints, turned], ["relay", "relay"]] as const) {
    const session = randomBytes(32);
    const kind = "tablet";
    const ada: Params = { key: DeviceKey.random(), name: "Ada", kind, versions: [3], path, session };
    const bee: Params = { key: DeviceKey.random(), name: "ü".repeat(32), kind, versions: [65_535], path: opposite, session };
    const { byInitiator, byResponder } = run(ada, bee);
    expect(byInitiator).toMatchObject({ id: bee.key.id, name: bee.name, kind, versions: [65_535] });
    expect(byResponder).toMatchObject({ id: ada.key.id, name: ada.name, kind, versions: [3] });
    expect(byInitiator.transcript).toEqual(byResponder.transcript);
  }
});

for (const which of ["first", "second", "third"] as const) {
  const right = GOLDEN[which];

  test(`a changed byte anywhere in the ${which} message ends the handshake`, () => {
    const taken = [...right.keys()].filter((index) => {
      const changes = { [which]: changedAt(index, 1 << (index % 8)) };
      return !refuses(() => run(INITIATOR, RESPONDER, changes));
    });
    expect(taken).toEqual([]);
  });

  test(`any other length of the ${which} message ends the handshake`, () => {
    const padded = Buffer.concat([right, Buffer.alloc(600)]);
    const lengths = [...right.keys(), right.length + 1, right.length + 16, 512, 513, padded.length];
    const taken = lengths.filter((length) => {
      const changes = { [which]: () => padded.subarray(0, length) };
      return !refuses(() => run(INITIATOR, RESPONDER, changes));
    });
    expect(taken).toEqual([]);
  });
}

/** Whether a handshake ends as it should. Playwright writes down each `expect`, which takes a while. */
function refuses(handshake: () => void): boolean {
  try {
    handshake();
    return false;
  } catch (error) {
    return String(error).startsWith("Error: handshake: ");
  }
}

/** Makes another buffer, which differs in one byte. */
function changedAt(index: number, by = 1): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const changed = Buffer.from(bytes);
    changed[index]! ^= by;
    return changed;
  };
}

test("ends that were told different things never agree", () => {
  const other = Buffer.alloc(32, 7);
  const differences: Record<string, (path: Certificates) => Partial<Params>> = {
    "its own certificate": ({ remote }) => ({ path: { local: other, remote } }),
    "the other's certificate": ({ local }) => ({ path: { local, remote: other } }),
    "the certificates in turn": ({ local, remote }) => ({ path: { local: remote, remote: local } }),
    "the path": () => ({ path: "relay" }),
    "the session": () => ({ session: other }),
  };
  for (const [what, difference] of Object.entries(differences)) {
    const misled = (params: Params): Params => but(params, difference(params.path as Certificates));
    expect(() => run(misled(INITIATOR), RESPONDER), `an initiator: ${what}`).toThrow("does not decrypt");
    expect(() => run(INITIATOR, misled(RESPONDER)), `a responder: ${what}`).toThrow("does not decrypt");
  }
});

test("two ends of the same role never agree", () => {
  const [one, other] = [new Handshake("initiator", INITIATOR), new Handshake("initiator", RESPONDER)];
  const first = one.begin();
  other.begin();
  expect(() => other.read(first)).toThrow(/^handshake: /);
  expect(() => new Handshake("responder", RESPONDER).begin()).toThrow("only an initiator begins");
  expect(() => new Handshake("responder", RESPONDER).read(GOLDEN.second)).toThrow("a first message of 268 bytes");
});

test("an end takes no message after the last, and none after a wrong one", () => {
  const initiator = new Handshake("initiator", INITIATOR);
  initiator.begin();
  initiator.read(GOLDEN.second);
  expect(() => initiator.read(GOLDEN.second)).toThrow("none was due");

  const responder = new Handshake("responder", RESPONDER);
  responder.read(GOLDEN.first);
  expect(() => responder.read(GOLDEN.second)).toThrow("does not decrypt");
  expect(() => responder.read(GOLDEN.third)).toThrow("none was due");
});

test("nobody passes for another device", () => {
  const mallory = DeviceKey.random();
  for (const [what, forgery, why] of [
    ["another's public key", { publicKey: mallory.publicKey }, "the signature of the proof"],
    ["another's proof", { proofKey: mallory }, "the signature of the proof"],
    ["another's card", { cardKey: mallory }, "the signature of the card"],
    ["a key that is no point", { publicKey: Buffer.concat([Buffer.from([2]), Buffer.alloc(31)]) }, "no point of the curve"],
    ["a key of small order", { publicKey: Buffer.alloc(32) }, "of small order"],
    ["a key in another spelling", { publicKey: Buffer.from(`f0${"ff".repeat(30)}7f`, "hex") }, "not canonical"],
    ["a proof of another prologue", { proofOver: changedAt(50) }, "the signature of the proof"],
    ["a proof of the other role", { proofOver: changedAt(109) }, "the signature of the proof"],
    ["a proof of another static key", { proofOver: changedAt(110) }, "the signature of the proof"],
  ] satisfies [string, Params["forgery"], string][]) {
    expect(() => run(but(INITIATOR, { forgery }), RESPONDER), `an initiator with ${what}`).toThrow(why);
    expect(() => run(INITIATOR, but(RESPONDER, { forgery })), `a responder with ${what}`).toThrow(why);
  }
  expect(() => run(INITIATOR, but(RESPONDER, { key: INITIATOR.key })), "an end itself").toThrow("our own key");
  const mirror = Buffer.alloc(32, 1);
  const reflected = but(INITIATOR, { path: { local: mirror, remote: mirror } });
  expect(() => new Handshake("initiator", reflected), "its own certificate").toThrow("the same fingerprint");
});

test("X25519 keys of small order end the handshake", () => {
  for (const point of [
    "00".repeat(32),
    `01${"00".repeat(31)}`,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    `ec${"ff".repeat(30)}7f`,
    `ed${"ff".repeat(30)}7f`,
    `ee${"ff".repeat(30)}7f`,
  ]) {
    const key = Buffer.from(point, "hex");
    expect(() => run(INITIATOR, RESPONDER, { first: () => key }), point).toThrow("X25519 key of small order");
    const second = (message: Buffer): Buffer => Buffer.concat([key, message.subarray(32)]);
    expect(() => run(INITIATOR, RESPONDER, { second }), point).toThrow("X25519 key of small order");
  }
});

test("Ed25519 keys of nobody are refused", () => {
  for (const y of [
    `00${"00".repeat(30)}00`,
    `01${"00".repeat(30)}00`,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ...["ec", "ed", "ee", "ef", "f0", "f1", "ff"].map((low) => `${low}${"ff".repeat(30)}7f`),
  ]) {
    for (const sign of [0, 0x80]) {
      const key = Buffer.from(y, "hex");
      key[31]! |= sign;
      expect(() => checkPublicKey(key), key.toString("hex")).toThrow(/^handshake: a public key /);
    }
  }
  for (let count = 0; count < 20; count += 1) {
    checkPublicKey(DeviceKey.random().publicKey);
  }
});

test("a payload outside its limits ends the handshake", () => {
  const without = (bytes: number) => (payload: Buffer) => payload.subarray(0, payload.length - bytes);
  const more = (payload: Buffer): Buffer => Buffer.concat([payload, Buffer.alloc(1)]);
  for (const [what, difference] of [
    ["no versions", { versions: [] }],
    ["17 versions", { versions: Array.from({ length: 17 }, (_, index) => index) }],
    ["no name", { name: "" }],
    ["a name of 65 bytes", { name: "n".repeat(65) }],
    ["a name that hides a part", { name: "Ada\u{202e}" }],
    ["a name with white space around it", { name: " Ada" }],
    ["a name of two lines", { name: "Ada\nBee" }],
    ["a byte missing", { forgery: { payload: without(1) } }],
    ["the card missing", { forgery: { payload: without(71) } }],
    ["nothing", { forgery: { payload: () => Buffer.alloc(0) } }],
    ["a byte left over", { forgery: { payload: more } }],
  ] satisfies [string, Partial<Params>][]) {
    expect(() => run(INITIATOR, but(RESPONDER, difference)), what).toThrow(/^handshake: /);
    expect(() => run(but(INITIATOR, difference), RESPONDER), what).toThrow(/^handshake: /);
  }
});

test("a description has exactly one fingerprint", () => {
  const digits = (byte: string): string => Array.from({ length: 32 }, () => byte).join(":");
  const one = `a=fingerprint:sha-256 ${digits("AB")}`;
  const taken = Buffer.alloc(32, 0xab);
  expect(fingerprintOf(`v=0\r\n${one}\r\na=setup:actpass\r\n`)).toEqual(taken);
  expect(fingerprintOf(`${one}\ra=mid:0\n${one.toLowerCase()}`)).toEqual(taken);
  expect(fingerprintOf(`a=fingerprint:SHA-256 ${digits("ab")}`)).toEqual(taken);
  for (const wrong of [
    "v=0",
    `${one}\ra=fingerprint:sha-256 ${digits("AC")}`,
    `${one}\r\na=fingerprint:sha-1 ${digits("AB").slice(0, 59)}`,
    `${one}\r\na=Fingerprint:sha-256 ${digits("AB")}`,
    `${one}\r\n a=fingerprint:sha-256 ${digits("AB")}`,
    `${one}\r\ni=no FINGERPRINT`,
    `${one} `,
    `${one}:AB`,
    one.slice(0, -1),
    one.replace("AB", "A"),
    one.replace(":AB", "AB"),
    one.replace(" ", "  "),
  ]) {
    expect(() => fingerprintOf(wrong), JSON.stringify(wrong)).toThrow(/^handshake: /);
  }
});

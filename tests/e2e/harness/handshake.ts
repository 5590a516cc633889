// The handshake as docs/protocol.md tells it, written a second time: what this and the extension agree on follows from the
// document, not from one program. Uses Node's cryptography, and BLAKE3 from @noble/hashes. Honest unless told to forge.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto";

import { blake3 } from "@noble/hashes/blake3.js";

export type Role = "initiator" | "responder";

/** What both ends connect by. Fingerprints have 32 bytes each. */
export type Path = "relay" | { local: Buffer; remote: Buffer };

/** One end of a handshake. Versions and name are written as they are, also if no reader takes them. */
export interface Params {
  key: DeviceKey;
  name: string;
  kind: DeviceKind;
  versions: number[];
  path: Path;
  /** 32 bytes. */
  session: Buffer;
  /** The X25519 secrets of this handshake, 32 bytes each: random ones unless given. */
  secrets?: { fixed: Buffer; ephemeral: Buffer };
  forgery?: Forgery;
}

/** What a dishonest end does otherwise. */
export interface Forgery {
  /** Is shown instead of the device's public key. */
  publicKey?: Buffer;
  /** Signs the card instead of the device's key. */
  cardKey?: DeviceKey;
  /** Signs the proof instead of the device's key. */
  proofKey?: DeviceKey;
  /** Makes what is signed as the proof of prologue, role and static key. */
  proofOver?: (honest: Buffer) => Buffer;
  /** Makes what is sent of the whole payload. */
  payload?: (honest: Buffer) => Buffer;
}

/** The other end, once it has proved who it is. */
export interface Verified {
  publicKey: Buffer;
  id: string;
  name: string;
  kind: DeviceKind;
  versions: number[];
  /** The Noise handshake hash, the same at both ends. */
  transcript: Buffer;
}

/** What a message led to. */
export interface Progress {
  /** Goes to the other end. */
  reply?: Buffer;
  /** The other end is verified. An initiator that wants a certain device looks at it before it sends the reply. */
  verified?: Verified;
}

const DEVICE_KINDS = ["other", "computer", "phone", "tablet"] as const;
export type DeviceKind = (typeof DEVICE_KINDS)[number];

const MESSAGE_BYTES = 512;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const SIGNATURE_BYTES = 64;
const NAME_BYTES = 64;
const VERSIONS = 16;
/** What a signature is for stands before what is signed. */
const CARD_DOMAIN = "tabferry-device-card-v1";
const PROOF_DOMAIN = "tabferry-noise-static-v1";
const NOTHING = Buffer.alloc(0);

/** The key that a device is known by. */
export class DeviceKey {
  readonly publicKey: Buffer;
  readonly id: string;
  private readonly secret: KeyObject;

  private constructor(seed: Buffer) {
    this.secret = secretKey("ed25519", seed);
    this.publicKey = publicBytes(this.secret);
    this.id = deviceId(this.publicKey);
  }

  static random(): DeviceKey {
    return new DeviceKey(randomBytes(KEY_BYTES));
  }

  /** The key made of these 32 bytes. */
  static fromSeed(seed: Buffer): DeviceKey {
    return new DeviceKey(seed);
  }

  /** Signs bytes for one purpose. */
  sign(domain: string, bytes: Buffer): Buffer {
    return sign(null, Buffer.concat([ascii(domain), bytes]), this.secret);
  }
}

/** One end of one handshake. Throws at whatever ends it, and then takes no further message. */
export class Handshake {
  private readonly role: Role;
  private readonly params: Params;
  private readonly prologue: Buffer;
  private readonly noise: Noise;
  private readonly fixed: Exchange;
  private readonly ephemeral: Exchange;
  /** The other end's ephemeral key. */
  private theirs: Buffer = NOTHING;
  private next: "begin" | "first" | "second" | "third" | "none";

  constructor(role: Role, params: Params) {
    this.role = role;
    this.params = params;
    this.prologue = prologueOf(role, params.path, params.session);
    this.noise = new Noise("Noise_XX_25519_ChaChaPoly_SHA256", this.prologue);
    this.fixed = new Exchange(params.secrets?.fixed ?? randomBytes(KEY_BYTES));
    this.ephemeral = new Exchange(params.secrets?.ephemeral ?? randomBytes(KEY_BYTES));
    this.next = role === "initiator" ? "begin" : "first";
  }

  /** The first message, which an initiator sends of itself. */
  begin(): Buffer {
    check(this.next === "begin", "only an initiator begins, and once");
    this.next = "second";
    this.noise.mixHash(this.ephemeral.publicKey);
    // Noise mixes in every payload, also one that is empty and not yet encrypted.
    this.noise.mixHash(NOTHING);
    return Buffer.from(this.ephemeral.publicKey);
  }

  /** Takes a message of the other end. */
  read(message: Buffer): Progress {
    const { next } = this;
    this.next = "none";
    check(message.length <= MESSAGE_BYTES, `a message of ${message.length} bytes`);
    switch (next) {
      case "first": {
        this.readFirst(message);
        const reply = this.writeSecond();
        this.next = "third";
        return { reply };
      }
      case "second": {
        const peer = this.readSecond(message);
        const reply = this.writeThird();
        return { reply, verified: { ...peer, transcript: this.noise.hash } };
      }
      case "third": {
        const peer = this.readThird(message);
        return { verified: { ...peer, transcript: this.noise.hash } };
      }
      default:
        throw new Error("handshake: a message when none was due");
    }
  }

  private readFirst(message: Buffer): void {
    check(message.length === KEY_BYTES, `a first message of ${message.length} bytes`);
    this.theirs = Buffer.from(message);
    this.noise.mixHash(this.theirs);
    this.noise.mixHash(NOTHING);
  }

  private writeSecond(): Buffer {
    this.noise.mixHash(this.ephemeral.publicKey);
    this.noise.mixKey(this.ephemeral.with(this.theirs));
    const fixed = this.noise.seal(this.fixed.publicKey);
    this.noise.mixKey(this.fixed.with(this.theirs));
    return Buffer.concat([this.ephemeral.publicKey, fixed, this.noise.seal(this.payload())]);
  }

  private readSecond(message: Buffer): Peer {
    const from = new Reader(message);
    this.theirs = Buffer.from(from.take(KEY_BYTES));
    this.noise.mixHash(this.theirs);
    this.noise.mixKey(this.ephemeral.with(this.theirs));
    const theirFixed = this.noise.open(from.take(KEY_BYTES + TAG_BYTES));
    this.noise.mixKey(this.ephemeral.with(theirFixed));
    return this.verifyPayload(this.noise.open(from.rest()), theirFixed);
  }

  private writeThird(): Buffer {
    const fixed = this.noise.seal(this.fixed.publicKey);
    this.noise.mixKey(this.fixed.with(this.theirs));
    return Buffer.concat([fixed, this.noise.seal(this.payload())]);
  }

  private readThird(message: Buffer): Peer {
    const from = new Reader(message);
    const theirFixed = this.noise.open(from.take(KEY_BYTES + TAG_BYTES));
    this.noise.mixKey(this.ephemeral.with(theirFixed));
    return this.verifyPayload(this.noise.open(from.rest()), theirFixed);
  }

  private payload(): Buffer {
    const { key, name, kind, versions, forgery = {} } = this.params;
    const proofOver = proofOf(this.prologue, this.role, this.fixed.publicKey);
    const payload = Buffer.concat([
      forgery.publicKey ?? key.publicKey,
      (forgery.proofKey ?? key).sign(PROOF_DOMAIN, forgery.proofOver?.(proofOver) ?? proofOver),
      Buffer.from([versions.length]),
      ...versions.map(littleEndian),
      signedCard(forgery.cardKey ?? key, name, kind),
    ]);
    return forgery.payload?.(payload) ?? payload;
  }

  private verifyPayload(payload: Buffer, theirFixed: Buffer): Peer {
    const from = new Reader(payload);
    const publicKey = from.take(KEY_BYTES);
    const proof = from.take(SIGNATURE_BYTES);
    const count = from.byte();
    check(count >= 1 && count <= VERSIONS, `${count} versions`);
    const versions = Array.from({ length: count }, () => from.take(2).readUInt16LE());
    const card = from.rest();
    const { name, kind } = readCard(card);

    check(!publicKey.equals(this.params.key.publicKey), "the other end has our own key");
    checkPublicKey(publicKey);
    const other = this.role === "initiator" ? "responder" : "initiator";
    const proofOver = proofOf(this.prologue, other, theirFixed);
    checkSignature("the proof", publicKey, PROOF_DOMAIN, proofOver, proof);
    checkSignature("the card", publicKey, CARD_DOMAIN, card.subarray(SIGNATURE_BYTES), card.subarray(0, SIGNATURE_BYTES));
    return { publicKey, id: deviceId(publicKey), name, kind, versions };
  }
}

type Peer = Omit<Verified, "transcript">;

/** The one SHA-256 fingerprint of a session description. Throws unless there is exactly one and nothing beside it. */
export function fingerprintOf(sdp: string): Buffer {
  const found = new Set<string>();
  for (const line of sdp.split(/[\r\n]/)) {
    if (/fingerprint/i.test(line)) {
      const digits = /^a=fingerprint:[Ss][Hh][Aa]-256 ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31})$/.exec(line)?.[1];
      check(digits !== undefined, `a line that is no SHA-256 fingerprint: ${JSON.stringify(line)}`);
      found.add(digits.toLowerCase());
    }
  }
  const [digits, ...others] = found;
  check(digits !== undefined, "a description without a fingerprint");
  check(others.length === 0, "a description with several fingerprints");
  return Buffer.from(digits.replaceAll(":", ""), "hex");
}

/** Both ends mix this in, so that they agree on it or on nothing. */
export function prologueOf(role: Role, path: Path, session: Buffer): Buffer {
  check(session.length === 32, `a session of ${session.length} bytes`);
  const zeros = Buffer.alloc(32);
  const { local, remote } = path === "relay" ? { local: zeros, remote: zeros } : path;
  check(local.length === 32 && remote.length === 32, "a fingerprint that has not 32 bytes");
  check(path === "relay" || !local.equals(remote), "both ends have the same fingerprint");
  const [initiator, responder] = role === "initiator" ? [local, remote] : [remote, local];
  return Buffer.concat([
    ascii("tabferry/1"),
    Buffer.from([path === "relay" ? 2 : 1]),
    session,
    ascii("I"),
    initiator,
    ascii("R"),
    responder,
  ]);
}

/** The id that follows from a public key, as it is written. */
export function deviceId(publicKey: Buffer): string {
  const context = ascii("tabferry device id v1");
  return base32(Buffer.from(blake3(publicKey, { context, dkLen: 16 })));
}

/** Base 32 of RFC 4648 in lower case, as ids are written. */
export function base32(bytes: Buffer): string {
  const digits = "abcdefghijklmnopqrstuvwxyz234567";
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{1,5}/g)!.map((five) => digits[parseInt(five.padEnd(5, "0"), 2)]).join("");
}

/** The bytes of an id. */
export function bytesOf(id: string): Buffer {
  const digits = "abcdefghijklmnopqrstuvwxyz234567";
  const bits = [...id].map((character) => digits.indexOf(character).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g)!.map((eight) => parseInt(eight, 2)));
}

/** Name and kind of a device, signed. */
export function signedCard(key: DeviceKey, name: string, kind: DeviceKind): Buffer {
  const text = Buffer.from(name, "utf8");
  const signed = Buffer.concat([Buffer.from([DEVICE_KINDS.indexOf(kind), text.length]), text]);
  return Buffer.concat([key.sign(CARD_DOMAIN, signed), signed]);
}

/** What a card says, whoever signed it. */
function readCard(card: Buffer): { name: string; kind: DeviceKind } {
  const from = new Reader(card);
  from.take(SIGNATURE_BYTES);
  const kind = DEVICE_KINDS[from.byte()] ?? "other";
  const length = from.byte();
  check(length >= 1 && length <= NAME_BYTES, `a name of ${length} bytes`);
  const text = from.rest();
  check(text.length === length, `${text.length} bytes where a name of ${length} stands`);
  const name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
  // Variation selectors are not seen either, but emojis have them.
  const hidden = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]|(?!\p{Variation_Selector})\p{Default_Ignorable_Code_Point}/u;
  check(!hidden.test(name) && name.trim() === name, `a device that is called ${JSON.stringify(name)}`);
  return { name, kind };
}

/** What an end signs to tie its static key to its device and to this handshake. */
function proofOf(prologue: Buffer, role: Role, fixed: Buffer): Buffer {
  return Buffer.concat([prologue, ascii(role === "initiator" ? "I" : "R"), fixed]);
}

/** The symmetric half of Noise: section 5 of its specification, without what comes after a handshake. */
class Noise {
  /** Of all that was said so far. */
  hash: Buffer;
  private chain: Buffer;
  private key: Buffer | undefined;
  private nonce = 0n;

  constructor(protocol: string, prologue: Buffer) {
    // A name that has as many bytes as the hash stands for itself.
    this.hash = ascii(protocol);
    check(this.hash.length === 32, "a protocol whose name has not 32 bytes");
    this.chain = this.hash;
    this.mixHash(prologue);
  }

  mixHash(bytes: Buffer): void {
    this.hash = createHash("sha256").update(this.hash).update(bytes).digest();
  }

  mixKey(secret: Buffer): void {
    const hmac = (key: Buffer, ...parts: Buffer[]): Buffer =>
      createHmac("sha256", key).update(Buffer.concat(parts)).digest();
    const base = hmac(this.chain, secret);
    this.chain = hmac(base, Buffer.from([1]));
    this.key = hmac(base, this.chain, Buffer.from([2]));
    this.nonce = 0n;
  }

  /** Encrypts, with all that was said before as associated data. */
  seal(plain: Buffer): Buffer {
    const cipher = createCipheriv("chacha20-poly1305", this.key!, this.nextNonce(), { authTagLength: TAG_BYTES });
    cipher.setAAD(this.hash, { plaintextLength: plain.length });
    const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    this.mixHash(sealed);
    return sealed;
  }

  open(sealed: Buffer): Buffer {
    check(sealed.length >= TAG_BYTES, "a message that is too short");
    const bytes = sealed.length - TAG_BYTES;
    const cipher = createDecipheriv("chacha20-poly1305", this.key!, this.nextNonce(), { authTagLength: TAG_BYTES });
    cipher.setAAD(this.hash, { plaintextLength: bytes }).setAuthTag(sealed.subarray(bytes));
    const start = cipher.update(sealed.subarray(0, bytes));
    let end: Buffer;
    try {
      end = cipher.final();
    } catch (cause) {
      throw new Error("handshake: a message that does not decrypt", { cause });
    }
    this.mixHash(sealed);
    return Buffer.concat([start, end]);
  }

  private nextNonce(): Buffer {
    const bytes = Buffer.alloc(12);
    bytes.writeBigUInt64LE(this.nonce, 4);
    this.nonce += 1n;
    return bytes;
  }
}

/** An X25519 key. */
class Exchange {
  readonly publicKey: Buffer;
  private readonly secret: KeyObject;

  constructor(secret: Buffer) {
    this.secret = secretKey("x25519", secret);
    this.publicKey = publicBytes(this.secret);
  }

  /** What only the two ends of an exchange know. */
  with(publicBytes: Buffer): Buffer {
    let shared: Buffer;
    try {
      shared = diffieHellman({ privateKey: this.secret, publicKey: publicKey("x25519", publicBytes) });
    } catch (cause) {
      // OpenSSL fails by itself at a result of zeros.
      throw new Error("handshake: an X25519 key of small order", { cause });
    }
    check(shared.some((byte) => byte !== 0), "an X25519 key of small order");
    return shared;
  }
}

/** RFC 8410: what stands before the 32 bytes of a key in DER. */
const DER = {
  x25519: { secret: "302e020100300506032b656e04220420", public: "302a300506032b656e032100" },
  ed25519: { secret: "302e020100300506032b657004220420", public: "302a300506032b6570032100" },
} as const;

function secretKey(algorithm: keyof typeof DER, bytes: Buffer): KeyObject {
  check(bytes.length === KEY_BYTES, `a secret key of ${bytes.length} bytes`);
  const key = Buffer.concat([Buffer.from(DER[algorithm].secret, "hex"), bytes]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

function publicKey(algorithm: keyof typeof DER, bytes: Buffer): KeyObject {
  check(bytes.length === KEY_BYTES, `a public key of ${bytes.length} bytes`);
  const key = Buffer.concat([Buffer.from(DER[algorithm].public, "hex"), bytes]);
  return createPublicKey({ key, format: "der", type: "spki" });
}

function publicBytes(secret: KeyObject): Buffer {
  return createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-KEY_BYTES);
}

/** The field of edwards25519, and what its curve equation -x² + y² = 1 + dx²y² needs. */
const P = 2n ** 255n - 19n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/** The y of all eight points whose order divides 8. */
const SMALL_ORDER_Y = new Set([
  0n,
  1n,
  P - 1n,
  yOf(Buffer.from("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "hex")),
  yOf(Buffer.from("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "hex")),
]);

/** The y of an encoded point of edwards25519, not reduced. */
function yOf(point: Buffer): bigint {
  const bits = BigInt(`0x${Buffer.from(point).reverse().toString("hex")}`);
  return BigInt.asUintN(255, bits);
}

/** OpenSSL takes any spelling of any point; two devices must not be one, and a key that fits every signature is none. */
export function checkPublicKey(key: Buffer): void {
  const y = yOf(key);
  check(y < P, "a public key that is not canonical");
  // x² = u / v is a square exactly if u·v is one. The only points whose x has no sign are of small order.
  const [u, v] = [y * y - 1n, D * y * y + 1n];
  check(power(u * v, (P - 1n) / 2n) <= 1n, "a public key that is no point of the curve");
  check(!SMALL_ORDER_Y.has(y), "a public key of small order");
}

function checkSignature(what: string, key: Buffer, domain: string, bytes: Buffer, signature: Buffer): void {
  check(!SMALL_ORDER_Y.has(yOf(signature.subarray(0, 32)) % P), `a point of small order in the signature of ${what}`);
  const signed = Buffer.concat([ascii(domain), bytes]);
  // OpenSSL works without the cofactor, and compares encodings, so it refuses a point that is not canonical.
  check(verify(null, signed, publicKey("ed25519", key), signature), `the signature of ${what} does not verify`);
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = ((base % P) + P) % P, left = exponent; left > 0n; left >>= 1n, square = (square * square) % P) {
    if (left & 1n) {
      result = (result * square) % P;
    }
  }
  return result;
}

/** Reads bytes from their beginning. */
class Reader {
  private left: Buffer;

  constructor(bytes: Buffer) {
    this.left = bytes;
  }

  take(bytes: number): Buffer {
    check(this.left.length >= bytes, `${this.left.length} bytes where ${bytes} are needed`);
    const taken = this.left.subarray(0, bytes);
    this.left = this.left.subarray(bytes);
    return taken;
  }

  byte(): number {
    return this.take(1).readUInt8();
  }

  rest(): Buffer {
    return this.take(this.left.length);
  }
}

function littleEndian(version: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(version);
  return bytes;
}

function ascii(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function check(fits: boolean, otherwise: string): asserts fits {
  if (!fits) {
    throw new Error(`handshake: ${otherwise}`);
  }
}

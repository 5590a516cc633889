// A peer that speaks the protocol and does not keep to it: real signaling, a real peer connection in a browser without
// the extension, and frames made by hand (docs/protocol.md).

import { randomBytes } from "node:crypto";
import { once } from "node:events";

import { type Browser, chromium, type Page } from "@playwright/test";
import { WebSocket } from "ws";

import { chromiumProgram } from "./environment.ts";
import { base32, bytesOf, DeviceKey, fingerprintOf, Handshake, type Params } from "./handshake.ts";
import type { SignalingServer } from "./signaling.ts";

/** Kinds of control frames. */
export const FRAME = {
  handshake: 1,
  close: 2,
  propose: 3,
  accept: 5,
  decline: 6,
  credit: 7,
  entryDone: 8,
  entryStored: 9,
  cancel: 10,
} as const;

/** What a transfer would be resumed under. */
export function resumeId(): string {
  return base32(randomBytes(16));
}

/** A control frame as it arrived. */
interface Frame {
  kind: number;
  bytes: Buffer;
}

/** What the page offers to evaluated code. */
interface Peer {
  open(): Promise<string>;
  signal(signal: Record<string, unknown>): Promise<void>;
  send(channel: "control" | "bulk", base64: string): void;
  descriptions(): { local: string; remote: string };
  opened: Promise<void>;
}

/** The peer. */
export class HostilePeer {
  /** Control frames received on the present connection. */
  private frames: Frame[] = [];
  private readonly peers = new Map<string, string>();
  private readonly waiting = new Set<() => void>();
  private readonly key = DeviceKey.random();
  private connection = "";
  /** The victim's half of the session. */
  private nonce = "";
  private victim = "";
  /** Whether the present connection's channels are open. */
  private open = false;

  private readonly name: string;
  private readonly browser: Browser;
  private readonly page: Page;
  private readonly socket: WebSocket;

  private constructor(name: string, browser: Browser, page: Page, socket: WebSocket) {
    this.name = name;
    this.browser = browser;
    this.page = page;
    this.socket = socket;
    socket.on("message", (data: Buffer) => this.hear(JSON.parse(data.toString("utf8"))));
  }

  /** Joins the nearby room of a server under a name. */
  static async start(server: SignalingServer, name: string): Promise<HostilePeer> {
    const browser = await chromium.launch({
      executablePath: chromiumProgram(),
      chromiumSandbox: process.getuid?.() !== 0,
      args: ["--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns"],
    });
    const socket = new WebSocket(`${server.url}/v1/signal`);
    await once(socket, "open");
    const page = await browser.newPage();
    const peer = new HostilePeer(name, browser, page, socket);
    await page.exposeFunction("peerSays", (signal: Record<string, unknown>) => peer.signalVictim(signal));
    await page.exposeFunction("peerHears", (base64: string) => peer.hearFrame(Buffer.from(base64, "base64")));
    await page.exposeFunction("peerClosed", () => peer.close());
    await page.evaluate(installPeer);
    peer.say({ type: "hello", versions: [1], endpoint: "browser" });
    peer.say({ type: "join", room: { kind: "nearby" }, device: peer.card });
    return peer;
  }

  /** Connects to the device with this name and proves its key as the protocol wants it. */
  async connect(device: string): Promise<void> {
    await this.openChannels(device);
    const handshake = new Handshake("initiator", await this.params());
    await this.raw("control", Buffer.concat([Buffer.from([FRAME.handshake]), handshake.begin()]));
    const { reply } = handshake.read(await this.bytes(FRAME.handshake));
    await this.raw("control", Buffer.concat([Buffer.from([FRAME.handshake]), reply!]));
  }

  /** Connects to the device with this name and says nothing. */
  async openChannels(device: string): Promise<void> {
    await this.until(() => this.peers.has(device), `${device} in the room`);
    this.victim = this.peers.get(device)!;
    this.connection = base32(randomBytes(16));
    this.frames = [];
    const sdp = await this.page.evaluate(() => (globalThis as unknown as { peer: Peer }).peer.open());
    this.signalVictim({ signal: "offer", sdp });
    await this.page.evaluate(() => (globalThis as unknown as { peer: Peer }).peer.opened);
    this.open = true;
  }

  /** What an honest end knows before the handshake. */
  private async params(): Promise<Params> {
    const descriptions = await this.page.evaluate(() => (globalThis as unknown as { peer: Peer }).peer.descriptions());
    return {
      key: this.key,
      name: this.name,
      kind: "computer",
      versions: [1],
      path: { local: fingerprintOf(descriptions.local), remote: fingerprintOf(descriptions.remote) },
      session: Buffer.concat([bytesOf(this.connection), bytesOf(this.nonce)]),
    };
  }

  /** Sends a control frame. */
  async control(kind: number, body: object): Promise<void> {
    await this.raw("control", Buffer.concat([Buffer.from([kind]), Buffer.from(JSON.stringify(body))]));
  }

  /** Proposes files. */
  async propose(transfer: number, files: { name: string; bytes: number }[]): Promise<void> {
    const entries = files.map((file) => ({ kind: "file", ...file }));
    await this.control(FRAME.propose, { transfer, resume: resumeId(), count: entries.length, entries });
  }

  /** Sends bytes of a file. */
  async bulk(at: { transfer: number; epoch: number; entry: number; offset: number }, data: Buffer): Promise<void> {
    const header = Buffer.alloc(20);
    header.writeUInt32LE(at.transfer, 0);
    header.writeUInt32LE(at.epoch, 4);
    header.writeUInt32LE(at.entry, 8);
    header.writeBigUInt64LE(BigInt(at.offset), 12);
    await this.raw("bulk", Buffer.concat([header, data]));
  }

  /** Sends whatever bytes. */
  async raw(channel: "control" | "bulk", bytes: Buffer): Promise<void> {
    await this.page.evaluate(
      ([channel, base64]) => (globalThis as unknown as { peer: Peer }).peer.send(channel, base64),
      [channel, bytes.toString("base64")] as const,
    );
  }

  /** Sends a signal to the device connected to, or any other message to the server. */
  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Waits for a control frame of a kind. */
  async frame(kind: number): Promise<Record<string, unknown>> {
    return JSON.parse((await this.bytes(kind)).toString("utf8")) as Record<string, unknown>;
  }

  /** Waits for a control frame of a kind, and returns what follows the kind. */
  async bytes(kind: number): Promise<Buffer> {
    await this.until(
      () => this.frames.some((frame) => frame.kind === kind),
      `a frame of kind ${kind}`,
      () => `heard: ${this.frames.map((frame) => `${frame.kind} ${frame.bytes.toString("latin1")}`).join(", ")}`,
    );
    return this.frames.find((frame) => frame.kind === kind)!.bytes;
  }

  /** Waits until the other end has closed the connection, and returns the code that it gave. */
  async closedWith(): Promise<unknown> {
    const { code } = await this.frame(FRAME.close);
    await this.until(() => !this.open, "the end of the connection");
    return code;
  }

  /** Leaves. */
  async stop(): Promise<void> {
    this.socket.close();
    await this.browser.close();
  }

  private get card(): object {
    return { id: this.key.id, name: this.name, kind: "computer" };
  }

  private signalVictim(signal: Record<string, unknown>): void {
    this.say({ type: "signal", to: this.victim, signal: { connection: this.connection, ...signal } });
  }

  private hear(message: { type: string; [field: string]: unknown }): void {
    const member = (peer: { id: string; device: { name: string } }): unknown => this.peers.set(peer.device.name, peer.id);
    switch (message.type) {
      case "joined":
        (message["peers"] as Parameters<typeof member>[0][]).forEach(member);
        break;
      case "peer-joined":
      case "peer-updated":
        member(message["peer"] as Parameters<typeof member>[0]);
        break;
      case "signal": {
        const signal = message["signal"] as Record<string, unknown>;
        if (signal["connection"] === this.connection) {
          this.nonce = String(signal["nonce"] ?? this.nonce);
          void this.page.evaluate(
            (signal) => (globalThis as unknown as { peer: Peer }).peer.signal(signal),
            signal,
          ).catch(() => undefined);
        }
      }
    }
    this.changed();
  }

  private hearFrame(bytes: Buffer): void {
    this.frames.push({ kind: bytes[0]!, bytes: bytes.subarray(1) });
    this.changed();
  }

  private close(): void {
    this.open = false;
    this.changed();
  }

  private changed(): void {
    for (const look of [...this.waiting]) {
      look();
    }
  }

  private async until(fits: () => boolean, what: string, told: () => string = () => ""): Promise<void> {
    if (fits()) {
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (fits()) {
          clearTimeout(patience);
          this.waiting.delete(look);
          resolve();
        }
      };
      const patience = setTimeout(() => {
        this.waiting.delete(look);
        reject(new Error(`no ${what} within 15 seconds ${told()}`));
      }, 15_000);
      this.waiting.add(look);
    });
  }
}

/** Runs in the page: a peer connection with the two channels of a session. */
function installPeer(): void {
  const scope = globalThis as unknown as {
    peer: Peer;
    peerSays(signal: object): void;
    peerHears(base64: string): void;
    peerClosed(): void;
  };
  let connection: RTCPeerConnection;
  let channels: { control: RTCDataChannel; bulk: RTCDataChannel };
  let early: Record<string, unknown>[] = [];
  const apply = async (signal: Record<string, unknown>): Promise<void> => {
    if (signal["signal"] === "candidate") {
      const sdpMid = (signal["mid"] as string | undefined) ?? "0";
      await connection.addIceCandidate({ candidate: signal["candidate"] as string, sdpMid });
    }
  };
  scope.peer = {
    opened: Promise.resolve(),
    async open() {
      connection?.close();
      connection = new RTCPeerConnection();
      early = [];
      const channel = (label: string, id: number): RTCDataChannel => {
        const made = connection.createDataChannel(label, { negotiated: true, id, ordered: true });
        made.binaryType = "arraybuffer";
        return made;
      };
      channels = { control: channel("control", 0), bulk: channel("bulk", 1) };
      const { control, bulk } = channels;
      const opening = [control, bulk].map(
        (one) => new Promise<void>((resolve) => one.addEventListener("open", () => resolve())),
      );
      scope.peer.opened = Promise.all(opening).then(() => undefined);
      control.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer>) => {
        scope.peerHears(btoa(String.fromCharCode(...new Uint8Array(data))));
      });
      control.addEventListener("close", () => scope.peerClosed());
      connection.addEventListener("icecandidate", ({ candidate }) => {
        if (candidate?.candidate) {
          scope.peerSays({ signal: "candidate", candidate: candidate.candidate, mid: candidate.sdpMid });
        }
      });
      await connection.setLocalDescription();
      return connection.localDescription!.sdp;
    },
    async signal(signal) {
      if (signal["signal"] === "answer") {
        await connection.setRemoteDescription({ type: "answer", sdp: signal["sdp"] as string });
        for (const candidate of early.splice(0)) {
          await apply(candidate);
        }
      } else if (connection.remoteDescription) {
        await apply(signal);
      } else {
        early.push(signal);
      }
    },
    descriptions: () => ({ local: connection.localDescription!.sdp, remote: connection.remoteDescription!.sdp }),
    send(channel, base64) {
      const text = atob(base64);
      channels[channel].send(Uint8Array.from(text, (character) => character.charCodeAt(0)));
    },
  };
}

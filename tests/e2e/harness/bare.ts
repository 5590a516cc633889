// A data channel between pages of two browsers as plain JavaScript makes one, with the real signaling server in between:
// what there would be without Tabferry. It knows nothing of sessions.

import { randomBytes } from "node:crypto";

import type { Page } from "@playwright/test";

import { base32 } from "./handshake.ts";
import type { SignalingServer } from "./signaling.ts";

/** What each page offers to evaluated code. */
export interface BareEnd {
  /** Makes a new connection, and returns how long that took until its channel was open, in milliseconds. */
  connect(id: string): Promise<number>;
  /** Closes the connection, where there is one. */
  close(): void;
  /** The channel of the present connection. */
  channel: RTCDataChannel;
}

/** The two pages. The server must allow their origin. */
export class BareChannel {
  /** The page that makes the offers. */
  readonly offerer: Page;
  /** The page that answers them. */
  readonly answerer: Page;

  private constructor(offerer: Page, answerer: Page) {
    this.offerer = offerer;
    this.answerer = answerer;
  }

  /** Brings the pages together in a room of their own. Nothing is connected yet. With `video` the connections have a section
   * for video, which stays empty: Chromium then gives their sockets larger receive buffers. */
  static async between(offerer: Page, answerer: Page, server: SignalingServer, { video = false } = {}): Promise<BareChannel> {
    const given = { server: server.url, tag: randomId(), video };
    for (const page of [answerer, offerer]) {
      await page.evaluate(installEnd, given);
    }
    return new BareChannel(offerer, answerer);
  }

  /** Makes a new connection, and returns how long that took until the offerer's channel was open, in milliseconds. */
  async connect(): Promise<number> {
    return this.offerer.evaluate((id) => (globalThis as unknown as { bare: BareEnd }).bare.connect(id), randomId());
  }

  /** Closes the connection at both ends. */
  async close(): Promise<void> {
    for (const page of [this.offerer, this.answerer]) {
      await page.evaluate(() => (globalThis as unknown as { bare: BareEnd }).bare.close());
    }
  }
}

function randomId(): string {
  return base32(randomBytes(16));
}

/** Runs in a page: joins the room and answers whoever offers. */
async function installEnd({ server, tag, video }: { server: string; tag: string; video: boolean }): Promise<void> {
  type Signal = Record<string, string>;
  let connection: RTCPeerConnection | undefined;
  /** The present connection's. */
  let id = "";
  let other = "";
  const socket = new WebSocket(`${server}/v1/signal`);
  const say = (message: object): void => socket.send(JSON.stringify(message));
  const open = (as: string): RTCPeerConnection => {
    connection?.close();
    connection = new RTCPeerConnection();
    id = as;
    const channel = connection.createDataChannel("bare", { negotiated: true, id: 0 });
    channel.binaryType = "arraybuffer";
    bare.channel = channel;
    return connection;
  };
  /** Sends the connection's description, and each candidate as it is found. */
  const describe = async (connection: RTCPeerConnection): Promise<void> => {
    const of = id;
    const signal = (signal: Signal): void => say({ type: "signal", to: other, signal: { connection: of, ...signal } });
    let described = (): void => undefined;
    const first = new Promise<void>((resolve) => (described = resolve));
    connection.onicecandidate = async ({ candidate }) => {
      await first;
      if (candidate?.candidate) {
        signal({ signal: "candidate", candidate: candidate.candidate, mid: candidate.sdpMid ?? "0" });
      }
    };
    await connection.setLocalDescription();
    const { type, sdp } = connection.localDescription!;
    signal(type === "offer" ? { signal: type, sdp } : { signal: type, sdp, nonce: tag });
    described();
  };
  const take = async ({ connection: of, signal, sdp, candidate, mid }: Signal): Promise<void> => {
    if (signal !== "offer" && of !== id) {
      // It was on its way while its connection ended.
      return;
    }
    switch (signal) {
      case "offer": {
        const answering = open(of!);
        await answering.setRemoteDescription({ type: "offer", sdp: sdp! });
        await describe(answering);
        break;
      }
      case "answer":
        await connection!.setRemoteDescription({ type: "answer", sdp: sdp! });
        break;
      case "candidate":
        // Not awaited: where the connection closes meanwhile, the browser leaves the promise open for ever.
        connection!.addIceCandidate({ candidate: candidate!, sdpMid: mid! }).catch(() => undefined);
    }
  };

  const bare: BareEnd = {
    async connect(id) {
      const started = performance.now();
      const offering = open(id);
      if (video) {
        offering.addTransceiver("video", { direction: "inactive" });
      }
      const opened = new Promise((resolve) => (bare.channel.onopen = resolve));
      await describe(offering);
      await opened;
      return performance.now() - started;
    },
    close: () => connection?.close(),
    // There is one as soon as there is a connection.
    channel: undefined as unknown as RTCDataChannel,
  };
  Object.assign(globalThis, { bare });

  await new Promise<void>((resolve, reject) => {
    let steps = Promise.resolve();
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      const message = JSON.parse(data) as { type: string; [field: string]: unknown };
      switch (message.type) {
        case "joined":
          other = (message["peers"] as { id: string }[])[0]?.id ?? "";
          resolve();
          break;
        case "peer-joined":
          other = (message["peer"] as { id: string }).id;
          break;
        case "signal":
          steps = steps.then(() => take(message["signal"] as Signal));
      }
    };
    socket.onclose = () => reject(new Error("the signaling server refused a page"));
    socket.onopen = () => {
      say({ type: "hello", versions: [1], endpoint: "page" });
      say({ type: "join", room: { kind: "pair", tag } });
    };
  });
}

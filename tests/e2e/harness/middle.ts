// An attacker between two devices, by the server's grace: for each connection that they try he has two of his own, one to
// each end, in a browser without the extension. He passes on what the ends say, or speaks to each of them himself.

import { type Browser, chromium, type JSHandle } from "@playwright/test";

import { chromiumProgram } from "./environment.ts";
import type { EvilServer, Passage } from "./evil.ts";
import { bytesOf, DeviceKey, fingerprintOf, Handshake } from "./handshake.ts";
import { FRAME } from "./hostile.ts";

/** The end that a connection of his is with. */
type End = "offerer" | "answerer";

type Channel = "control" | "bulk";

/** What the page offers to evaluated code. */
interface Legs {
  /** Answers an end's offer. */
  answer(connection: string, sdp: string): Promise<string>;
  /** Makes an offer for the other end. */
  offer(connection: string): Promise<string>;
  /** Takes that end's answer. */
  settle(connection: string, sdp: string): Promise<void>;
  candidate(connection: string, end: End, candidate: string, mid: string): void;
  send(connection: string, end: End, channel: Channel, base64: string): void;
  descriptions(connection: string, end: End): { local: string; remote: string };
}

/** Both of his connections for one that two devices try. */
interface Between {
  offerer: string;
  answerer: string;
  /** The answerer's half of the session, which he passes on. */
  nonce: string;
  /** His answer, which waits for that. */
  answer: string;
  handshakes: Partial<Record<End, Handshake>>;
}

/** The attacker. */
export class Middle {
  /** Bytes that he has read of frames that say something of what people send. */
  read = 0;
  /** Whether he shakes hands with each end himself, with a device key of his own. */
  speaks = false;

  private stopped = false;
  private readonly key = DeviceKey.random();
  private readonly between = new Map<string, Between>();
  private readonly evil: EvilServer;
  private readonly browser: Browser;
  private readonly legs: JSHandle<Legs>;

  private constructor(evil: EvilServer, browser: Browser, legs: JSHandle<Legs>) {
    this.evil = evil;
    this.browser = browser;
    this.legs = legs;
  }

  /** Takes all signals that a server keeps back for him. */
  static async start(evil: EvilServer): Promise<Middle> {
    const browser = await chromium.launch({
      executablePath: chromiumProgram(),
      chromiumSandbox: process.getuid?.() !== 0,
      args: ["--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns"],
    });
    const page = await browser.newPage();
    const legs = await page.evaluateHandle(installLegs);
    const middle = new Middle(evil, browser, legs);
    await page.exposeFunction("legFound", (connection: string, end: End, candidate: string, mid: string) =>
      middle.say(connection, end, { signal: "candidate", candidate, mid }),
    );
    await page.exposeFunction("legOpened", (connection: string, end: End) => middle.handleOpened(connection, end));
    await page.exposeFunction("legHeard", (connection: string, end: End, channel: Channel, base64: string) =>
      middle.handleFrame(connection, end, channel, Buffer.from(base64, "base64")),
    );
    evil.intercepted = (passage) =>
      void middle.handleSignal(passage).catch((error: unknown) => {
        // Nobody waits for what was on its way when he left.
        if (!middle.stopped) {
          throw error;
        }
      });
    return middle;
  }

  /** Leaves. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.browser.close();
  }

  private async handleSignal({ from, to, signal }: Passage): Promise<void> {
    const { connection } = signal;
    switch (signal.signal) {
      case "offer": {
        const between: Between = { offerer: from, answerer: to, nonce: "", answer: "", handshakes: {} };
        this.between.set(connection, between);
        const sdp = await this.legs.evaluate((legs, id) => legs.offer(id), connection);
        await this.say(connection, "answerer", { signal: "offer", sdp });
        const offer = [connection, String(signal["sdp"])] as const;
        between.answer = await this.legs.evaluate((legs, [id, sdp]) => legs.answer(id, sdp), offer);
        await this.answerIfReady(connection);
        break;
      }
      case "answer": {
        this.between.get(connection)!.nonce = String(signal["nonce"]);
        const answer = [connection, String(signal["sdp"])] as const;
        await this.legs.evaluate((legs, [id, sdp]) => legs.settle(id, sdp), answer);
        await this.answerIfReady(connection);
        break;
      }
      case "candidate": {
        const end: End = this.between.get(connection)!.offerer === from ? "offerer" : "answerer";
        const candidate = [connection, end, String(signal["candidate"]), String(signal["mid"] ?? "0")] as const;
        await this.legs.evaluate((legs, [id, end, line, mid]) => legs.candidate(id, end, line, mid), candidate);
      }
    }
  }

  /** The offerer gets an answer when both are there: his own description, and the other end's half of the session. */
  private async answerIfReady(connection: string): Promise<void> {
    const { answer, nonce } = this.between.get(connection)!;
    if (answer && nonce) {
      await this.say(connection, "offerer", { signal: "answer", sdp: answer, nonce });
    }
  }

  /** Says something to one end in the other one's name. */
  private async say(connection: string, end: End, signal: { signal: string; [field: string]: unknown }): Promise<void> {
    const { offerer, answerer } = this.between.get(connection)!;
    const [from, to] = end === "offerer" ? [answerer, offerer] : [offerer, answerer];
    await this.evil.deliver({ from, to, signal: { connection, ...signal } });
  }

  private async handleOpened(connection: string, end: End): Promise<void> {
    if (this.speaks && end === "answerer") {
      const handshake = await this.handshake(connection, end);
      await this.send(connection, end, "control", frame(handshake.begin()));
    }
  }

  private async handleFrame(connection: string, end: End, channel: Channel, bytes: Buffer): Promise<void> {
    const kind = channel === "control" ? bytes[0] : undefined;
    if (kind !== FRAME.handshake && kind !== FRAME.close) {
      this.read += bytes.length;
    }
    if (!this.speaks) {
      await this.send(connection, end === "offerer" ? "answerer" : "offerer", channel, bytes);
    } else if (kind === FRAME.handshake) {
      const handshake = await this.handshake(connection, end);
      const { reply } = handshake.read(bytes.subarray(1));
      if (reply) {
        await this.send(connection, end, "control", frame(reply));
      }
    }
  }

  /** His handshake with one end. */
  private async handshake(connection: string, end: End): Promise<Handshake> {
    const { handshakes, nonce } = this.between.get(connection)!;
    if (!handshakes[end]) {
      const { local, remote } = await this.legs.evaluate(
        (legs, [id, end]) => legs.descriptions(id, end),
        [connection, end] as const,
      );
      handshakes[end] ??= new Handshake(end === "offerer" ? "responder" : "initiator", {
        key: this.key,
        name: "Whoever you like",
        kind: "computer",
        versions: [1],
        path: { local: fingerprintOf(local), remote: fingerprintOf(remote) },
        session: Buffer.concat([bytesOf(connection), bytesOf(nonce)]),
      });
    }
    return handshakes[end];
  }

  private async send(connection: string, end: End, channel: Channel, bytes: Buffer): Promise<void> {
    await this.legs.evaluate(
      (legs, [id, end, channel, base64]) => legs.send(id, end, channel, base64),
      [connection, end, channel, bytes.toString("base64")] as const,
    );
  }
}

function frame(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([FRAME.handshake]), message]);
}

/** Runs in the page: his peer connections. */
function installLegs(): Legs {
  const scope = globalThis as unknown as {
    legFound(connection: string, end: End, candidate: string, mid: string): void;
    legOpened(connection: string, end: End): void;
    legHeard(connection: string, end: End, channel: Channel, base64: string): void;
  };
  interface Leg {
    raw: RTCPeerConnection;
    channels: Record<Channel, RTCDataChannel>;
    /** Candidates that wait for the other end's description. */
    early: RTCIceCandidateInit[];
  }
  const legs = new Map<string, Leg>();
  const of = (connection: string, end: End): Leg => legs.get(`${connection} ${end}`)!;
  const open = (connection: string, end: End): Leg => {
    const raw = new RTCPeerConnection();
    const channel = (label: Channel, id: number): RTCDataChannel => {
      const made = raw.createDataChannel(label, { negotiated: true, id, ordered: true });
      made.binaryType = "arraybuffer";
      made.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer>) => {
        scope.legHeard(connection, end, label, btoa(String.fromCharCode(...new Uint8Array(data))));
      });
      return made;
    };
    const channels = { control: channel("control", 0), bulk: channel("bulk", 1) };
    const opening = Object.values(channels).map(
      (one) => new Promise<void>((resolve) => one.addEventListener("open", () => resolve())),
    );
    void Promise.all(opening).then(() => scope.legOpened(connection, end));
    channels.control.addEventListener("close", () => raw.close());
    raw.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.candidate) {
        scope.legFound(connection, end, candidate.candidate, candidate.sdpMid ?? "0");
      }
    });
    const leg = { raw, channels, early: [] };
    legs.set(`${connection} ${end}`, leg);
    return leg;
  };
  const describe = async (leg: Leg, type: RTCSdpType, sdp: string): Promise<void> => {
    await leg.raw.setRemoteDescription({ type, sdp });
    for (const candidate of leg.early.splice(0)) {
      await leg.raw.addIceCandidate(candidate);
    }
  };
  return {
    async answer(connection, sdp) {
      const leg = of(connection, "offerer") ?? open(connection, "offerer");
      await describe(leg, "offer", sdp);
      await leg.raw.setLocalDescription();
      return leg.raw.localDescription!.sdp;
    },
    async offer(connection) {
      open(connection, "offerer");
      const leg = open(connection, "answerer");
      await leg.raw.setLocalDescription();
      return leg.raw.localDescription!.sdp;
    },
    settle: (connection, sdp) => describe(of(connection, "answerer"), "answer", sdp),
    candidate(connection, end, candidate, sdpMid) {
      const leg = of(connection, end);
      if (leg.raw.remoteDescription) {
        // Not awaited: where the connection closes meanwhile, the browser leaves the promise open for ever.
        leg.raw.addIceCandidate({ candidate, sdpMid }).catch(() => undefined);
      } else {
        leg.early.push({ candidate, sdpMid });
      }
    },
    send(connection, end, channel, base64) {
      const to = of(connection, end).channels[channel];
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      if (to.readyState === "open") {
        to.send(bytes);
      } else if (to.readyState === "connecting") {
        to.addEventListener("open", () => to.send(bytes));
      }
    },
    descriptions(connection, end) {
      const { raw } = of(connection, end);
      return { local: raw.localDescription!.sdp, remote: raw.remoteDescription!.sdp };
    },
  };
}

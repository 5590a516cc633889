// When things happen to the extension's sessions, seen from outside: it watches the peer connections that the offscreen
// document makes, and knows of a frame only its kind. The extension itself is the one that people install.

import type { Connection } from "./devtools.ts";
import { FRAME } from "./hostile.ts";
import type { Profile } from "./profile.ts";

/** How long one end of a session took to open, in milliseconds. */
export interface Opening {
  /** From making the peer connection until both channels were open. */
  channels: number;
  /** From then until the last message of the handshake that this end reads was read: from here on the other end is verified
   * and frames may be sent. */
  handshake: number;
}

/** What the offscreen document offers to evaluated code. */
interface Watch {
  /** How the next session opens, told once a frame that came after the handshake has been read. */
  next(): Promise<Opening>;
  /** Resolves when the extension has let go of its peer connection. */
  closed(): Promise<void>;
  /** Breaks the connection. */
  breakOff(): void;
}

/** A stopwatch in one profile's offscreen document. */
export class Stopwatch {
  private readonly document: Connection;

  private constructor(document: Connection) {
    this.document = document;
  }

  /** Watches all sessions that begin from now on. */
  static async start(profile: Profile): Promise<Stopwatch> {
    const document = await profile.offscreen();
    await document.evaluate(`(${installWatch})(${FRAME.handshake})`);
    return new Stopwatch(document);
  }

  /** How the next session opens, told once it was of use: a frame that came after the handshake has been read. */
  async next(): Promise<Opening> {
    return this.document.evaluate<Opening>("watch.next()");
  }

  /** Breaks the connection that was watched last, as a network would. */
  async breakOff(): Promise<void> {
    await this.document.evaluate("watch.breakOff()");
  }

  /** Waits until the extension has let go of the connection that was watched last. */
  async closed(): Promise<void> {
    await this.document.evaluate("watch.closed()");
  }

  /** Ends watching. */
  stop(): void {
    this.document.close();
  }
}

/** Runs in the offscreen document. */
function installWatch(handshakeKind: number): void {
  let current: Watched;
  let tell: (opening: Opening) => void = () => undefined;

  class Watched extends RTCPeerConnection {
    readonly letGo: Promise<void>;
    control: RTCDataChannel | undefined;
    private readonly made = performance.now();
    private done: () => void = () => undefined;
    private opened = 0;
    private channelsOpen = 0;
    private handshakeOver = 0;
    /** Messages of the handshake that this end has still to read: the answerer reads two of the three. */
    private unread = 2;

    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      current = this;
      this.letGo = new Promise((resolve) => (this.done = resolve));
    }

    override createOffer(options?: unknown): Promise<never> {
      this.unread = 1;
      return super.createOffer(options as RTCOfferOptions) as Promise<never>;
    }

    override createDataChannel(label: string, options?: RTCDataChannelInit): RTCDataChannel {
      const channel = super.createDataChannel(label, options);
      channel.addEventListener("open", () => {
        this.opened += 1;
        if (this.opened === 2) {
          this.channelsOpen = performance.now();
        }
        if (label === "control") {
          // By now the extension listens too, so that this listener comes after it: what it sees has been handled.
          channel.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer>) => this.handled(new Uint8Array(data)));
        }
      });
      if (label === "control") {
        this.control = channel;
      }
      return channel;
    }

    override close(): void {
      super.close();
      this.done();
    }

    private handled([kind]: Uint8Array): void {
      if (kind === handshakeKind) {
        this.unread -= 1;
        this.handshakeOver = this.unread === 0 ? performance.now() : 0;
      } else if (this.handshakeOver > 0) {
        const { made, channelsOpen, handshakeOver } = this;
        tell({ channels: channelsOpen - made, handshake: handshakeOver - channelsOpen });
      }
    }
  }
  const watch: Watch = {
    next: () => new Promise((resolve) => (tell = resolve)),
    closed: () => current.letGo,
    breakOff: () => current.control!.close(),
  };
  Object.assign(globalThis, { RTCPeerConnection: Watched, watch });
}

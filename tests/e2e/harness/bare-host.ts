// The native host's end of a bare peer connection as a process (`crates/native-host/examples/bare.rs`): the product's settings and
// nothing of the product on top. What there would be without Tabferry.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import type { Page } from "@playwright/test";

import { end, start } from "./cleanup.ts";
import { bareHostProgram } from "./environment.ts";

/** What the program says: its file has the list. */
export interface Report {
  tell: "description" | "candidate" | "open" | "ready" | "received" | "sent" | "closed";
  type?: RTCSdpType;
  sdp?: string;
  candidate?: string;
  mid?: string;
  mb_per_s?: number;
}

/** A running `bare`. */
export class BareHost {
  private readonly process: ChildProcess;
  private readonly waiting: { for: Report["tell"]; resolve: (report: Report) => void; reject: (error: Error) => void }[] = [];
  private carry: (report: Report) => void = () => undefined;

  private constructor(process: ChildProcess) {
    this.process = process;
    createInterface({ input: process.stdout! }).on("line", (line) => this.take(JSON.parse(line) as Report));
    process.once("exit", (code) => {
      for (const { reject } of this.waiting.splice(0)) {
        reject(new Error(`bare ended with code ${code}`));
      }
    });
  }

  /** Starts one. */
  static async start(): Promise<BareHost> {
    const child = start(bareHostProgram(), [], { stdio: ["pipe", "pipe", "inherit"] });
    await once(child, "spawn");
    return new BareHost(child);
  }

  /** Tells it what to do. */
  order(order: object): void {
    this.process.stdin!.write(`${JSON.stringify(order)}\n`);
  }

  /** The next report of a kind, from now on. */
  async report(kind: Report["tell"]): Promise<Report> {
    return new Promise((resolve, reject) => this.waiting.push({ for: kind, resolve, reject }));
  }

  /** Has its descriptions and candidates carried to the other end. */
  onSignal(carry: (report: Report) => void): void {
    this.carry = carry;
  }

  /** Closes its connection and ends it. */
  async stop(): Promise<void> {
    const closed = this.report("closed");
    this.order({ do: "close" });
    await closed;
    await end(this.process);
  }

  private take(report: Report): void {
    if (report.tell === "description" || report.tell === "candidate") {
      this.carry(report);
    }
    const at = this.waiting.findIndex((waiting) => waiting.for === report.tell);
    if (at >= 0) {
      this.waiting.splice(at, 1)[0]!.resolve(report);
    }
  }
}

/** Speed of the bulk channel between two hosts, in MB/s. */
export async function hostToHost(bytes: number, message: number): Promise<number> {
  const [sender, receiver] = await Promise.all([BareHost.start(), BareHost.start()]);
  for (const [from, to] of [
    [sender, receiver],
    [receiver, sender],
  ] as const) {
    from.onSignal((report) => to.order({ do: report.tell, ...report }));
  }
  const open = Promise.all([sender.report("open"), receiver.report("open")]);
  sender.order({ do: "offer" });
  await open;
  const ready = receiver.report("ready");
  receiver.order({ do: "expect", bytes });
  await ready;
  const received = receiver.report("received");
  const sent = sender.report("sent");
  sender.order({ do: "send", bytes, message });
  const speed = (await received).mb_per_s!;
  await sent;
  await Promise.all([sender.stop(), receiver.stop()]);
  return speed;
}

/** Speed of the bulk channel from a page to a host, as plain JavaScript fills it, in MB/s. The page can be used once. */
export async function pageToHost(page: Page, bytes: number, message: number): Promise<number> {
  const host = await BareHost.start();
  await page.exposeFunction("tellHost", (order: object) => host.order(order));
  const open = host.report("open");
  // One after the other: candidates follow their description.
  let carried: Promise<unknown> = page.evaluate(installPage);
  host.onSignal((report) => {
    carried = carried.then(() =>
      page.evaluate((report) => (globalThis as unknown as { bare: PageEnd }).bare.take(report), report),
    );
  });
  await carried;
  await page.evaluate(() => (globalThis as unknown as { bare: PageEnd }).bare.offer());
  await open;
  const ready = host.report("ready");
  host.order({ do: "expect", bytes });
  await ready;
  const received = host.report("received");
  await page.evaluate(([bytes, message]) => (globalThis as unknown as { bare: PageEnd }).bare.send(bytes, message), [
    bytes,
    message,
  ] as const);
  const speed = (await received).mb_per_s!;
  await host.stop();
  return speed;
}

/** What the page offers to evaluated code. */
interface PageEnd {
  offer(): Promise<void>;
  take(report: Report): Promise<void>;
  send(bytes: number, message: number): Promise<void>;
}

/** Runs in a page. */
function installPage(): void {
  const { tellHost } = globalThis as unknown as { tellHost: (order: object) => void };
  const connection = new RTCPeerConnection();
  const channel = connection.createDataChannel("bulk", { negotiated: true, id: 1 });
  // The host's other channel, which it makes like the product does.
  connection.createDataChannel("control", { negotiated: true, id: 0 });
  const opened = new Promise((resolve) => (channel.onopen = resolve));
  connection.onicecandidate = ({ candidate }) => {
    if (candidate?.candidate) {
      tellHost({ do: "candidate", candidate: candidate.candidate, mid: candidate.sdpMid });
    }
  };
  const bare: PageEnd = {
    async offer() {
      await connection.setLocalDescription();
      const { type, sdp } = connection.localDescription!;
      tellHost({ do: "description", type, sdp });
    },
    async take({ tell, type, sdp, candidate, mid }) {
      if (tell === "description") {
        await connection.setRemoteDescription({ type: type!, sdp: sdp! });
      } else {
        await connection.addIceCandidate({ candidate: candidate!, sdpMid: mid! });
      }
    },
    async send(bytes, message) {
      await opened;
      const high = 4 * 1024 * 1024;
      channel.bufferedAmountLowThreshold = high / 2;
      const next = new Uint8Array(message);
      for (let sent = 0; sent < bytes; sent += message) {
        if (channel.bufferedAmount >= high) {
          await new Promise((resolve) => (channel.onbufferedamountlow = resolve));
        }
        channel.send(next.subarray(0, Math.min(message, bytes - sent)));
      }
    },
  };
  Object.assign(globalThis, { bare });
}

// The signaling server that must not be trusted, as a process in front of an honest one: which attack it does is said to
// it line by line (tests/system/src/main.rs).

import { type ChildProcess, execFileSync } from "node:child_process";
import { createInterface } from "node:readline";

import { end, start } from "./cleanup.ts";
import { evilSignalingProgram } from "./environment.ts";
import type { SignalingServer } from "./signaling.ts";

/** A signal on its way from one peer to another one. */
export interface Passage {
  from: string;
  to: string;
  signal: { connection: string; signal: string; [field: string]: unknown };
}

/** The names of all attacks. */
export function attacks(): string[] {
  return execFileSync(evilSignalingProgram(), ["--list"], { encoding: "utf8" }).trim().split("\n");
}

/** A running `tabferry-evil-signaling` on loopback, honest at first. */
export class EvilServer {
  /** What goes into the extension's setting "Signaling server". */
  readonly url: string;
  /** Connections that were offered while it attacked. */
  readonly offered = new Set<string>();
  /** Called with each signal for the attacker's own peer connections. */
  intercepted: (passage: Passage) => void = () => {};

  private silent = false;
  private readonly process: ChildProcess;
  /** Orders that were not obeyed yet, oldest first. */
  private readonly orders: (() => void)[] = [];

  private constructor(process: ChildProcess, url: string) {
    this.process = process;
    this.url = url;
  }

  /** Starts one in front of a server. */
  static async start(upstream: SignalingServer): Promise<EvilServer> {
    const child = start(evilSignalingProgram(), ["--upstream", upstream.url], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout! });
    const url = await new Promise<string>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`tabferry-evil-signaling ended at once with code ${code}`)));
      lines.once("line", (line) => resolve(line.replace("listening on ", "")));
    });
    const server = new EvilServer(child, url);
    lines.on("line", (line) => server.hear(line));
    return server;
  }

  /** Attacks from now on. What is left to chance follows from the seed. Returns whether the server keeps back what one end
   * says to the other of a connection that it could not verify. */
  async attack(name: string, seed: number): Promise<boolean> {
    this.silent = false;
    await this.order(`evil ${name} ${seed}`);
    return this.silent;
  }

  /** Is honest from now on. */
  async rest(): Promise<void> {
    await this.order("honest");
  }

  /** Makes devices restart ICE. */
  async provoke(): Promise<void> {
    await this.order("provoke");
  }

  /** Delivers a signal of the attacker's own peer connections. */
  async deliver(passage: Passage): Promise<void> {
    await this.order(`deliver ${JSON.stringify(passage)}`);
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await end(this.process);
  }

  private async order(line: string): Promise<void> {
    const obeyed = new Promise<void>((resolve) => this.orders.push(resolve));
    this.process.stdin!.write(`${line}\n`);
    await obeyed;
  }

  private hear(line: string): void {
    const [word = "", ...rest] = line.split(" ");
    const passage = (): Passage => JSON.parse(rest.join(" ")) as Passage;
    switch (word) {
      case "done":
        this.orders.shift()?.();
        break;
      case "silent":
        this.silent = true;
        break;
      case "offered":
        this.offered.add(passage().signal.connection);
        break;
      case "intercepted":
        this.intercepted(passage());
    }
  }
}

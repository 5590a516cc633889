// The real signaling server as a process.

import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

import { end, start } from "./cleanup.ts";
import { signalingProgram } from "./environment.ts";

/** A running `tabferry-signaling` on loopback. */
export class SignalingServer {
  /** `ADDRESS:PORT` on which it listens. */
  readonly address: string;
  private process: ChildProcess;
  private readonly args: string[];

  private constructor(process: ChildProcess, address: string, args: string[]) {
    this.process = process;
    this.address = address;
    this.args = args;
  }

  /** Starts one on a free port. */
  static async start(args: string[] = []): Promise<SignalingServer> {
    const [process, address] = await launch("127.0.0.1:0", args);
    return new SignalingServer(process, address, args);
  }

  /** What goes into the extension's setting "Signaling server". */
  get url(): string {
    return `ws://${this.address}`;
  }

  /** Kills it without a chance to say goodbye. */
  async kill(): Promise<void> {
    await end(this.process, "SIGKILL");
  }

  /** Starts it again on the same port. */
  async restart(): Promise<void> {
    [this.process] = await launch(this.address, this.args);
  }

  /** Asks it to end, and waits. */
  async stop(): Promise<void> {
    await end(this.process, "SIGTERM");
  }
}

async function launch(listen: string, args: string[]): Promise<[ChildProcess, string]> {
  const child = start(signalingProgram(), ["--listen", listen, "--log-level", "warn", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const address = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`tabferry-signaling ended at once with code ${code}`)));
    createInterface({ input: child.stdout! }).once("line", (line) => {
      const match = /^listening on ws:\/\/(\S+)$/.exec(line);
      if (match) {
        resolve(match[1]!);
      } else {
        reject(new Error(`tabferry-signaling began with an unknown line: ${line}`));
      }
    });
  });
  child.stdout!.resume();
  return [child, address];
}

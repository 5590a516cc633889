// What must not outlive us: processes and temporary folders. Cleaned up in the normal course by whoever made them, and
// here when this process ends in any other way short of SIGKILL.

import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

const processes = new Set<ChildProcess>();
const folders = new Set<string>();

process.on("exit", () => {
  for (const child of processes) {
    signalGroup(child, "SIGKILL");
  }
  for (const folder of folders) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

/** Starts a program in a process group of its own: the terminal's Ctrl-C does not reach it, and all its children can
 * be ended with it. */
export function start(program: string, args: string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(program, args, { ...options, detached: process.platform !== "win32" });
  processes.add(child);
  child.once("exit", () => processes.delete(child));
  return child;
}

/** Ends a program and its children with a signal, and waits until it is gone. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const gone = once(child, "exit");
    signalGroup(child, signal);
    const patience = setTimeout(() => signalGroup(child, "SIGKILL"), 5_000);
    await gone;
    clearTimeout(patience);
  }
  // What the program left behind in its group.
  signalGroup(child, "SIGKILL");
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) {
    return;
  }
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, signal);
  } catch {
    // Nobody is left in the group.
  }
}

/** Makes an empty folder that does not outlive this process. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), "tabferry-"));
  folders.add(folder);
  return folder;
}

/** Removes a temporary folder with all that is in it. */
export async function removeFolder(folder: string): Promise<void> {
  // Some process of a browser may write its last file just now.
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  folders.delete(folder);
}

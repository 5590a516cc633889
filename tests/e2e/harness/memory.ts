// What a browser's processes hold in memory, as Linux counts it. The kernel keeps each process's peak itself, so
// nothing has to be sampled.

import { readdir, readFile, writeFile } from "node:fs/promises";

/** Bytes in memory now and at most since {@link resetPeaks}. */
export interface Memory {
  /** Resident bytes now. */
  now: number;
  /** Most resident bytes since the peaks were reset. */
  peak: number;
}

/** A process of a browser. */
export interface BrowserProcess {
  pid: number;
  /** `browser`, `extension` (one process holds all contexts of an extension), `renderer`, `gpu-process`, `utility`, … */
  kind: string;
}

/** A process and all its descendants. */
export async function processTree(root: number): Promise<BrowserProcess[]> {
  const children = new Map<number, number[]>();
  for (const name of await readdir("/proc")) {
    const status = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, "utf8").catch(() => "") : "";
    // The program's name stands in brackets and may contain anything; the parent's id is the second word after it.
    const parent = Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]);
    if (status) {
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    }
  }
  const tree: BrowserProcess[] = [];
  const visit = async (pid: number): Promise<void> => {
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    const type = /--type=([^\0 ]+)/.exec(line)?.[1] ?? "browser";
    tree.push({ pid, kind: line.includes("--extension-process") ? "extension" : type });
    for (const child of children.get(pid) ?? []) {
      await visit(child);
    }
  };
  await visit(root);
  return tree;
}

/** Makes the kernel start counting the peaks anew. */
export async function resetPeaks(processes: BrowserProcess[]): Promise<void> {
  for (const { pid } of processes) {
    await writeFile(`/proc/${pid}/clear_refs`, "5").catch(() => undefined);
  }
}

/** Memory of some processes together. */
export async function memory(processes: BrowserProcess[]): Promise<Memory> {
  const sum: Memory = { now: 0, peak: 0 };
  for (const { pid } of processes) {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    sum.now += kibibytes(status, "VmRSS");
    sum.peak += kibibytes(status, "VmHWM");
  }
  return sum;
}

function kibibytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
}

// Files to send and files that arrived: making them, waiting for them, their digests.

import { createHash, randomFillSync } from "node:crypto";
import { createReadStream, watch } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import path from "node:path";

import { createBLAKE3, type IHasher } from "hash-wasm";

const BLOCK_BYTES = 4 * 1024 * 1024;

/** Makes a file of random bytes, waits until the disk has it, and returns its path. */
export async function randomFile(folder: string, name: string, bytes: number): Promise<string> {
  const file = path.join(folder, name);
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  const handle = await open(file, "wx");
  try {
    for (let left = bytes; left > 0; ) {
      const part = block.subarray(0, Math.min(left, BLOCK_BYTES));
      randomFillSync(part);
      await handle.writeFile(part);
      left -= part.length;
    }
    await handle.datasync();
  } finally {
    await handle.close();
  }
  return file;
}

/** BLAKE3 digest of a file, in hexadecimal. */
export async function blake3(file: string): Promise<string> {
  const hasher: IHasher = await createBLAKE3();
  for await (const part of createReadStream(file, { highWaterMark: BLOCK_BYTES })) {
    hasher.update(part as Buffer);
  }
  return hasher.digest("hex");
}

/** SHA-256 digest of a file, in hexadecimal. */
export async function sha256(file: string): Promise<string> {
  const hasher = createHash("sha256");
  for await (const part of createReadStream(file, { highWaterMark: BLOCK_BYTES })) {
    hasher.update(part as Buffer);
  }
  return hasher.digest("hex");
}

/** Beginnings of the names that Chromium and the native host give to files that they still write to. */
const PARTIAL_PREFIXES = [".com.google.Chrome.", ".org.chromium.Chromium.", ".tabferry-"];

/** Whether Chromium or the native host still writes to it. */
function isPartial(name: string): boolean {
  return name.endsWith(".crdownload") || PARTIAL_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** All finished files below a folder, as paths inside it, sorted. */
export async function finishedFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !isPartial(entry.name))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

/** All files below a folder that Chromium or the native host has not finished. */
export async function partialFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && isPartial(entry.name)).map((entry) => entry.name);
}

/** Resolves with the path of the first file of exactly this size that appears below a folder and that `fits`. */
export async function fileArrives(
  folder: string,
  bytes: number,
  { fits = () => true, timeoutMs = 60_000 }: { fits?: (inside: string) => boolean; timeoutMs?: number } = {},
): Promise<string> {
  const find = async (): Promise<string | undefined> => {
    for (const inside of await finishedFiles(folder)) {
      const file = path.join(folder, inside);
      const size = await stat(file).then((found) => found.size, () => -1);
      if (size === bytes && fits(inside)) {
        return file;
      }
    }
    return undefined;
  };
  const changed = new AbortController();
  const patience = setTimeout(() => changed.abort(), timeoutMs);
  const watcher = watch(folder, { recursive: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      const look = (): void => {
        find().then((file) => file && resolve(file), reject);
      };
      // A file that is still being written announces itself at each write: thousands of looks for nothing.
      watcher.on("change", (_, name) => isPartial(path.basename(String(name))) || look());
      watcher.on("error", reject);
      changed.signal.addEventListener("abort", () => {
        finishedFiles(folder).then(
          (there) => reject(new Error(`no file of ${bytes} bytes within ${timeoutMs} ms; there: ${there.join(", ") || "nothing"}`)),
          reject,
        );
      });
      look();
    });
  } finally {
    clearTimeout(patience);
    watcher.close();
  }
}

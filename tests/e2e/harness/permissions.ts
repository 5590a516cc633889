// Optional permissions that a person has granted earlier, as the browser remembers them. The browser's question
// itself is outside any page, so no test can answer it; the extension under test is the built one, unchanged.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";

/** Preferences of a profile in which an extension may access hosts, given as match patterns, and use further APIs. */
export async function preferencesGranting(extension: string, hosts: string[], apis: string[]): Promise<object> {
  const manifest = await readManifest(extension);
  const permissions = {
    api: [...manifest.permissions, ...apis],
    explicit_host: hosts,
    manifest_permissions: [],
    scriptable_host: [],
  };
  const settings = { active_permissions: permissions, granted_permissions: permissions };
  return { extensions: { settings: { [await extensionId(extension)]: settings } } };
}

async function readManifest(extension: string): Promise<{ key: string; permissions: string[] }> {
  const text = await readFile(path.join(extension, "manifest.json"), "utf8");
  return JSON.parse(text) as { key: string; permissions: string[] };
}

/** The id that the browser gives to an extension, by the key in its manifest. */
export async function extensionId(extension: string): Promise<string> {
  const { key } = await readManifest(extension);
  const digest = createHash("sha256").update(Buffer.from(key, "base64")).digest("hex");
  return digest.slice(0, 32).replace(/./g, (digit) => String.fromCharCode("a".charCodeAt(0) + parseInt(digit, 16)));
}

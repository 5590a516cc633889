// The native host as `tabferry install` would have registered it for one profile: the real program, with a home and a folder
// for received files of its own. Its daemon outlives the browser, and is ended here.

import { type ChildProcess, execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

import { start } from "./cleanup.ts";
import { extensionFolder, nativeHostProgram } from "./environment.ts";
import { extensionId } from "./permissions.ts";
import type { ProfileOptions } from "./profile.ts";

const NAME = "app.tabferry.host";

/** A native host of one person. */
export class NativeHost {
  /** Where received files go. */
  readonly downloads: string;
  /** What a browser starts. */
  private readonly program: string;

  private constructor(downloads: string, program: string) {
    this.downloads = downloads;
    this.program = program;
  }

  /** Makes one that keeps everything in an empty folder. */
  static async create(folder: string): Promise<NativeHost> {
    const downloads = path.join(folder, "Downloads");
    await mkdir(downloads, { recursive: true });
    const program = path.join(folder, "tabferry");
    const home = path.join(folder, "home");
    await writeFile(program, `#!/bin/sh\nTABFERRY_HOME='${home}' exec '${nativeHostProgram()}' "$@"\n`, { mode: 0o755 });
    const host = new NativeHost(downloads, program);
    await host.run("config", "set", "downloads", downloads);
    return host;
  }

  /** What a profile needs to reach it at once: its manifest, and the permission that a person has given. */
  async options(): Promise<Pick<ProfileOptions, "grantedApis" | "nativeHosts">> {
    return { grantedApis: ["nativeMessaging"], nativeHosts: { [NAME]: await this.manifest() } };
  }

  /** Its manifest for Chromium. */
  async manifest(): Promise<object> {
    return {
      name: NAME,
      description: "Tabferry",
      path: this.program,
      type: "stdio",
      allowed_origins: [`chrome-extension://${await extensionId(extensionFolder())}/`],
    };
  }

  /** Runs a command in a terminal, and returns what it prints. */
  async run(...command: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(this.program, command);
    return stdout;
  }

  /** Starts a command that goes on. */
  start(...command: string[]): ChildProcess {
    return start(this.program, command, { stdio: "ignore" });
  }

  /** Ends its daemon. */
  async stop(): Promise<void> {
    await this.run("stop").catch(() => undefined);
  }
}

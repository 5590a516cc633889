// One browser profile with the extension in it: a Chromium process of its own, as a person would have on a device.
//
// Chromium is started by us and Playwright only connects to it, for two reasons: Playwright would redirect downloads, and
// with the DevTools port open the popup and the offscreen document can be reached too.

import type { ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";

import { type Browser, type BrowserContext, chromium, type Page, type Worker } from "@playwright/test";

import { end, removeFolder, start, temporaryFolder } from "./cleanup.ts";
import { Connection, type Target, targets, waitForTarget } from "./devtools.ts";
import { chromiumProgram, extensionFolder } from "./environment.ts";
import { type Memory, memory, processTree, resetPeaks } from "./memory.ts";
import { preferencesGranting } from "./permissions.ts";

/** How a profile is started. */
export interface ProfileOptions {
  /** The extension's setting "Device name". */
  name: string;
  /** The extension's setting "Signaling server". */
  server: string;
  /** Show windows on a desktop. */
  visible?: boolean;
  /** Further arguments for Chromium. */
  args?: string[];
  /** Sites that the extension may read without a person's click, as match patterns: a test can't click on the toolbar
   * or answer the browser's own question. */
  grantedHosts?: string[];
  /** Optional APIs that a person has allowed before. */
  grantedApis?: string[];
  /** Native messaging hosts for this profile: manifests by name. */
  nativeHosts?: Record<string, object>;
  /** Where the browser keeps everything, if it is to be started again with it. The caller removes it. */
  folder?: string;
}

/** What the extension keeps in `chrome.storage.local` for a person. */
export interface Settings {
  deviceName?: string;
  server?: string;
}

/** A running browser with the extension. */
export class Profile {
  /** The extension's device name at the start. */
  readonly name: string;
  /** DevTools on loopback. */
  readonly port: number;
  /** The window. */
  readonly context: BrowserContext;
  /** The extension's id. */
  readonly extensionId: string;
  /** Everything the browser keeps. */
  private readonly folder: string;
  /** Whether the folder goes when the browser ends. */
  private readonly keepsFolder: boolean;
  private readonly process: ChildProcess;
  private readonly browser: Browser;
  private workerKilled = false;

  private constructor(
    parts: Pick<Profile, "name" | "port" | "context" | "extensionId"> & {
      folder: string;
      keepsFolder: boolean;
      process: ChildProcess;
      browser: Browser;
    },
  ) {
    this.name = parts.name;
    this.port = parts.port;
    this.context = parts.context;
    this.extensionId = parts.extensionId;
    this.folder = parts.folder;
    this.keepsFolder = parts.keepsFolder;
    this.process = parts.process;
    this.browser = parts.browser;
  }

  /** Starts a browser and waits until the extension runs with its settings. */
  static async start(options: ProfileOptions): Promise<Profile> {
    const folder = options.folder ?? temporaryFolder();
    const keepsFolder = options.folder !== undefined;
    let child: ChildProcess | undefined;
    try {
      const [started, port] = await startChromium(folder, options);
      child = started;
      // Without its defaults Playwright leaves downloads to the browser.
      const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
      const context = browser.contexts()[0]!;
      const worker = await extensionWorker(context);
      const profile = new Profile({
        name: options.name,
        port,
        context,
        extensionId: new URL(worker.url()).host,
        folder,
        keepsFolder,
        process: child,
        browser,
      });
      await profile.inWorker(firstSettings);
      await profile.set({ deviceName: options.name, server: options.server });
      return profile;
    } catch (error) {
      if (child) {
        await end(child, "SIGKILL");
      }
      if (!keepsFolder) {
        await removeFolder(folder);
      }
      throw error;
    }
  }

  /** Where its downloads go. */
  get downloads(): string {
    return downloadsOf(this.folder);
  }

  /** Changes the extension's settings, as the options page would. */
  async set(settings: Settings): Promise<void> {
    await this.inWorker((given) => chrome.storage.local.set(given), settings);
  }

  /** The extension's service worker, woken up if it was killed. */
  async worker(): Promise<Worker> {
    if (this.workerKilled) {
      // A message wakes it; this one means nothing to anybody.
      const page = await this.open("manifest.json");
      await page.evaluate(() => chrome.runtime.sendMessage("{}").catch(() => undefined));
      await page.close();
      this.workerKilled = false;
    }
    return extensionWorker(this.context);
  }

  /** The id of another device that it sees, by that one's name. */
  async deviceId(name: string): Promise<string> {
    return this.inWorker(async (name) => {
      const { status } = await chrome.storage.session.get("status");
      const { devices } = JSON.parse(String(status)) as { devices: { id: string; name: string }[] };
      return devices.find((device) => device.name === name)!.id;
    }, name);
  }

  /** Runs a function in the service worker. */
  async inWorker<Value, Argument = undefined>(
    body: (argument: Argument) => Value | Promise<Value>,
    argument?: Argument,
  ): Promise<Value> {
    const worker = await this.worker();
    return worker.evaluate(body as never, argument as never) as Promise<Value>;
  }

  /** Ends the service worker, as the browser does after half a minute without work, and waits until it is gone. */
  async killWorker(): Promise<void> {
    const worker = await this.worker();
    const gone = worker.evaluate(() => new Promise(() => {})).catch(() => undefined);
    const connection = await Connection.toBrowser(this.port);
    try {
      for (const target of await targets(this.port)) {
        if (target.type === "service_worker" && target.url.includes(this.extensionId)) {
          await connection.send("Target.closeTarget", { targetId: target.id });
        }
      }
      await gone;
      this.workerKilled = true;
    } finally {
      connection.close();
    }
  }

  /** Address of one of the extension's pages. */
  url(page: string): string {
    return `chrome-extension://${this.extensionId}/${page}`;
  }

  /** Opens one of the extension's pages, or any other, in a new tab. */
  async open(page: string): Promise<Page> {
    const tab = await this.context.newPage();
    await tab.goto(page.includes("://") ? page : this.url(page));
    return tab;
  }

  /** Opens the popup over the tab that is in front, as a click on the toolbar does. Playwright does not know it. */
  async openPopup(): Promise<Connection> {
    await this.inWorker(() => chrome.action.openPopup());
    const address = this.url("popup.html");
    const target = await waitForTarget(this.port, ({ type, url }) => type === "page" && url.startsWith(address));
    return Connection.open(target.webSocketDebuggerUrl);
  }

  /** A connection to the offscreen document. */
  async offscreen(): Promise<Connection> {
    const address = this.url("offscreen.html");
    const target = await waitForTarget(this.port, ({ url }) => url.startsWith(address));
    return Connection.open(target.webSocketDebuggerUrl);
  }

  /** How many peer connections the extension has that are not closed. */
  async peerConnections(): Promise<number> {
    const document = await this.offscreen();
    try {
      const prototype = { expression: "RTCPeerConnection.prototype" };
      const { result } = await document.send<{ result: { objectId: string } }>("Runtime.evaluate", prototype);
      const { objects } = await document.send<{ objects: { objectId: string } }>("Runtime.queryObjects", {
        prototypeObjectId: result.objectId,
      });
      const counted = await document.send<{ result: { value: number } }>("Runtime.callFunctionOn", {
        objectId: objects.objectId,
        functionDeclaration: `function () { return this.filter((one) => one.signalingState !== "closed").length; }`,
        returnByValue: true,
      });
      return counted.result.value;
    } finally {
      document.close();
    }
  }

  /** Ends the offscreen document, and with it all connections and transfers, and starts it again. */
  async restartEngine(): Promise<void> {
    await this.inWorker(() => chrome.offscreen.closeDocument());
    const page = await this.open("manifest.json");
    await page.evaluate(() => chrome.runtime.sendMessage(JSON.stringify({ background: "ensure-engine" })));
    await page.close();
  }

  /** Waits until it sees just these devices, and its menus have them. */
  async sees(names: string[]): Promise<void> {
    await this.inWorker(async (names) => {
      const wanted = JSON.stringify([...names].sort());
      await new Promise<void>((resolve) => {
        const look = async (): Promise<void> => {
          const { status, menu } = await chrome.storage.session.get(["status", "menu"]);
          const { devices = [] } = JSON.parse(String(status ?? "{}")) as { devices?: { id: string; name: string }[] };
          const shown = JSON.stringify(devices.map(({ name }) => name).sort());
          if (shown === wanted && devices.every(({ id }) => String(menu).includes(`:${id}"`))) {
            chrome.storage.session.onChanged.removeListener(changed);
            resolve();
          }
        };
        const changed = (): void => void look();
        chrome.storage.session.onChanged.addListener(changed);
        void look();
      });
    }, names);
  }

  /** All targets of the browser, those that Playwright leaves out too. */
  async targets(): Promise<Target[]> {
    return targets(this.port);
  }

  /** Makes the memory peaks start anew. */
  async resetMemoryPeaks(): Promise<void> {
    await resetPeaks(await processTree(this.process.pid!));
  }

  /** Memory of the extension's process (all its contexts together) and of the browser's other processes. */
  async memory(): Promise<{ extension: Memory; others: Memory }> {
    const tree = await processTree(this.process.pid!);
    return {
      extension: await memory(tree.filter(({ kind }) => kind === "extension")),
      others: await memory(tree.filter(({ kind }) => kind !== "extension")),
    };
  }

  /** Registers a native messaging host while the browser runs. */
  async installNativeHost(name: string, manifest: object): Promise<void> {
    await installNativeHost(this.folder, name, manifest);
  }

  /** Resolves when the browser has ended for whatever reason. */
  async ended(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      await new Promise((resolve) => this.process.once("exit", resolve));
    }
  }

  /** Ends the browser at once, as a crash or a power cut does. */
  async kill(): Promise<void> {
    await end(this.process, "SIGKILL");
  }

  /** Ends the browser and removes all that it kept, downloads too. */
  async stop(): Promise<void> {
    await this.browser.close().catch(() => undefined);
    await end(this.process);
    if (!this.keepsFolder) {
      await removeFolder(this.folder);
    }
  }
}

/** Runs in the worker: waits until the extension has made the settings that no person has made yet, or it would write
 * its own over ours. */
async function firstSettings(): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = async (): Promise<void> => {
      const { deviceName } = await chrome.storage.local.get("deviceName");
      if (deviceName) {
        resolve();
      }
    };
    chrome.storage.local.onChanged.addListener(() => void look());
    void look();
  });
}

function downloadsOf(folder: string): string {
  return path.join(folder, "Downloads");
}

async function installNativeHost(folder: string, name: string, manifest: object): Promise<void> {
  const hosts = path.join(folder, "profile", "NativeMessagingHosts");
  await mkdir(hosts, { recursive: true });
  await writeFile(path.join(hosts, `${name}.json`), JSON.stringify(manifest));
}

async function startChromium(folder: string, options: ProfileOptions): Promise<[ChildProcess, number]> {
  const data = path.join(folder, "profile");
  await mkdir(path.join(data, "Default"), { recursive: true });
  await mkdir(downloadsOf(folder), { recursive: true });
  for (const [name, manifest] of Object.entries(options.nativeHosts ?? {})) {
    await installNativeHost(folder, name, manifest);
  }
  const extension = extensionFolder();
  const { grantedHosts = [], grantedApis = [] } = options;
  const granted = grantedHosts.length + grantedApis.length > 0;
  const preferences = {
    ...(granted ? await preferencesGranting(extension, grantedHosts, grantedApis) : {}),
    download: { default_directory: downloadsOf(folder), prompt_for_download: false },
    // A tab that asks whether to restore the last session after a kill.
    session: { restore_on_startup: 5 },
  };
  // One that is started again has its own.
  await writeFile(path.join(data, "Default", "Preferences"), JSON.stringify(preferences), { flag: "wx" }).catch(() => undefined);
  const child = start(
    chromiumProgram(),
    [
      `--user-data-dir=${data}`,
      `--load-extension=${extension}`,
      `--disable-extensions-except=${extension}`,
      "--remote-debugging-port=0",
      ...(options.visible ? [] : ["--headless=new"]),
      // Chromium refuses its sandbox to root.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-dev-shm-usage",
      "--disable-quic",
      "--disable-sync",
      "--no-default-browser-check",
      "--no-first-run",
      "--password-store=basic",
      "--use-mock-keychain",
      // A machine without a network has only this interface.
      "--allow-loopback-in-peer-connection",
      "--lang=en-US",
      ...(options.args ?? []),
      "about:blank",
    ],
    // The names of buttons in the tests are English.
    { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, LANGUAGE: "en", LANG: "C.UTF-8" } },
  );
  try {
    return [child, await debuggingPort(child)];
  } catch (error) {
    await end(child, "SIGKILL");
    throw error;
  }
}

async function debuggingPort(child: ChildProcess): Promise<number> {
  const said: string[] = [];
  const lines = createInterface({ input: child.stderr! });
  return new Promise<number>((resolve, reject) => {
    const patience = setTimeout(() => reject(new Error("Chromium did not start within 60 seconds")), 60_000);
    child.once("error", reject);
    child.once("exit", (code) => {
      clearTimeout(patience);
      reject(new Error(`Chromium ended at once with code ${code}:\n${said.join("\n")}`));
    });
    lines.on("line", (line) => {
      const match = /^DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(line);
      if (match) {
        clearTimeout(patience);
        resolve(Number(match[1]));
      } else if (said.length < 20) {
        said.push(line);
      }
    });
  });
}

/** The service worker, once its scope is complete: just after its start `chrome` has no members yet. */
async function extensionWorker(context: BrowserContext): Promise<Worker> {
  const worker = context.serviceWorkers().at(-1) ?? (await context.waitForEvent("serviceworker", { timeout: 30_000 }));
  const deadline = Date.now() + 10_000;
  // A call that meets the worker's end throws; the worker object itself lives on through restarts.
  const ready = (): Promise<boolean> =>
    worker.evaluate(() => typeof chrome !== "undefined" && chrome.storage !== undefined).catch(() => false);
  while (!(await ready())) {
    if (Date.now() > deadline) {
      throw new Error("the service worker has no chrome.storage");
    }
  }
  return worker;
}

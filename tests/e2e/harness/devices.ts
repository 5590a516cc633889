// Devices that stay for all tests of a file: starting a browser takes seconds.

import { readdir } from "node:fs/promises";

import { expect, test } from "@playwright/test";

import { removeFolder, temporaryFolder } from "./cleanup.ts";
import { Profile, type ProfileOptions } from "./profile.ts";
import { SignalingServer } from "./signaling.ts";
import { Site } from "./site.ts";
import { Popup } from "./ui.ts";

/** Devices near each other, with a server, a web site and a folder for files. */
export class Devices {
  private all = new Map<string, Profile>();
  private started: { server: SignalingServer; site: Site; folder: string } | undefined;

  /** The signaling server. */
  get server(): SignalingServer {
    return this.running.server;
  }

  /** A web site. */
  get site(): Site {
    return this.running.site;
  }

  /** A folder for files. */
  get folder(): string {
    return this.running.folder;
  }

  /** The device with this name. */
  get(name: string): Profile {
    const profile = this.all.get(name);
    if (!profile) {
      throw new Error(`no device ${name} was started`);
    }
    return profile;
  }

  /** Starts a further device, and waits until it and the others see each other. */
  async add(name: string, options: Partial<ProfileOptions> = {}): Promise<Profile> {
    const profile = await Profile.start({ name, server: this.server.url, ...options });
    this.all.set(name, profile);
    return profile;
  }

  /** Ends a device. */
  async remove(name: string): Promise<void> {
    const profile = this.get(name);
    this.all.delete(name);
    await profile.stop();
  }

  /** Starts what all tests need. */
  async start(names: string[], options: Partial<ProfileOptions>): Promise<void> {
    this.started = { server: await SignalingServer.start(), site: await Site.start(), folder: temporaryFolder() };
    await Promise.all(names.map((name) => this.add(name, options)));
    for (const name of names) {
      const popup = await Popup.open(this.get(name));
      for (const other of names.filter((other) => other !== name)) {
        await expect(popup.device(other)).toBeVisible();
      }
      await popup.page.close();
    }
  }

  /** Closes the tabs that a test has opened, the browser's first one excepted. */
  async closeTabs(): Promise<void> {
    for (const profile of this.all.values()) {
      const [, ...opened] = profile.context.pages();
      await Promise.all(opened.map((page) => page.close()));
    }
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    await Promise.all([...this.all.values()].map((profile) => profile.stop()));
    this.all.clear();
    if (this.started) {
      await this.started.site.stop();
      await this.started.server.stop();
      await removeFolder(this.started.folder);
      this.started = undefined;
    }
  }

  private get running(): { server: SignalingServer; site: Site; folder: string } {
    if (!this.started) {
      throw new Error("the devices are not running");
    }
    return this.started;
  }
}

/** Devices with these names for all tests of the file. */
export function devices(names: string[], options: Partial<ProfileOptions> = {}): Devices {
  const devices = new Devices();
  test.beforeAll(() => devices.start(names, options));
  test.afterEach(() => devices.closeTabs());
  test.afterAll(() => devices.stop());
  return devices;
}

/** What stands in a folder, hidden files too. */
export async function contents(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}

// What a browser test starts from: a signaling server of its own, profiles on demand, a web site, a folder for files.
// Whatever a test leaves is stopped and removed when it ends, however it ends.

import { expect, test as base } from "@playwright/test";

import { removeFolder, temporaryFolder } from "./cleanup.ts";
import { Profile, type ProfileOptions } from "./profile.ts";
import { SignalingServer } from "./signaling.ts";
import { Site } from "./site.ts";

interface Fixtures {
  /** A signaling server. */
  server: SignalingServer;
  /** Starts a profile with this device name, connected to the server. */
  launch: (name: string, options?: Partial<ProfileOptions>) => Promise<Profile>;
  /** A web site. */
  site: Site;
  /** An empty folder. */
  folder: string;
}

export const test = base.extend<Fixtures>({
  server: async ({}, use) => {
    const server = await SignalingServer.start();
    await use(server);
    await server.stop();
  },
  launch: async ({ server }, use) => {
    const profiles: Profile[] = [];
    await use(async (name, options = {}) => {
      const profile = await Profile.start({ name, server: server.url, ...options });
      profiles.push(profile);
      return profile;
    });
    await Promise.all(profiles.map((profile) => profile.stop()));
  },
  site: async ({}, use) => {
    const site = await Site.start();
    await use(site);
    await site.stop();
  },
  folder: async ({}, use) => {
    const folder = temporaryFolder();
    await use(folder);
    await removeFolder(folder);
  },
});

export { expect };

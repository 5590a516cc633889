// "Save with the Tabferry app": browser and native host are one device, files go to the host and survive the browser, and
// what the host asks is asked in the browser. With the real program, through the browser's own native messaging.

import type { Page } from "@playwright/test";

import { removeFolder, temporaryFolder } from "./harness/cleanup.ts";
import { Desktop, missingForDesktop } from "./harness/desktop.ts";
import { contents } from "./harness/devices.ts";
import { blake3, fileArrives, finishedFiles, randomFile } from "./harness/files.ts";
import { expect, test as base } from "./harness/fixtures.ts";
import { NativeHost } from "./harness/native.ts";
import { notification, onScreen, pressButton, watchNotifications } from "./harness/notifications.ts";
import type { Profile } from "./harness/profile.ts";
import { review } from "./harness/review.ts";
import { accept, midway, sendFiles, transferSays } from "./harness/transfers.ts";
import { clickContextMenu, Popup } from "./harness/ui.ts";

const MIB = 1024 * 1024;
const TAB = { width: 900, height: 700 };
const POPUP = { width: 400, height: 600 };

const test = base.extend<{ host: NativeHost; profileFolder: string }>({
  host: async ({}, use) => {
    const folder = temporaryFolder();
    const host = await NativeHost.create(folder);
    await use(host);
    await host.stop();
    await removeFolder(folder);
  },
  /** For a browser that is to be started again. */
  profileFolder: async ({}, use) => {
    const folder = temporaryFolder();
    await use(folder);
    await removeFolder(folder);
  },
});

/** Turns it on in the settings, and returns them. */
async function turnOn(profile: Profile): Promise<Page> {
  const options = await profile.open("options.html");
  await options.getByRole("switch", { name: "Let the app save received files" }).check();
  return options;
}

/** Waits until a profile's files are saved by a host. */
async function connects(options: Page, host: NativeHost): Promise<void> {
  await expect(options.getByText(`Connected: the app saves received files to ${host.downloads}`)).toBeVisible();
}

/** Waits until a device is seen just once, with both its endpoints there. */
async function areOneDevice(other: Profile, name: string, host: NativeHost): Promise<void> {
  const sees = async (): Promise<unknown> => (JSON.parse(await host.run("status", "--json")) as { daemon: object | null }).daemon;
  await expect.poll(async () => JSON.stringify(await sees())).toContain('"online"');
  await other.sees([name]);
}

test("a person turns it on, sees where files go, and turns it off again", async ({ launch, host }) => {
  const [ada, bee] = [await launch("Ada", await host.options()), await launch("Bee")];
  const options = await ada.open("options.html");
  const section = options.locator("#native-section");
  await expect(section).toContainText("Off: this browser saves received files.");
  await review(options, "native-off", TAB);
  await options.getByRole("switch", { name: "Let the app save received files" }).check();
  await connects(options, host);
  await review(options, "native-connected", TAB);
  const popup = await Popup.open(ada);
  await expect(popup.page.getByText(`Received files are saved by the Tabferry app to ${host.downloads}`)).toBeVisible();
  await review(popup.page, "native-popup", POPUP);
  expect(await ada.inWorker(() => chrome.action.getTitle({}))).toContain("Files are saved by the Tabferry app");
  await areOneDevice(bee, "Ada", host);

  // It is kept.
  await options.bringToFront();
  await options.reload();
  await expect(options.getByRole("switch")).toBeChecked();
  await connects(options, host);

  await options.getByRole("switch").uncheck();
  await expect(section).toContainText("Shall the app go on receiving files as this device?");
  await review(options, "native-leaving", TAB);
  await options.getByRole("button", { name: "Make it forget this device" }).click();
  await expect(section).toContainText("Off: this browser saves received files.");
  await expect(popup.page.getByText("Received files are saved by this browser.")).toBeAttached();
  await bee.sees(["Ada"]);
});

test("an app that is not there is asked for in words, and found when it is installed", async ({ launch, host }) => {
  const ada = await launch("Ada", { grantedApis: ["nativeMessaging"] });
  const options = await turnOn(ada);
  const section = options.locator("#native-section");
  await expect(section).toContainText("The app is not installed for this browser.");
  await expect(section).toContainText("./tabferry install");
  await review(options, "native-missing", TAB);
  const popup = await Popup.open(ada);
  await expect(popup.page.getByText("The Tabferry app is not connected, so this browser saves received files.")).toBeVisible();
  await review(popup.page, "native-popup-missing", POPUP);
  await ada.installNativeHost("app.tabferry.host", await host.manifest());
  await options.bringToFront();
  await options.getByRole("button", { name: "Try again" }).click();
  await connects(options, host);
});

test("a file is accepted in the popup and stands in the host's folder, not in the browser's", async ({ launch, host, folder }) => {
  const [ada, bee] = [await launch("Ada", await host.options()), await launch("Bee")];
  await connects(await turnOn(ada), host);
  await areOneDevice(bee, "Ada", host);
  const file = await randomFile(folder, "harbor map.pdf", 3 * MIB + 1);
  await sendFiles(bee, "Ada", [file]);
  const popup = await accept(ada, "Bee");
  const arrived = await fileArrives(host.downloads, 3 * MIB + 1, { fits: (inside) => inside === "harbor map.pdf" });
  expect(await blake3(arrived)).toBe(await blake3(file));
  await transferSays(popup, "harbor map.pdf", "Received ·");
  await expect(popup.page.getByRole("button", { name: "Show in folder: harbor map.pdf" })).toBeVisible();
  await review(popup.page, "native-popup-received", POPUP);
  await transferSays(await Popup.open(bee), "harbor map.pdf", "Sent ·");
  expect(await contents(ada.downloads)).toEqual([]);
  // What has ended is taken off the list at the host.
  await popup.page.bringToFront();
  await popup.page.getByRole("button", { name: "Dismiss harbor map.pdf" }).click();
  await expect(popup.transfer("harbor map.pdf")).toHaveCount(0);
});

test("the host's question is a notification and a number, answered by its buttons, and gone with the host", async ({
  launch,
  host,
  folder,
}) => {
  const [ada, bee] = [await launch("Ada", await host.options()), await launch("Bee")];
  await connects(await turnOn(ada), host);
  await areOneDevice(bee, "Ada", host);
  await watchNotifications(ada);
  await sendFiles(bee, "Ada", [await randomFile(folder, "first.bin", MIB)]);
  const asked = await notification(ada, "Bee wants to send you 1 file");
  await expect.poll(() => ada.inWorker(() => chrome.action.getBadgeText({}))).toBe("1");
  await pressButton(ada, asked, "Accept");
  await fileArrives(host.downloads, MIB);
  expect((await notification(ada, "Received 1 file from Bee")).buttons).toEqual(["Show in folder"]);
  await expect.poll(() => ada.inWorker(() => chrome.action.getBadgeText({}))).toBe("");

  await sendFiles(bee, "Ada", [await randomFile(folder, "second.bin", 2 * MIB)]);
  await expect.poll(async () => (await onScreen(ada)).some((id) => id.startsWith("proposal:"))).toBe(true);
  const popup = await Popup.open(ada);
  await expect(popup.accept("Bee")).toBeVisible();
  await host.stop();
  await expect(popup.accept("Bee")).toHaveCount(0);
  await expect.poll(async () => (await onScreen(ada)).some((id) => id.startsWith("proposal:"))).toBe(false);
});

test("a large file goes on when popup and browser are gone, and is complete", async ({ launch, host, folder }) => {
  test.setTimeout(600_000);
  const [ada, bee] = [await launch("Ada", await host.options()), await launch("Bee")];
  await connects(await turnOn(ada), host);
  await areOneDevice(bee, "Ada", host);
  const bytes = 2048 * MIB;
  const file = await randomFile(folder, "long film.mp4", bytes);
  await sendFiles(bee, "Ada", [file]);
  const popup = await accept(ada, "Bee");
  await midway(popup, "long film.mp4");
  await popup.page.close();
  await ada.kill();
  expect(await finishedFiles(host.downloads), "before the browser was killed").not.toContain("long film.mp4");
  const arrived = await fileArrives(host.downloads, bytes, {
    fits: (inside) => inside === "long film.mp4",
    timeoutMs: 300_000,
  });
  expect(await blake3(arrived)).toBe(await blake3(file));
  await transferSays(await Popup.open(bee), "long film.mp4", "Sent ·");
});

test("a link that comes while no browser runs is there when it starts", async ({ launch, host, site, profileFolder }) => {
  const again = { ...(await host.options()), folder: profileFolder };
  const [first, bee] = [await launch("Ada", again), await launch("Bee")];
  await connects(await turnOn(first), host);
  await areOneDevice(bee, "Ada", host);
  await first.stop();
  await bee.sees(["Ada"]);
  const page = await bee.open(site.url("/"));
  await clickContextMenu(bee, "page", { name: "Ada" }, page);
  const waiting = async (): Promise<string> => host.run("status", "--json");
  // The connection may first have been tried with the browser that has gone.
  await expect.poll(waiting, { timeout: 60_000 }).toMatch(/"waiting_items": ?1\b/);
  const ada = await launch("Ada", again);
  const popup = await Popup.open(ada);
  await expect(popup.page.getByText("Page from Bee")).toBeVisible();
  await expect.poll(waiting).toMatch(/"waiting_items": ?0\b/);
});

test("a second browser is told whose the app is, and becomes a part of that device if its person says so", async ({
  launch,
  host,
}) => {
  const [ada, bee] = [await launch("Ada", await host.options()), await launch("Bee")];
  await connects(await turnOn(ada), host);
  const carl = await launch("Carl", await host.options());
  await bee.sees(["Ada", "Carl"]);
  const options = await turnOn(carl);
  const section = options.locator("#native-section");
  await expect(section).toContainText("On this computer the app already is another device: “Ada”.");
  await review(options, "native-other-device", TAB);
  await options.getByRole("button", { name: "Make this browser part of it" }).click();
  await connects(options, host);
  await expect(options.getByRole("textbox", { name: "Device name" })).toHaveValue("Ada");
  const adas = (await ada.open("options.html")).locator("#own-id");
  await expect(adas).not.toBeEmpty();
  await expect(options.locator("#own-id")).toHaveText((await adas.textContent())!);
  await bee.sees(["Ada"]);
  expect(JSON.parse(await host.run("status", "--json"))).toMatchObject({ daemon: { browsers: 2 } });
});

test("the browser asks whether the app may be reached, and a no keeps it off", async ({ launch, host }) => {
  const missing = missingForDesktop();
  test.skip(missing.length > 0, `needs ${missing.join(", ")}`);
  const desktop = await Desktop.start();
  try {
    const { nativeHosts } = await host.options();
    const args = ["--window-position=0,0", "--window-size=1100,800"];
    const ada = await launch("Ada", { nativeHosts, visible: true, args });
    const options = await ada.open("options.html");
    await options.bringToFront();
    const toggle = options.getByRole("switch", { name: "Let the app save received files" });
    const section = options.locator("#native-section");
    await toggle.click();
    await desktop.answer("deny");
    await expect(section).toContainText("Your browser was not allowed to reach the app, so this stays off.");
    await expect(toggle).not.toBeChecked();
    await toggle.click();
    await desktop.answer("allow");
    await expect(section).toContainText("Allowed. Your browser connects with the app within a minute");
    // It would have died of having nothing to do, but for the test that looks at it.
    await ada.killWorker();
    await expect(section).toContainText("Connected: the app saves received files", { timeout: 60_000 });
    await ada.stop();
  } finally {
    await desktop.stop();
  }
});

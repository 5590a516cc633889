import { mkdir, rm, writeFile, readFile } from "node:fs/promises";
import { extensionFolder } from "./harness/environment.ts";
import { expect, test } from "./harness/fixtures.ts";
import { extensionId } from "./harness/permissions.ts";
import { review } from "./harness/review.ts";
import { Popup } from "./harness/ui.ts";
import { watchNotifications } from "./harness/notifications.ts";

const D = "/tmp/ext-trial/run";
const TAB = { width: 900, height: 700 };
const log = async () => readFile(`${D}/log`, "utf8").catch(() => "");
const mode = (m: object) => writeFile(`${D}/mode`, JSON.stringify(m));
let n = 0;
const say = (m: object | string) => writeFile(`${D}/say-${++n}.json`, JSON.stringify(m));
const device = (id: string, name: string) => ({ id, name, kind: "computer" });

test("states", async ({ launch }) => {
  test.setTimeout(110_000);
  await rm(D, { recursive: true, force: true });
  await mkdir(D, { recursive: true });
  await mode({});
  const manifest = {
    name: "app.tabferry.host", description: "x", path: "/tmp/ext-trial/host.py", type: "stdio",
    allowed_origins: [`chrome-extension://${await extensionId(extensionFolder())}/`],
  };
  const ada = await launch("Ada", { grantedApis: ["nativeMessaging"], nativeHosts: { "app.tabferry.host": manifest } });
  const bee = await launch("Bee", { grantedApis: ["nativeMessaging"] });
  const options = await ada.open("options.html");
  options.setDefaultTimeout(8000);
  const section = options.locator("#native-section");
  await section.scrollIntoViewIfNeeded();
  await review(options, "native-off", TAB);
  await options.bringToFront();
  await options.getByRole("switch", { name: "Let the app save received files" }).check();
  await expect(section).toContainText("Connected: the app saves");
  console.log(await log());
  await review(options, "native-connected", TAB);
  const popup = await Popup.open(ada);
  await expect(popup.page.getByText("saved by the Tabferry app to /home/ada/Downloads")).toBeVisible();
  const from = { ...device(await ada.deviceId("Bee").catch(() => "aaaaaaaaaaaaaaaaaaaaaaaaaa"), "Bee") };
  const snapshot = {
    device: null, connection: "online", visible: "everyone", devices: [], items: [],
    incoming: [{ transfer: 2147483650, from, names: ["holiday film.mp4"], files: 1, programs: 0, bytes: 2000000000 }],
    transfers: [{ id: 2147483649, direction: "receive", device: from, subject: { files: { name: "book.pdf", count: 1 } }, bytes: 5000000, bytes_done: 5000000, files_done: 1, bytes_per_second: 0, seconds_left: null, state: "done", stored: { id: 7, name: "book.pdf" } }],
  };
  await watchNotifications(ada);
  await say({ shown: { snapshot } });
  await say({ event: { "proposal-arrived": { proposal: snapshot.incoming[0] } } });
  await expect(popup.accept("Bee")).toBeVisible();
  await review(popup.page, "native-popup", { width: 400, height: 700 });
  await expect.poll(() => ada.inWorker(async () => chrome.action.getBadgeText({}))).toBe("1");
  console.log(await ada.inWorker(async () => [await chrome.action.getTitle({}), Object.keys(await chrome.notifications.getAll())]));
  await popup.accept("Bee").click();
  await popup.page.getByRole("button", { name: "Show in folder: book.pdf" }).click();
  await expect.poll(log).toContain('"accept": {"transfer": 2147483650}');
  await expect.poll(log).toContain('"show-in-folder": {"transfer": 2147483649}');
  await say({ item: { item: { id: 2147483655, from, item: { link: { url: "https://example.org/", title: "An example" } } }, unasked: false } });
  await popup.page.bringToFront();
  await expect(popup.page.getByText("An example", { exact: true })).toBeVisible();
  await expect.poll(log).toContain("item-taken");
  // Turn off: question
  await options.bringToFront();
  await options.bringToFront();
  await options.getByRole("switch").uncheck();
  await expect(section).toContainText("Shall the app go on");
  await review(options, "native-leaving", TAB);
  await options.bringToFront();
  await options.getByRole("button", { name: "Make it forget this device" }).click();
  await expect(section).toContainText("Off: this browser saves");
  await expect.poll(log).toContain("EOF");
  console.log("notifications", await ada.inWorker(async () => Object.keys(await chrome.notifications.getAll())));
  await popup.page.bringToFront();
  await expect(popup.accept("Bee")).toBeHidden();
  await options.bringToFront();
  // outdated
  await mode({ version: 0, program: "0.0.9" });
  await options.bringToFront();
  await options.getByRole("switch").check();
  await expect(section).toContainText("too old for this extension");
  await review(options, "native-app-outdated", TAB);
  await mode({ version: 2, program: "0.3.0" });
  await options.bringToFront();
  await options.getByRole("button", { name: "Try again" }).click();
  await expect(section).toContainText("too old for the app");
  await review(options, "native-extension-outdated", TAB);
  await mode({ die: true });
  await options.bringToFront();
  await options.getByRole("button", { name: "Try again" }).click();
  await expect(section).toContainText("does not start");
  await review(options, "native-failed", TAB);
  // other device
  const other = device("bbbbbbbbbbbbbbbbbbbbbbbbba", "Carl’s workshop");
  const association = { identity: "07".repeat(32), paired: [], settings: { name: "Carl’s workshop", kind: "computer", server: (await ada.inWorker(() => chrome.storage.local.get("server"))).server, visibility: "everyone", groups: [] } };
  await mode({ device: other, association });
  await options.bringToFront();
  await options.getByRole("button", { name: "Try again" }).click();
  await expect(section).toContainText("already is another device");
  await review(options, "native-other-device", TAB);
  const before = await options.locator("#own-id").textContent();
  await options.bringToFront();
  await options.getByRole("button", { name: "Make this browser part of it" }).click();
  await expect.poll(() => options.locator("#own-id").textContent()).not.toBe(before);
  console.log(await options.locator("#own-id").textContent(), await ada.inWorker(() => chrome.storage.local.get()));
  await expect(section).toContainText("another device");
  await options.bringToFront();
  await options.getByRole("button", { name: "Leave it off" }).click();
  await expect(section).toContainText("Off: this browser saves");
  // Bee: no host
  const there = await bee.open("options.html");
  await there.getByRole("switch").check();
  await expect(there.locator("#native-section")).toContainText("not installed");
  await review(there, "native-missing", TAB);
  const p = await Popup.open(bee);
  await expect(p.page.getByText("not connected, so this browser")).toBeVisible();
  await review(p.page, "native-popup-missing", { width: 400, height: 600 });
  console.log(await log());
});

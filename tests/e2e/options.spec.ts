// The settings: a new device name and who can find the device count at once, and the server's address is checked while it
// is typed.

import { devices } from "./harness/devices.ts";
import { expect, test } from "./harness/fixtures.ts";
import { menuReads } from "./harness/menu.ts";
import type { Profile } from "./harness/profile.ts";
import { Popup } from "./harness/ui.ts";

const near = devices(["Ada", "Bee"]);

async function rename(profile: Profile, name: string): Promise<void> {
  const options = await profile.open("options.html");
  const field = options.getByRole("textbox", { name: "Device name" });
  await field.fill(name);
  await field.press("Tab");
  await expect(options.getByText("Saved").first()).toBeVisible();
  await options.close();
}

test("a renamed device is shown under its new name at once, in list and menu", async () => {
  const ada = await Popup.open(near.get("Ada"));
  await menuReads(ada.page, "page", ["Send page to Bee"]);
  await rename(near.get("Bee"), "Bee's laptop");
  await expect(ada.sendPage("Bee's laptop")).toBeVisible();
  await menuReads(ada.page, "page", ["Send page to Bee's laptop"]);
});

test("the menu follows a new name also after the service worker died", async () => {
  // A page that wakes nobody.
  const page = await near.get("Ada").open("manifest.json");
  await near.get("Ada").killWorker();
  await rename(near.get("Bee"), "Bee & Co");
  // An ampersand alone would mark an access key.
  await menuReads(page, "page", ["Send page to Bee && Co"]);
});

test("the address of the server is checked while it is typed, in words", async () => {
  const options = await near.get("Ada").open("options.html");
  const field = options.getByRole("textbox", { name: "Signaling server" });
  await expect(field).toHaveValue(near.server.url);
  await expect(options.getByText(/^Reachable: a Tabferry server/)).toBeVisible();
  for (const [typed, words] of [
    ["not an address", /^This is no address of a server\./],
    ["ws://127.0.0.1:9", "Not reachable: nothing answers at this address."],
    [near.site.url("/"), "Something answers there, but it is not a Tabferry server."],
    [near.server.url, /^Reachable: a Tabferry server/],
  ] as const) {
    await field.fill(typed);
    await expect(options.getByText(words)).toBeVisible();
  }
});

test("a wrong address is named in the popup, and the right one connects again", async () => {
  const ada = near.get("Ada");
  const options = await ada.open("options.html");
  const field = options.getByRole("textbox", { name: "Signaling server" });
  await field.fill("ws://127.0.0.1:9");
  await field.press("Tab");
  const popup = await Popup.open(ada);
  await expect(popup.page.getByText("The signaling server can’t be reached.")).toBeVisible();
  await field.fill(near.server.url);
  await field.press("Tab");
  await expect(popup.device("Bee")).toBeVisible();
  await expect(popup.page.getByText("Connected", { exact: true })).toBeVisible();
});

test("who can find the device is kept, and counts at once", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const [here, there] = [await Popup.open(ada), await Popup.open(bee)];
  await expect(there.device("Ada")).toBeVisible();
  const options = await ada.open("options.html");
  for (const [choice, words] of [
    ["Paired devices only", "Only paired devices and groups can find this device"],
    ["Nobody", "Nobody can find this device"],
  ] as const) {
    await options.bringToFront();
    await options.getByRole("radio", { name: choice }).check();
    await expect(options.getByText("Saved").first()).toBeVisible();
    await expect(here.visible).toContainText(words);
    await expect(here.page.getByText("No device is near yet")).toBeHidden();
    await expect(there.device("Ada")).toBeHidden();
    await expect(here.device("Bee")).toBeHidden();
    await options.reload();
    await expect(options.getByRole("radio", { name: choice })).toBeChecked();
  }
  await options.getByRole("radio", { name: "Everyone nearby" }).check();
  await expect(there.device("Ada")).toBeVisible();
  await expect(here.device("Bee")).toBeVisible();
  await expect(here.visible).toBeHidden();
});

// Devices that reach a server on the internet from several networks: a group brings them together, and an address that
// many strangers share shows nobody to them until a person wants it.

import { randomBytes } from "node:crypto";
import { once } from "node:events";

import { WebSocket } from "ws";

import { expect, test } from "./harness/fixtures.ts";
import { base32 } from "./harness/handshake.ts";
import { Network } from "./harness/network.ts";
import { Profile } from "./harness/profile.ts";
import { review } from "./harness/review.ts";
import { SignalingServer } from "./harness/signaling.ts";
import { Popup } from "./harness/ui.ts";

const POPUP = { width: 400, height: 600 };
const TAB = { width: 900, height: 1200 };

let server: SignalingServer;
let home: Network;
let office: Network;
let ada: Profile;
let bee: Profile;

test.beforeAll(async () => {
  server = await SignalingServer.start(["--trusted-proxy", "127.0.0.1"]);
  [home, office] = await Promise.all([Network.start(server, "203.0.113.7"), Network.start(server, "198.51.100.7")]);
  [ada, bee] = await Promise.all([
    Profile.start({ name: "Ada", server: home.url }),
    Profile.start({ name: "Bee", server: office.url }),
  ]);
});

test.afterEach(async () => {
  for (const { context } of [ada, bee]) {
    const [, ...opened] = context.pages();
    await Promise.all(opened.map((page) => page.close()));
  }
});

test.afterAll(async () => {
  await Promise.all([ada, bee].map((profile) => profile?.stop()));
  await Promise.all([home, office].map((network) => network?.stop()));
  await server?.stop();
});

test("a group brings devices of two networks together, by its code", async () => {
  const popup = await Popup.open(ada);
  await expect(popup.page.getByText("No device is near yet")).toBeVisible();

  const creates = await ada.open("options.html");
  await creates.getByRole("button", { name: "Create a group" }).click();
  const groups = creates.getByRole("list", { name: "Groups" });
  await expect(groups.getByText("No other device is here now.")).toBeVisible();
  const code = (await groups.getByText(/^[0-9A-Z]{4}-[0-9A-Z]{4}$/).textContent())!;
  await expect(creates.getByText(`Created. Type ${code} on your other devices.`)).toBeVisible();

  const joins = await bee.open("options.html");
  const field = joins.getByRole("textbox", { name: "Join a group" });
  await field.fill(code.slice(0, -1));
  await field.press("Enter");
  await expect(joins.getByText("A code has 8 letters and digits; some are missing.")).toBeVisible();
  await review(joins, "options-group-mistyped", TAB);
  await field.fill(` ${code.toLowerCase().replace("-", " ")}`);
  await joins.getByRole("button", { name: "Join" }).click();
  for (const page of [joins, creates]) {
    const listed = page.getByRole("list", { name: "Groups" }).getByRole("listitem").filter({ hasText: code });
    await expect(listed.getByText("1 other device is here.")).toBeVisible();
  }
  await expect(popup.device("Bee")).toBeVisible();
  await expect(popup.device("Bee").getByText("Paired"), "a code of a group proves nothing").toBeHidden();
  await field.fill(code);
  await field.press("Enter");
  await expect(joins.getByText("This device is in that group already.")).toBeVisible();

  await creates.bringToFront();
  await creates.getByRole("button", { name: `Leave the group ${code}` }).click();
  await expect(groups.getByRole("listitem")).toHaveCount(0);
  await expect(popup.device("Bee")).toBeHidden();
});

test("a device is in at most four groups, and is told so", async () => {
  const options = await bee.open("options.html");
  const create = options.getByRole("button", { name: "Create a group" });
  const listed = options.getByRole("list", { name: "Groups" }).getByRole("listitem");
  // One is left of the test before.
  await expect(listed).toHaveCount(1);
  for (const count of [2, 3, 4]) {
    await create.click();
    await expect(listed).toHaveCount(count);
  }
  await expect(options.getByText("This device is in 4 groups")).toBeVisible();
  await expect(create).toBeHidden();
  await expect(options.getByRole("heading", { name: "Groups" })).toBeFocused();
  await review(options, "options-groups-full", TAB);
  for (const count of [3, 2, 1, 0]) {
    await options.getByRole("button", { name: "Leave the group" }).first().click();
    await expect(listed).toHaveCount(count);
  }
  await expect(create).toBeVisible();
});

test("an address with many strangers shows nobody, until a person wants to be seen", async () => {
  const popup = await Popup.open(ada);
  const strangers = await Promise.all(Array.from({ length: 9 }, (_, number) => enter(home, `Stranger ${number}`)));
  await expect(popup.visible).toContainText("More than 8 devices that you have not paired share");
  await expect(popup.device("Stranger")).toHaveCount(0);
  await review(popup.page, "popup-crowded", POPUP);
  await popup.page.getByRole("button", { name: "Let everyone here see me" }).click();
  await expect(popup.visible).toBeHidden();
  await expect(popup.page.getByRole("heading", { name: "Devices" })).toBeFocused();
  await expect(popup.device("Stranger")).toHaveCount(9);
  strangers.forEach((socket) => socket.close());
  await expect(popup.device("Stranger")).toHaveCount(0);
});

/** Somebody who comes from a network, and is there as long as the socket is open. */
async function enter(network: Network, name: string): Promise<WebSocket> {
  const socket = new WebSocket(`${network.url}/v1/signal`);
  await once(socket, "open");
  const device = { id: base32(randomBytes(16)), name, kind: "computer" };
  for (const message of [
    { type: "hello", versions: [1], endpoint: "browser" },
    { type: "join", room: { kind: "nearby" }, device },
  ]) {
    socket.send(JSON.stringify(message));
  }
  return socket;
}

// Two people in different networks connect their devices with a code: one reads it out, the other one types it.

import type { Page } from "@playwright/test";

import { removeFolder, temporaryFolder } from "./harness/cleanup.ts";
import { fileArrives, randomFile } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { Network } from "./harness/network.ts";
import { Profile } from "./harness/profile.ts";
import { review } from "./harness/review.ts";
import { SignalingServer } from "./harness/signaling.ts";
import { accept, sendFiles } from "./harness/transfers.ts";
import { Popup } from "./harness/ui.ts";

const POPUP = { width: 380, height: 600 };
const PHONE = { width: 360, height: 640 };
const TAB = { width: 900, height: 700 };

let server: SignalingServer;
let networks: Network[];
let folder: string;
let ada: Profile;
let bee: Profile;

test.beforeAll(async () => {
  server = await SignalingServer.start(["--trusted-proxy", "127.0.0.1"]);
  const addresses = ["203.0.113.7", "198.51.100.9"];
  networks = await Promise.all(addresses.map((address) => Network.start(server, address)));
  folder = temporaryFolder();
  [ada, bee] = await Promise.all([
    Profile.start({ name: "Ada", server: networks[0]!.url }),
    Profile.start({ name: "Bee", server: networks[1]!.url }),
  ]);
});

test.afterEach(async () => {
  for (const profile of [ada, bee]) {
    const [, ...opened] = profile.context.pages();
    await Promise.all(opened.map((page) => page.close()));
  }
});

test.afterAll(async () => {
  await Promise.all([ada, bee].map((profile) => profile.stop()));
  await Promise.all(networks.map((network) => network.stop()));
  await server.stop();
  await removeFolder(folder);
});

/** Opens the page for codes by the link in the popup, once the device is connected. */
async function codePage(at: Profile): Promise<Page> {
  const { page } = await Popup.open(at);
  await expect(page.getByText("Connected", { exact: true })).toBeVisible();
  await page.getByRole("link", { name: "Connect with a code" }).click();
  return page;
}

/** Has a device show a code. */
async function showCode(at: Profile): Promise<{ page: Page; code: string }> {
  const page = await codePage(at);
  await page.getByRole("button", { name: "Show a code" }).click();
  await headed(page, "Type this code on the other device");
  return { page, code: (await page.locator("#code").textContent())! };
}

/** Types a code. */
async function type(page: Page, code: string): Promise<void> {
  await page.getByRole("textbox", { name: "Code from the other device" }).fill(code);
  await page.getByRole("button", { name: "Connect" }).click();
}

/** Waits for a step. */
async function headed(page: Page, heading: string): Promise<void> {
  await expect(page.getByRole("heading", { name: heading, exact: true })).toBeVisible();
}

/** Another code with the same beginning: the server knows it, and it is wrong. */
function wrongOne(code: string): string {
  return `${code.slice(0, -1)}${code.endsWith("0") ? "1" : "0"}`;
}

test("what is no code, and a code that nobody shows, are said to be so", async () => {
  const page = await codePage(bee);
  await headed(page, "Which device shows the code?");
  await type(page, "ABC");
  await headed(page, "That is not a code");
  await review(page, "code-mistyped", POPUP);
  await page.getByRole("button", { name: "Try again" }).click();
  // What was typed is there to be corrected.
  await expect(page.getByRole("textbox", { name: "Code from the other device" })).toHaveValue("ABC");
  await type(page, "ABCD-EFGH");
  await headed(page, "No such code is open");
  await review(page, "code-not-found", POPUP);
  await page.getByRole("button", { name: "Close" }).click();
  await expect(page).toHaveURL(bee.url("popup.html"));
});

test("a wrong code connects nobody, and both sides say so", async () => {
  const { page, code } = await showCode(ada);
  const typing = await codePage(bee);
  await type(typing, wrongOne(code));
  await headed(typing, "The other device has another code");
  await expect(page.locator("#guesses")).toContainText("Somebody came with a wrong code: 1 of 3.");
  await review(page, "code-guessed-once", POPUP);
  await review(typing, "code-wrong", POPUP);
  await typing.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  for (const [profile, other] of [[ada, "Bee"], [bee, "Ada"]] as const) {
    const popup = await Popup.open(profile);
    await expect(popup.page.getByText("No device is near yet")).toBeVisible();
    await expect(popup.device(other)).toHaveCount(0);
  }
});

test("a code stays open while its page is closed, and no longer than its person wants", async () => {
  const { page, code } = await showCode(ada);
  await page.close();
  const popup = await Popup.open(ada);
  await expect(popup.page.getByText("See how it stands.")).toBeVisible();
  await review(popup.page, "popup-code", POPUP);
  await popup.page.getByRole("link", { name: "Continue" }).click();
  await expect(popup.page.locator("#code")).toHaveText(code);
  await popup.page.getByRole("button", { name: "Cancel" }).click();
  await expect(popup.page).toHaveURL(ada.url("popup.html"));
  const typing = await codePage(bee);
  await type(typing, code);
  await headed(typing, "No such code is open");
  await typing.getByRole("button", { name: "Close" }).click();
  await expect(typing).toHaveURL(bee.url("popup.html"));
});

test("the link with a code leads to a page of the server that shows it and keeps it to itself", async () => {
  const { page, code } = await showCode(ada);
  await page.getByRole("button", { name: "Copy link" }).click();
  await expect(page.getByText("Copied.").first()).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  const field = (await codePage(ada)).getByRole("textbox", { name: "Code from the other device" });
  await field.press("ControlOrMeta+V");
  const link = await field.inputValue();
  expect(link).toBe(`${networks[0]!.url.replace("ws", "http")}/#code=${code.replace("-", "")}`);

  const shown = await bee.context.newPage();
  const requests: string[] = [];
  // As they go to the server: without the fragment.
  shown.on("request", (request) => requests.push(request.url()));
  await shown.goto(link);
  await expect(shown.getByText(code)).toBeVisible();
  await expect(shown.getByText(networks[0]!.url)).toBeVisible();
  expect(requests).toEqual([new URL("/", link).href]);
  await review(shown, "server-page-code-phone", PHONE);
  await review(shown, "server-page-code", TAB);
  await shown.goto(link.slice(0, -1));
  await expect(shown.getByText("The code in this link is not complete.")).toBeVisible();
  await shown.goto(new URL("/", link).href);
  await expect(shown.getByText("The code of the other device")).toBeHidden();
  await review(shown, "server-page", TAB);
});

test("a code connects two devices in different networks, for files and for good, and nobody else", async () => {
  const { page, code } = await showCode(ada);
  await review(page, "code-shows", POPUP);
  const typing = await codePage(bee);
  // As people type.
  await type(typing, ` ${code.toLowerCase().replace("-", " ")} `);
  for (const [shown, other] of [[page, "Bee"], [typing, "Ada"]] as const) {
    await headed(shown, `Connected with ${other}`);
  }
  await review(typing, "code-done", POPUP);
  await typing.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Close" }).click();
  for (const devices of [page, typing]) {
    await expect(devices.getByRole("list", { name: "Devices" }).getByText("Paired")).toBeVisible();
  }
  await review(page, "popup-connected-with-code", POPUP);
  await sendFiles(bee, "Ada", [await randomFile(folder, "far.bin", 100_003)]);
  await accept(ada, "Bee");
  await fileArrives(ada.downloads, 100_003);
  // It works once.
  const again = await codePage(bee);
  await type(again, code);
  await headed(again, "No such code is open");
  // They meet again by themselves.
  await ada.restartEngine();
  await expect((await Popup.open(ada)).device("Bee")).toBeVisible();
});

// Every page in every state, light and dark: no accessibility rule is broken, and a picture is left for review in
// test-results/screenshots.

import { devices } from "./harness/devices.ts";
import { fileArrives, randomFile } from "./harness/files.ts";
import { expect, test } from "./harness/fixtures.ts";
import { review } from "./harness/review.ts";
import { accept, midway, sendFiles, transferSays } from "./harness/transfers.ts";
import { clickContextMenu, openSendTab, Popup } from "./harness/ui.ts";

const POPUP = { width: 400, height: 600 };
/** Higher than any popup is, to see all that one can scroll to. */
const TALL = { width: 400, height: 1300 };
const TAB = { width: 900, height: 700 };

const near = devices(["Ada", "Bee"]);

test("the popup before its program runs", async () => {
  const ada = near.get("Ada");
  const popup = await ada.context.newPage();
  await popup.route("**/*.wasm", (route) => route.abort());
  await popup.goto(ada.url("popup.html"));
  await expect(popup.getByText("Starting…")).toBeVisible();
  await expect(popup.getByRole("heading", { name: "Devices" })).toBeVisible();
  await review(popup, "popup-starting", POPUP);
});

test("the popup with a device", async () => {
  const popup = await Popup.open(near.get("Ada"));
  await expect(popup.device("Bee")).toBeVisible();
  await review(popup.page, "popup-device", POPUP);
});

test("the popup with a text being written", async () => {
  const popup = await Popup.open(near.get("Ada"));
  await popup.sendText("Bee").click();
  await popup.page.getByRole("textbox", { name: "Text to send" }).fill("See you at the pier.");
  await review(popup.page, "popup-text", POPUP);
});

test("the popup with questions, transfers and received things", async () => {
  const [ada, bee] = [near.get("Ada"), near.get("Bee")];
  const bytes = 60_000_000;
  // Running, both sides.
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "film of the harbor.mp4", bytes)]);
  const receiver = await accept(bee, "Ada");
  const sender = await Popup.open(ada);
  await midway(sender, "film of the harbor.mp4");
  await review(sender.page, "popup-sending", POPUP);
  await fileArrives(bee.downloads, bytes);
  // Ended in other ways.
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "unwanted.zip", 2_000)]);
  await receiver.decline("Ada").click();
  await transferSays(sender, "unwanted.zip", "Declined");
  // Received without a question.
  const page = await ada.open(near.site.url("/"));
  await clickContextMenu(ada, "page", bee, page);
  await clickContextMenu(ada, "selection", bee, page, { selectionText: "Boats come back with the tide." });
  await expect(receiver.page.getByText("Text from Ada")).toBeVisible();
  // Questions: a program that wants to be taken for a document, many files, and a long name in letters that run from right to left.
  await sendFiles(ada, "Bee", [await randomFile(near.folder, "invoice.pdf.exe", 3_000)]);
  const names = ["one.txt", "two.txt", "three.txt", "four.txt", "five.txt", "six.txt", "seven.txt"];
  await sendFiles(ada, "Bee", await Promise.all(names.map((name) => randomFile(near.folder, name, 1_000))));
  await sendFiles(ada, "Bee", [await randomFile(near.folder, `تقرير ${"الميناء ".repeat(8)}.pdf`, 3_000_000)]);
  await expect(receiver.accept("Ada")).toHaveCount(3);
  await expect(receiver.page.getByText("One file is a program.")).toBeVisible();
  await review(receiver.page, "popup-receiver", TALL);
  await review(sender.page, "popup-sender", TALL);
  for (const left of [2, 1]) {
    await receiver.decline("Ada").first().click();
    await expect(receiver.accept("Ada")).toHaveCount(left);
  }
  await receiver.decline("Ada").first().click();
});

test("the popup alone, and without a connection", async () => {
  await near.remove("Bee");
  const popup = await Popup.open(near.get("Ada"));
  await expect(popup.page.getByText("No device is near yet")).toBeVisible();
  await review(popup.page, "popup-alone", POPUP);
  await near.server.kill();
  await expect(popup.page.getByText("Not connected").first()).toBeVisible();
  await review(popup.page, "popup-offline", POPUP);
  await near.server.restart();
  await near.add("Bee");
  await expect(popup.device("Bee")).toBeVisible({ timeout: 45_000 });
});

test("the popup of a device that not everyone can find", async () => {
  const ada = near.get("Ada");
  const options = await ada.open("options.html");
  const popup = await Popup.open(ada);
  for (const [choice, words, name] of [
    ["Paired devices only", "Only paired devices and groups can find this device", "popup-only-paired"],
    ["Nobody", "Nobody can find this device", "popup-nobody"],
  ] as const) {
    await options.bringToFront();
    await options.getByRole("radio", { name: choice }).check();
    await popup.page.bringToFront();
    await expect(popup.visible).toContainText(words);
    await review(popup.page, name, POPUP);
  }
  await options.bringToFront();
  await options.getByRole("radio", { name: "Everyone nearby" }).check();
  await popup.page.bringToFront();
  await expect(popup.device("Bee")).toBeVisible();
});

test("the page for codes, alone and with a code in its address, which it does not send by itself", async () => {
  const ada = near.get("Ada");
  const page = await ada.open("code.html");
  await expect(page.getByRole("heading", { name: "Which device shows the code?" })).toBeVisible();
  await review(page, "code-start", POPUP);
  const linked = await ada.open("code.html#code=A1B20XYZ");
  await expect(linked.getByRole("textbox", { name: "Code from the other device" })).toHaveValue("A1B2-0XYZ");
  await expect(linked.getByRole("heading", { name: "Which device shows the code?" })).toBeVisible();
  expect(linked.url()).toBe(ada.url("code.html"));
});

test("the send tab, with its device and without", async () => {
  const ada = near.get("Ada");
  const popup = await Popup.open(ada);
  const tab = await openSendTab(ada, popup, "Bee");
  await expect(tab.getByRole("heading", { name: "Send files to Bee" })).toBeVisible();
  await review(tab, "send", TAB);
  const nobody = await ada.open("send.html?to=aaaaaaaaaaaaaaaaaaaaaaaaaa");
  await expect(nobody.getByText("This device is not near any more.")).toBeVisible();
  await review(nobody, "send-device-gone", TAB);
});

test("the settings, with a good address and a bad one", async () => {
  const options = await near.get("Ada").open("options.html");
  await expect(options.getByText(/^Reachable: a Tabferry server/)).toBeVisible();
  await review(options, "options", TAB);
  await options.getByRole("textbox", { name: "Signaling server" }).fill("ws://127.0.0.1:9");
  await expect(options.getByText(/^Not reachable/)).toBeVisible();
  await review(options, "options-unreachable", TAB);
});

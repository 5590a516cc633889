// The extension's pages as a person meets them: by role and accessible name. The names are a contract with the pages.

import { expect, type Locator, type Page } from "@playwright/test";

import type { Connection } from "./devtools.ts";
import type { Profile } from "./profile.ts";
import type { Site } from "./site.ts";

/** The popup, opened as a tab so that it stays. */
export class Popup {
  /** The tab. */
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** Opens it. */
  static async open(profile: Profile): Promise<Popup> {
    return new Popup(await profile.open("popup.html"));
  }

  /** A device near. */
  device(name: string): Locator {
    return this.page.getByRole("list", { name: "Devices" }).getByRole("listitem").filter({ hasText: name });
  }

  /** A device's button "Send this page". */
  sendPage(name: string): Locator {
    return this.page.getByRole("button", { name: `Send this page to ${name}`, exact: true });
  }

  /** A device's button "Send files…". */
  sendFiles(name: string): Locator {
    return this.page.getByRole("button", { name: `Send files to ${name}`, exact: true });
  }

  /** A device's button "Send text…". */
  sendText(name: string): Locator {
    return this.page.getByRole("button", { name: `Send text to ${name}`, exact: true });
  }

  /** What says who can find this device, where that is not everyone nearby. */
  get visible(): Locator {
    return this.page.locator("#visible");
  }

  /** The list of what came and what waits for an answer. */
  get incoming(): Locator {
    return this.page.getByRole("list", { name: "Incoming" });
  }

  /** The list of transfers. */
  get transfers(): Locator {
    return this.page.getByRole("list", { name: "Transfers" });
  }

  /** The button that accepts what a device proposes. */
  accept(from: string): Locator {
    return this.incoming.getByRole("button", { name: new RegExp(`^Accept\\b.*${escape(from)}`) });
  }

  /** The button that declines it. */
  decline(from: string): Locator {
    return this.incoming.getByRole("button", { name: new RegExp(`^Decline\\b.*${escape(from)}`) });
  }

  /** A transfer in the list, by what it is named: a file, or "n files". */
  transfer(subject: string): Locator {
    return this.transfers.getByRole("listitem").filter({ hasText: subject });
  }

  /** A running transfer's progress. */
  progress(subject: string): Locator {
    return this.transfers.getByRole("progressbar", { name: subject });
  }
}

/** Presses a device's button "Send files…" and returns the send tab that it opens. */
export async function openSendTab(profile: Profile, popup: Popup, device: string): Promise<Page> {
  const opened = profile.context.waitForEvent("page", (page) => page.url().includes("/send.html"));
  await popup.sendFiles(device).click();
  return opened;
}

/** Chooses files on a send tab; they are sent at once. The browser is given their paths: Playwright would read files of a
 * browser that it has not started itself, and refuses large ones. */
export async function chooseFiles(sendTab: Page, files: string[]): Promise<void> {
  // Before that no person could use it.
  await expect(sendTab.getByLabel("Files to send")).toBeEnabled();
  const devtools = await sendTab.context().newCDPSession(sendTab);
  const { result } = await devtools.send("Runtime.evaluate", { expression: `document.querySelector("input[type=file]")` });
  await devtools.send("DOM.setFileInputFiles", { files, objectId: result.objectId! });
  await devtools.detach();
}

/** Clicks a button in a document that Playwright does not know, once it is there: finds it by role and accessible name,
 * and clicks where it is on the screen. */
export async function clickButton(document: Connection, name: string, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  await document.send("Accessibility.enable");
  await document.send("DOM.enable");
  for (;;) {
    const { root } = await document.send<{ root: { backendNodeId: number } }>("DOM.getDocument");
    const { nodes } = await document.send<{ nodes: { backendDOMNodeId: number; ignored: boolean }[] }>(
      "Accessibility.queryAXTree",
      { backendNodeId: root.backendNodeId, role: "button", accessibleName: name },
    );
    const node = nodes.find(({ ignored }) => !ignored);
    if (node) {
      const target = { backendNodeId: node.backendDOMNodeId };
      await document.send("DOM.scrollIntoViewIfNeeded", target);
      const { quads } = await document.send<{ quads: number[][] }>("DOM.getContentQuads", target);
      const [left = 0, top = 0, , , right = 0, bottom = 0] = quads[0] ?? [];
      const at = { x: (left + right) / 2, y: (top + bottom) / 2, button: "left", clickCount: 1 };
      await document.send("Input.dispatchMouseEvent", { type: "mousePressed", ...at });
      await document.send("Input.dispatchMouseEvent", { type: "mouseReleased", ...at });
      return;
    }
    if (Date.now() > deadline) {
      throw new Error(`no button "${name}" within ${timeoutMs} ms`);
    }
    // The next change of the document, or the next frame: whichever the page has first.
    await document.evaluate("new Promise((resolve) => requestAnimationFrame(resolve))");
  }
}

/** What the extension's menu items send. */
export type MenuKind = "page" | "link" | "selection" | "image" | "video" | "audio" | "file";

/** Clicks "Send … to …" in the context menu of a page, from where the extension's part begins: checks that the item is
 * there and fires the browser's event at the real listener. */
export async function clickContextMenu(
  from: Profile,
  kind: MenuKind,
  to: { name: string },
  page: Page,
  info: Partial<chrome.contextMenus.OnClickData> = {},
): Promise<void> {
  const menuItemId = `${kind}:${await from.deviceId(to.name)}`;
  const tab = { url: page.url(), title: await page.title() };
  await from.inWorker(
    async ({ clicked, tab }) => {
      // Fails where there is no such item.
      await chrome.contextMenus.update(clicked.menuItemId, {});
      // Chromium gives every event this method; its type declarations leave it out.
      const event = chrome.contextMenus.onClicked as unknown as { dispatch(info: object, tab: object): void };
      event.dispatch({ editable: false, pageUrl: tab.url, ...clicked }, tab);
    },
    { clicked: { menuItemId, ...info }, tab },
  );
}

/** What pasting on a page of a site gives. */
export async function pasted(profile: Profile, site: Site): Promise<string> {
  const page = await profile.open(site.url("/other"));
  await page.evaluate(() => document.body.replaceChildren(document.createElement("textarea")));
  const area = page.locator("textarea");
  await area.focus();
  await page.keyboard.press("ControlOrMeta+v");
  const text = await area.inputValue();
  await page.close();
  return text;
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

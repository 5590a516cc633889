// The extension's items in the context menus. The browser lists none, so they are read where the extension keeps what
// it has handed over, and each is asked for in the browser.

import { expect, type Page } from "@playwright/test";

/** An item of a context menu. */
export interface MenuItem {
  id: string;
  parentId?: string;
  title: string;
  contexts: string[];
}

/** The items, read on one of the extension's pages so that a dead worker is not woken up. */
export async function menuItems(page: Page): Promise<MenuItem[]> {
  return page.evaluate(async () => {
    const { menu } = await chrome.storage.session.get("menu");
    const items = JSON.parse(String(menu ?? "[]")) as MenuItem[];
    // Fails where the browser has no such item.
    await Promise.all(items.map(({ id }) => chrome.contextMenus.update(id, {})));
    return items;
  });
}

/** Waits until the items for one context are these, submenus indented by two spaces. */
export async function menuReads(page: Page, context: string, titles: string[]): Promise<void> {
  const read = async (): Promise<string[]> => {
    const items = (await menuItems(page)).filter(({ contexts }) => contexts.includes(context));
    const top = items.filter(({ parentId }) => !parentId);
    return top.flatMap(({ id, title }) => [
      title,
      ...items.filter(({ parentId }) => parentId === id).map((item) => `  ${item.title}`),
    ]);
  };
  await expect.poll(() => read().catch(() => []), { message: `the menu for ${context}` }).toEqual(titles);
}

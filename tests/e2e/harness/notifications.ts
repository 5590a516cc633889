// The notifications that the extension shows. The browser lists them by id only, so what they say is written down where
// the extension hands them over; the call itself goes on to the browser.

import { expect } from "@playwright/test";

import type { Profile } from "./profile.ts";

/** A notification as the extension has shown it. */
export interface Shown {
  id: string;
  title: string;
  message: string;
  buttons: string[];
}

/** Writes down what is shown from now on, until the worker ends. */
export async function watchNotifications(profile: Profile): Promise<void> {
  await profile.inWorker(() => {
    const scope = globalThis as unknown as { shown?: Shown[]; whenShown?: Set<() => void> };
    if (scope.shown) {
      scope.shown = [];
      return;
    }
    scope.shown = [];
    const create = chrome.notifications.create.bind(chrome.notifications) as (...given: unknown[]) => Promise<string>;
    (chrome.notifications as { create: unknown }).create = (...given: unknown[]) => {
      const [id, options] = given as [string, chrome.notifications.NotificationOptions];
      const buttons = (options.buttons ?? []).map(({ title }) => title);
      scope.shown!.push({ id, title: options.title ?? "", message: options.message ?? "", buttons });
      scope.whenShown?.forEach((look) => look());
      return create(...given);
    };
  });
}

/** Waits for a notification with this title, and with this message if one is given, also one that is gone from the screen
 * again, and returns it. */
export async function told(
  profile: Profile,
  title: string | RegExp,
  timeoutMs = 15_000,
  message?: string,
): Promise<Shown> {
  const pattern = typeof title === "string" ? `^${title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$` : title.source;
  const found = await profile.inWorker(
    ({ pattern, timeoutMs, message }) =>
      new Promise<Shown | undefined>((resolve) => {
        const scope = globalThis as unknown as { shown: Shown[]; whenShown?: Set<() => void> };
        const listeners = (scope.whenShown ??= new Set());
        const fits = (one: Shown): boolean =>
          new RegExp(pattern).test(one.title) && (message === undefined || message === one.message);
        const look = (): void => {
          const one = scope.shown.find(fits);
          if (one) {
            listeners.delete(look);
            resolve(one);
          }
        };
        listeners.add(look);
        setTimeout(() => resolve(undefined), timeoutMs);
        look();
      }),
    { pattern, timeoutMs, message },
  );
  expect(found, `${profile.name} is told "${String(title)}"`).toBeDefined();
  return found!;
}

/** All that was shown since {@link watchNotifications}. */
export async function allShown(profile: Profile): Promise<Shown[]> {
  return profile.inWorker(() => (globalThis as unknown as { shown: Shown[] }).shown);
}

/** Waits for a notification whose title fits, and returns it. It is on the screen. */
export async function notification(profile: Profile, title: string | RegExp): Promise<Shown> {
  const find = async (): Promise<Shown | undefined> => {
    const shown = await profile.inWorker(() => (globalThis as unknown as { shown?: Shown[] }).shown ?? []);
    return shown.find((one) => (typeof title === "string" ? one.title === title : title.test(one.title)));
  };
  await expect.poll(find, { message: `a notification "${String(title)}"` }).toBeDefined();
  const found = (await find())!;
  await expect.poll(() => onScreen(profile)).toContain(found.id);
  return found;
}

/** Ids of the notifications that the browser shows. */
export async function onScreen(profile: Profile): Promise<string[]> {
  return profile.inWorker(async () => Object.keys(await chrome.notifications.getAll()));
}

/** Presses a button of a notification, from where the extension's part begins: fires the browser's event at the real
 * listener. */
export async function pressButton(profile: Profile, shown: Shown, button: string): Promise<void> {
  const index = shown.buttons.indexOf(button);
  expect(index, `button "${button}" among ${shown.buttons.join(", ")}`).toBeGreaterThanOrEqual(0);
  await profile.inWorker(
    ({ id, index }) => {
      const event = chrome.notifications.onButtonClicked as unknown as { dispatch(id: string, index: number): void };
      event.dispatch(id, index);
    },
    { id: shown.id, index },
  );
}

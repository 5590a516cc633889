// A look at a page as a person would: its pictures in light and dark, and the rules of accessibility.

import { mkdir } from "node:fs/promises";
import path from "node:path";

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";

import { expect } from "./fixtures.ts";

const SCREENSHOTS = path.join(import.meta.dirname, "..", "test-results", "screenshots");

/** Checks a page in light and dark, and takes its pictures. */
export async function review(page: Page, name: string, size: { width: number; height: number }): Promise<void> {
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.setViewportSize(size);
  for (const colorScheme of ["light", "dark"] as const) {
    // The rules are checked in a tab of their own, and one behind another draws nothing.
    await page.bringToFront();
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: path.join(SCREENSHOTS, `${name}-${colorScheme}.png`), fullPage: true });
    const { violations, passes } = await new AxeBuilder({ page }).analyze();
    expect(passes.length, "rules that were checked").toBeGreaterThan(10);
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    expect.soft(found, `${name}, ${colorScheme}`).toEqual([]);
  }
  await page.bringToFront();
  await page.emulateMedia({ colorScheme: null });
}

import { defineConfig } from "@playwright/test";

export default defineConfig({
  testMatch: "*.spec.ts",
  globalSetup: "./harness/lifeline-setup.ts",
  // Each test runs two or three browsers; two tests at once would measure each other.
  workers: 1,
  fullyParallel: false,
  // A test that passes on the second try has not passed.
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 15_000 },
  forbidOnly: Boolean(process.env["CI"]),
  outputDir: "test-results",
  reporter: [["list"], ["json"]],
});

// Playwright's global setup: lets a test run end with the `cargo xtask` that started it.

import { inputClosed } from "./lifeline.ts";

export default function setup(): void {
  // As Ctrl-C does: Playwright ends its workers, and each of them cleans up.
  void inputClosed().then(() => process.kill(process.pid, "SIGINT"));
}

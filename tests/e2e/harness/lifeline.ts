// When to stop before the work is done: somebody pressed Ctrl-C, or `cargo xtask`, which holds the other end of our
// standard input, has ended or wants us to end.

/** Resolves when our standard input is closed. */
export async function inputClosed(): Promise<void> {
  return new Promise((resolve) => {
    process.stdin.once("end", resolve).once("error", resolve).resume();
    // It must not keep us running by itself.
    (process.stdin as unknown as { unref?: () => void }).unref?.();
  });
}

/** Resolves when we shall stop for any reason. */
export async function askedToStop(): Promise<void> {
  const signaled = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => resolve());
    }
  });
  return Promise.race([signaled, inputClosed()]);
}

// Where the things under test are. `cargo xtask` builds or finds them and says so in environment variables.

import path from "node:path";

/** Reads a variable that `cargo xtask` sets. Throws when it is missing. */
function fromXtask(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run this through cargo xtask, which builds what it needs`);
  }
  return value;
}

/** The Chromium program. */
export function chromiumProgram(): string {
  return fromXtask("TABFERRY_CHROMIUM");
}

/** The unpacked extension. */
export function extensionFolder(): string {
  return fromXtask("TABFERRY_EXTENSION");
}

/** The program `tabferry-signaling`. */
export function signalingProgram(): string {
  return program("tabferry-signaling");
}

/** The program `tabferry`. */
export function nativeHostProgram(): string {
  return program("tabferry");
}

/** The program `tabferry-evil-signaling`. */
export function evilSignalingProgram(): string {
  return program("tabferry-evil-signaling");
}

/** The example `bare` of the native host. */
export function bareHostProgram(): string {
  return program(path.join("examples", "bare"));
}

function program(name: string): string {
  return path.join(fromXtask("TABFERRY_PROGRAMS"), `${name}${process.platform === "win32" ? ".exe" : ""}`);
}

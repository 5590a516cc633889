// The offscreen document: starts the engine.

import init from "./wasm/offscreen.js";

init({ module_or_path: "wasm/offscreen_bg.wasm" });

// The offscreen document: starts the engine.

import init from "./wasm/offscreen.js";

init();

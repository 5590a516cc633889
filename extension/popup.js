// The popup: starts its program.

import init from "./wasm/popup.js";

init();

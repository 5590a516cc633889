// The settings: start their program.

import init from "./wasm/options.js";

init();

// The settings: start their program.

import init from "./wasm/options.js";

init({ module_or_path: "wasm/options_bg.wasm" });

// The pairing page: starts its program.

import init from "./wasm/pair.js";

init({ module_or_path: "wasm/pair_bg.wasm" });

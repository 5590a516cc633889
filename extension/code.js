// The page for connecting with a code: starts its program.

import init from "./wasm/code.js";

init({ module_or_path: "wasm/code_bg.wasm" });

// The send tab: starts its program.

import init from "./wasm/send.js";

init({ module_or_path: "wasm/send_bg.wasm" });

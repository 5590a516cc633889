// The send tab: starts its program.

import init from "./wasm/send.js";

init();

//! What the extension's contexts share: their messages and the bindings to the browser. The contexts themselves are the
//! programs in `bin/`, one wasm module each, so that the popup does not load the engine.

pub mod background;
pub mod chrome;
pub mod envelope;
pub mod i18n;
pub mod json;
pub mod model;
pub mod offscreen;
pub mod page;
pub mod random;
pub mod settings;
pub mod view;

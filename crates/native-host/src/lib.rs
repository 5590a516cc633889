//! The native host: an endpoint of a device that is there without a browser. See `ARCHITECTURE.md`.

pub mod cli;
pub mod install;

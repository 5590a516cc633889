//! The native host: an endpoint of a device that is there without a browser. See `ARCHITECTURE.md`.

pub mod disk;
pub mod inbox;
pub mod source;

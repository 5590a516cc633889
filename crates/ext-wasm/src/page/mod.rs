//! What pages do: ask the engine, hand files over, understand clicks, lead through steps, try a server, keep groups.

pub mod click;
pub mod engine;
pub mod groups;
pub mod handover;
pub mod native;
pub mod server;
pub mod step;

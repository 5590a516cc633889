//! The rules of Tabferry: one deterministic state machine for presence, sessions and transfers. It knows no socket, clock,
//! thread, file, browser or runtime.
//!
//! The contract with its driver:
//!
//! - Every change enters through [`Engine::handle`] with the current time, which never goes back.
//! - After each `handle` the driver drains [`Engine::poll`] until it returns `None`, carrying out the [`Output`]s in their
//!   order, before it hands in the next input. [`Output::SendBulk`] and [`Output::Write`] speak of the bytes of the input
//!   just handed in.
//! - At [`Engine::deadline`] at the latest the driver hands in [`Input::Tick`].
//! - All that is shown is in [`Engine::snapshot`], which is worth asking for again when [`Engine::revision`] has changed.
//!
//! Wrong input from a peer or a server ends with a code, never with a panic.
#![forbid(unsafe_code)]

mod authentication;
mod codes;
mod commands;
mod connection;
mod engine;
mod flow;
mod frames;
mod io;
mod outbox;
mod pairing;
mod presence;
mod receiving;
mod rooms;
mod sending;
mod session;
mod sessions;
mod signaling;
mod speed;
mod table;
mod transfer;
mod trust;

pub use engine::{Engine, Kept, NATIVE_KEYS};
pub use io::{
    Channel, ConnectionKey, ConnectionState, FileFailure, FileKey, Input, Output, ReadKey, Time,
};
pub use table::Table;

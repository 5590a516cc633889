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

mod io;

pub use io::{Channel, ConnectionKey, ConnectionState, FileFailure, FileKey, Input, Output, ReadKey, Time};

/// The state machine. See the crate's documentation for the contract with its driver.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// A new engine that has heard nothing yet. `seed` must be random: ids and back-off derive from it.
    pub fn new(seed: [u8; 32], now: Time) -> Self {
        let _ = (seed, now);
        Self {}
    }
    /// Takes one input.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        let _ = (now, input);
    }
    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        None
    }
    /// When [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Time> {
        None
    }
    /// Changes whenever a new snapshot would differ in more than speeds.
    pub fn revision(&self) -> u64 {
        0
    }
    /// All that there is to show.
    pub fn snapshot(&self, now: Time) -> tabferry_protocol::host::Snapshot {
        let _ = now;
        tabferry_protocol::host::Snapshot {
            device: None,
            connection: tabferry_protocol::host::ConnectionView::Connecting,
            devices: Vec::new(),
            incoming: Vec::new(),
            transfers: Vec::new(),
            items: Vec::new(),
        }
    }
}

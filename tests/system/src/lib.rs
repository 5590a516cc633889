//! A signaling server that must not be trusted, as a list of attacks: what it delivers instead of what it should. The
//! engine's simulation and the program `tabferry-evil-signaling` run the same list. It knows signaling messages and the
//! lines of a description that name certificates; it must not know sockets, engines or WebRTC.
#![forbid(unsafe_code)]

mod attack;
pub mod description;
mod memory;
mod variant;

pub use attack::{Act, Evil};
pub use variant::{Outcome, Variant};

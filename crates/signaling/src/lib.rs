//! The signaling server: peers find each other in rooms and pass the signals that lead to a direct connection. The rules
//! are in [`rooms`], which knows no socket; the rest owns sockets, limits and logging.
#![forbid(unsafe_code)]

pub mod address;
pub mod bucket;
pub mod clock;
pub mod close;
pub mod codes;
pub mod config;
mod hub;
mod metrics;
pub mod origin;
pub mod outbox;
mod page;
mod per_source;
pub mod proxy;
mod random;
mod relay_desk;
mod relay_socket;
pub mod relays;
pub mod rooms;
pub mod server;
mod socket;
pub mod sources;
pub mod tls;
pub mod turn;

pub use config::{Config, Limits};
pub use server::{Server, StartError};

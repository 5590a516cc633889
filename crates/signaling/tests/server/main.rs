//! The server's promises, each over real sockets on a free port.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that panics has failed"
)]

mod client;
mod codes;
mod document;
mod frames;
mod http;
mod idle;
mod limits;
mod meeting;
mod process;
mod proxy;
mod relay;
mod rooms;
mod stopping;
mod tls;
mod turn;

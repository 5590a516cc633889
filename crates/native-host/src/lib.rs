//! The program `tabferry`: what a browser starts to reach the daemon, the daemon itself, and commands in a terminal.

pub mod bridge;
pub mod cli;
pub mod client;
pub mod config;
pub mod connection;
pub mod daemon;
pub mod disk;
mod files;
pub mod frames;
pub mod inbox;
pub mod install;
pub mod launch;
pub mod local_socket;
pub mod logging;
pub mod places;
pub mod source;

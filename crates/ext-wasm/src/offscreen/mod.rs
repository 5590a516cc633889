//! The offscreen document: the engine and its drivers, one file per subject. It lives as long as the browser does, shows
//! nothing and decides nothing: what is to be done is the engine's, this carries it out. It knows no user interface, and
//! no extension API but messages.

mod association;
mod background;
mod clipboard;
mod connection;
mod download;
mod fetch;
mod file_name;
mod host;
mod log;
mod memory;
mod native;
mod object;
mod pages;
mod publisher;
mod signaling_socket;
mod source;
mod timer;
mod vault;

pub use host::start;

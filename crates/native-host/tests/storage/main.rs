//! What is received is there whole or not at all, under a name of its own and nowhere else; what is sent is what was named.
//! On the real file system, and on file systems made for a test where it may mount them.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it left out"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests play everyone else who writes into a folder"
)]

mod disk;
mod folder;
mod full;
mod inbox;
mod killed;
mod source;

//! The command line, one file per group of commands.

pub mod generated;
pub mod install;

//! Program `tabferry`: the optional native messaging host. It knows its own version so far; it must not
//! pretend to do anything that it does not do yet.

use clap::Parser;

/// Receives files from the Tabferry extension straight to disk.
#[derive(Debug, Parser)]
#[command(name = "tabferry", version, arg_required_else_help = true)]
struct Arguments {}

fn main() {
    Arguments::parse();
}

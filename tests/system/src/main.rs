//! Program `tabferry-evil-signaling`: a signaling server that must not be trusted. It passes everything on to an honest one
//! and delivers something else than that one says. Knows the command line and the lines of its control input and output;
//! must not know the attacks.
//!
//! | line of input | |
//! |---|---|
//! | `honest` | it attacks no more |
//! | `evil NAME SEED` | it attacks in this way |
//! | `provoke` | devices restart ICE |
//! | `deliver JSON` | a signal of the attacker's own peer connections: `{"from", "to", "signal"}` |
//!
//! | line of output | |
//! |---|---|
//! | `listening on ws://…` | the first one |
//! | `attacked JSON` | something else was delivered than this signal: `{"from", "to", "signal"}` |
//! | `intercepted JSON` | a signal for the attacker's own peer connections, of the same form |

mod proxy;

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use evil::Variant;
use serde::{Deserialize, Serialize};
use tabferry_protocol::id::PeerId;
use tabferry_protocol::signaling::Signal;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::proxy::Proxy;

/// Lines of input that wait for their turn.
const LINES: usize = 64;

/// Delivers something else than an honest signaling server says.
#[derive(Debug, Parser)]
#[command(name = "tabferry-evil-signaling")]
struct Arguments {
    /// The honest server, ADDRESS:PORT or ws://ADDRESS:PORT.
    #[arg(long, value_name = "URL")]
    upstream: String,

    /// Where to listen. Port 0 takes a free one; the first line of output says which.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// How it attacks from the start; honest without it.
    #[arg(long, value_name = "NAME")]
    variant: Option<Variant>,

    /// What is left to chance follows from it.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// Print the names of all attacks, one a line, and end.
    #[arg(long, exclusive = true)]
    list: bool,
}

/// A signal on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Passage {
    from: PeerId,
    to: PeerId,
    signal: Signal,
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        Variant::ALL.iter().for_each(|variant| say(variant.name()));
        return ExitCode::SUCCESS;
    }
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "tabferry-evil-signaling: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let listener = TcpListener::bind(arguments.listen).await?;
    let upstream = arguments.upstream.trim_start_matches("ws://");
    let proxy = Proxy::new(upstream, arguments.variant, arguments.seed);
    say(&format!("listening on ws://{}", listener.local_addr()?));
    let mut lines = input();
    loop {
        tokio::select! {
            arrived = listener.accept() => proxy.serve(arrived?.0),
            line = lines.recv() => match line {
                Some(line) => obey(&proxy, &line)?,
                // Whoever has started it is gone.
                None => return Ok(()),
            },
        }
    }
}

fn obey(proxy: &Proxy, line: &str) -> anyhow::Result<()> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "honest" => proxy.rest(),
        "evil" => {
            let (name, seed) = rest.split_once(' ').unwrap_or((rest, "0"));
            proxy.attack(name.parse()?, seed.parse()?);
        }
        "provoke" => proxy.provoke(),
        "deliver" => proxy.deliver(serde_json::from_str(rest)?),
        _ => anyhow::bail!("an unknown line of input: {line}"),
    }
    Ok(())
}

/// The lines of the control input, until its end.
fn input() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES);
    // Ends with the process: a read can't be called off.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Says a line to whoever listens.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    // Nobody has to.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

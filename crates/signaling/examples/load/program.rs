//! The server as a process of its own: starting it, killing it, and what the kernel says of it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

/// Ticks of the kernel's clock for processor time: 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Program {
    /// Starts the server at `listen`, on one processor if asked. It takes this machine for a proxy, so that clients can
    /// come from anywhere.
    pub(crate) fn start(
        server: &Path,
        listen: SocketAddr,
        processor: Option<usize>,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let mut command = match processor {
            Some(processor) => {
                let mut command = Command::new("taskset");
                command.arg("-c").arg(processor.to_string()).arg(server);
                command
            }
            None => Command::new(server),
        };
        let mut child = command
            .args(["--listen", &listen.to_string()])
            .args(["--trusted-proxy", "127.0.0.0/8"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", server.display()))?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the program has an output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let mut program = Self {
            child,
            address: listen,
        };
        let address = line.trim().strip_prefix("listening on ws://");
        let address = address.with_context(|| format!("the server said {line:?}"))?;
        program.address = address.parse()?;
        Ok(program)
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        let number = line.trim().trim_end_matches(" kB");
        Ok(number.parse()?)
    }

    /// Processor time that it has used so far.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may contain anything.
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.kill();
    }
}

/// While it lives, this process leaves one processor to the server, where there are others.
#[derive(Debug)]
pub(crate) struct Apart {
    processors: usize,
}

impl Apart {
    pub(crate) fn from(processor: usize) -> anyhow::Result<Self> {
        let processors = std::thread::available_parallelism()?.get();
        if processors > 1 {
            run_on((0..processors).filter(|other| *other != processor))?;
        }
        Ok(Self { processors })
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // What could be done before can be undone.
        let _ = run_on(0..self.processors);
    }
}

fn run_on(processors: impl Iterator<Item = usize>) -> anyhow::Result<()> {
    let list: Vec<String> = processors.map(|processor| processor.to_string()).collect();
    let status = Command::new("taskset")
        .args(["-a", "-c", "-p", &list.join(",")])
        .arg(std::process::id().to_string())
        .stdout(Stdio::null())
        .status()
        .context("cannot start taskset")?;
    anyhow::ensure!(status.success(), "taskset failed");
    Ok(())
}

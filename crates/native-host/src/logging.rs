//! Where the daemon and the bridge write what happens: a file each in the state directory. Never to stdout, which is the
//! browser's.

use std::fs::{self, File};
use std::io;

use tracing_subscriber::EnvFilter;

use crate::places::{self, Places};

/// A log that is longer is put aside at the next start.
const LOG_BYTES: u64 = 1024 * 1024;

/// Names the level, or the filter, of what is logged.
const FILTER_VARIABLE: &str = "TABFERRY_LOG";

/// Logs to `<name>.log` from now on.
#[expect(
    clippy::disallowed_methods,
    reason = "a log is appended to, in a directory of this user alone, and replaces an older one"
)]
pub fn start(places: &Places, name: &str) -> io::Result<()> {
    places::make_private(&places.state)?;
    let path = places.state.join(format!("{name}.log"));
    if fs::metadata(&path).is_ok_and(|log| log.len() > LOG_BYTES) {
        // A process that still writes there goes on in the old one.
        fs::rename(&path, path.with_extension("old.log"))?;
    }
    let file = File::options().create(true).append(true).open(path)?;
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE)
        .unwrap_or_else(|_| EnvFilter::new("warn,tabferry_host=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::sync::Mutex::new(file))
        .init();
    Ok(())
}

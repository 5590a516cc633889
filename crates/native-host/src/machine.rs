//! What this computer is called. Knows nothing else.

use tabferry_protocol::card::DeviceName;

/// Its network name, without its domain.
pub(crate) fn name() -> DeviceName {
    let full = network_name().unwrap_or_default();
    let short = full.split('.').next().unwrap_or_default();
    #[expect(clippy::expect_used, reason = "the other name is visible and short")]
    DeviceName::from_typed(short)
        .or_else(|_| DeviceName::from_typed("Computer"))
        .expect("a valid name")
}

#[cfg(unix)]
fn network_name() -> Option<String> {
    let names = rustix::system::uname();
    Some(names.nodename().to_string_lossy().into_owned())
}

#[cfg(windows)]
fn network_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

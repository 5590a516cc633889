//! What commands write to and read from a terminal. Names of other devices and of their files are hostile, and come out
//! without what a terminal would obey.

use std::io::{self, BufRead, IsTerminal, Write};

use tabferry_protocol::host::DeviceView;
use tabferry_protocol::name::is_invisible;

use super::CommandError;

/// A line on stdout.
pub(super) fn print(line: &str) -> Result<(), CommandError> {
    writeln!(io::stdout(), "{line}").map_err(|error| CommandError::Io("stdout".to_owned(), error))
}

/// A value as JSON on stdout.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| CommandError::Io("stdout".to_owned(), error.into()))?;
    print(&json)
}

/// Asks for a line. Waits in a thread of its own; `None` at the end of the input.
pub(super) async fn ask(question: String) -> Result<Option<String>, CommandError> {
    let asked = tokio::task::spawn_blocking(move || {
        let mut stderr = io::stderr();
        write!(stderr, "{question}")?;
        stderr.flush()?;
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim().to_owned()))
    });
    asked
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| CommandError::Io("stdin".to_owned(), error))
}

/// Whether a person can be asked.
pub(super) fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// A text of somebody else in one line, for a terminal.
pub(super) fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !is_invisible(*c))
        .collect()
}

/// The same with its lines.
pub(super) fn lines(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A device in one line.
pub(super) fn device(device: &DeviceView) -> String {
    let paired = if device.paired { ", paired" } else { "" };
    format!("{} ({}{paired})", line(device.name.as_str()), device.id)
}

/// A number of bytes for people.
pub(super) fn bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_that_it_obeys() {
        assert_eq!(line("a\u{1b}[2Jb\r\nc\u{202e}d"), "a[2Jb  cd");
        assert_eq!(lines("one\u{7}\ntwo"), "one\ntwo");
    }
}

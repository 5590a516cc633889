//! The last things that happened, in words, when a schedule runs again because it failed.

use std::cell::RefCell;
use std::collections::VecDeque;

use tabferry_engine::{Channel, Input, Output};
use tabferry_protocol::frame::{BulkHeader, ControlFrame};

/// Longest line in characters.
const LINE: usize = 400;

thread_local! {
    /// The lines, and how many are kept.
    static TRACE: RefCell<Option<(VecDeque<String>, usize)>> = const { RefCell::new(None) };
}

/// Begins to keep the last `most` lines on this thread.
pub(crate) fn start(most: usize) {
    TRACE.set(Some((VecDeque::new(), most)));
}

/// The lines kept, and no more from now on.
pub(crate) fn take() -> Vec<String> {
    TRACE.take().unwrap_or_default().0.into()
}

/// Keeps a line, if any are kept.
pub(crate) fn line(now: u64, text: impl FnOnce() -> String) {
    TRACE.with_borrow_mut(|lines| {
        let Some((lines, most)) = lines else { return };
        if lines.len() == *most {
            lines.pop_front();
        }
        let text: String = text().chars().take(LINE).collect();
        lines.push_back(format!("{:>7}.{:03} {text}", now / 1000, now % 1000));
    });
}

pub(crate) fn frame(channel: Channel, bytes: &[u8]) -> String {
    match channel {
        Channel::Control => match ControlFrame::decode(bytes) {
            Ok(frame) => format!("{frame:?}"),
            Err(error) => format!("{error}"),
        },
        Channel::Bulk => match BulkHeader::decode(bytes) {
            Ok((header, data)) => format!("{header:?} + {} bytes", data.len()),
            Err(error) => format!("{error}"),
        },
    }
}

pub(crate) fn input(input: &Input<'_>) -> String {
    match input {
        Input::Frame {
            connection,
            channel,
            bytes,
        } => {
            format!(
                "Frame {} {channel:?} {}",
                connection.0,
                frame(*channel, bytes)
            )
        }
        Input::Chunk {
            read,
            data,
            buffered,
        } => {
            format!(
                "Chunk {} of {} bytes, {buffered} buffered",
                read.0,
                data.len()
            )
        }
        other => format!("{other:?}"),
    }
}

pub(crate) fn output(output: &Output) -> String {
    match output {
        Output::SendControl {
            connection,
            frame: bytes,
        } => {
            format!(
                "SendControl {} {}",
                connection.0,
                frame(Channel::Control, bytes)
            )
        }
        other => format!("{other:?}"),
    }
}

//! Asks the person at this computer about a proposal by a desktop notification. Knows no engine.

use std::sync::Arc;

use tabferry_protocol::host::ProposalView;
use tabferry_protocol::id::TransferId;
use tokio::sync::{Semaphore, mpsc};
use tracing::{info, warn};

/// Notifications that wait for an answer at once: each is a thread. A person is not asked more.
const NOTIFICATIONS: usize = 8;

/// Nobody waits longer for an answer.
#[cfg(all(unix, not(target_os = "macos")))]
#[expect(clippy::cast_possible_truncation, reason = "minutes")]
const PATIENCE_MS: u32 = tabferry_protocol::limits::PROPOSAL_TIMEOUT_MS as u32;

/// What was answered: whether yes.
pub(crate) type Answer = (TransferId, bool);

/// Shows notifications, and tells there what was answered.
#[derive(Debug)]
pub(crate) struct Notifications {
    answers: mpsc::Sender<Answer>,
    free: Arc<Semaphore>,
}

impl Notifications {
    /// With where to hear of answers.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Answer>) {
        let (answers, answered) = mpsc::channel(NOTIFICATIONS);
        let free = Arc::new(Semaphore::new(NOTIFICATIONS));
        (Self { answers, free }, answered)
    }

    /// Asks. Who can't be asked is not; the proposal waits for another way.
    pub(crate) fn ask(&self, proposal: &ProposalView) {
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            info!("too many proposals wait already to show one more");
            return;
        };
        let (summary, body) = words(proposal);
        let (transfer, answers) = (proposal.transfer, self.answers.clone());
        // The notification's library waits by blocking, and nobody ends that: not the runtime's thread, which would be
        // waited for at the end.
        std::thread::spawn(move || {
            match show(&summary, &body) {
                Ok(Some(yes)) => {
                    let _ = answers.blocking_send((transfer, yes));
                }
                Ok(None) => {}
                Err(error) => warn!(%error, "a notification can't be shown"),
            }
            drop(permit);
        });
    }
}

fn words(proposal: &ProposalView) -> (String, String) {
    let files = match proposal.files {
        1 => "a file".to_owned(),
        count => format!("{count} files"),
    };
    let summary = format!("{} wants to send {files}", proposal.from.name);
    let mut body = proposal.names.join(", ");
    if usize::try_from(proposal.files).is_ok_and(|files| files > proposal.names.len()) {
        body.push_str(", …");
    }
    if proposal.programs > 0 {
        body.push_str("\nAmong them are programs: accept only what you expect.");
    }
    (summary, escape(&body))
}

/// Notification servers may take the body for markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(all(unix, not(target_os = "macos")))]
fn show(summary: &str, body: &str) -> Result<Option<bool>, notify_rust::error::Error> {
    let mut answer = None;
    notify_rust::Notification::new()
        .appname("Tabferry")
        .summary(summary)
        .body(body)
        .action("accept", "Accept")
        .action("decline", "Decline")
        .timeout(notify_rust::Timeout::Milliseconds(PATIENCE_MS))
        .show()?
        .wait_for_action(|action| {
            answer = match action {
                "accept" => Some(true),
                "decline" => Some(false),
                _ => None,
            };
        });
    Ok(answer)
}

/// Nobody hears of an answer here: it is given at a terminal or in a browser.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn show(summary: &str, body: &str) -> Result<Option<bool>, notify_rust::error::Error> {
    notify_rust::Notification::new()
        .appname("Tabferry")
        .summary(summary)
        .body(body)
        .show()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::card::{DeviceKind, DeviceName};
    use tabferry_protocol::host::DeviceView;
    use tabferry_protocol::id::DeviceId;

    use super::*;

    #[test]
    fn a_proposal_is_put_into_words() {
        let mut proposal = ProposalView {
            transfer: TransferId(1),
            from: DeviceView {
                id: DeviceId::from_bytes([1; 16]),
                name: DeviceName::from_typed("Laptop").unwrap(),
                kind: DeviceKind::Computer,
                paired: true,
            },
            names: vec!["a<b>.txt".to_owned()],
            files: 1,
            programs: 0,
            bytes: 1,
        };
        let (summary, body) = words(&proposal);
        assert_eq!(summary, "Laptop wants to send a file");
        assert_eq!(body, "a&lt;b&gt;.txt");
        proposal.files = 3;
        proposal.programs = 1;
        let (summary, body) = words(&proposal);
        assert_eq!(summary, "Laptop wants to send 3 files");
        assert!(body.starts_with("a&lt;b&gt;.txt, …\nAmong them are programs"));
    }
}

//! What a screen reader says when something changes: who came and left, what arrived, what ended. No percentages.

use tabferry_protocol::host::{Direction, Snapshot, Subject, TransferState};

use super::connection::ConnectionModel;
use super::item::ItemModel;
use super::item::label;
use super::transfer::TransferModel;
use super::visible::VisibleModel;
use crate::i18n::{Words, files};

/// What to say of the way from one snapshot to the next.
pub fn announcements(before: &Snapshot, after: &Snapshot, words: Words<'_>) -> Vec<String> {
    let mut said = Vec::new();
    if before.connection != after.connection {
        let connection = ConnectionModel::new(after.connection, words);
        said.push(match connection.problem {
            Some(problem) => problem.title,
            None => connection.status,
        });
    }
    if before.visible != after.visible
        && let Some(visible) = VisibleModel::new(after, words)
    {
        said.push(visible.words);
    }
    for device in &after.devices {
        if before.devices.iter().all(|old| old.id != device.id) {
            said.push(words("announce_device_appeared", &[device.name.as_str()]));
        }
    }
    for device in &before.devices {
        if after.devices.iter().all(|new| new.id != device.id) {
            said.push(words("announce_device_left", &[device.name.as_str()]));
        }
    }
    for proposal in &after.incoming {
        if before
            .incoming
            .iter()
            .all(|old| old.transfer != proposal.transfer)
        {
            let from = proposal.from.name.as_str();
            let files = files(proposal.files, words);
            let key = if proposal.from.paired {
                "announce_incoming_paired"
            } else {
                "announce_incoming"
            };
            said.push(words(key, &[from, &files]));
        }
    }
    for transfer in &after.transfers {
        let old = before.transfers.iter().find(|old| old.id == transfer.id);
        let ended = transfer.state.is_final() && old.is_none_or(|old| !old.state.is_final());
        let files = matches!(transfer.subject, Subject::Files { .. });
        let waits = transfer.state == TransferState::Waiting;
        if waits && old.is_none_or(|old| old.state != TransferState::Waiting) {
            let title = TransferModel::new(transfer, words).title.full();
            let device = transfer.device.name.as_str();
            said.push(words("announce_waiting", &[&title, device]));
        }
        // A received page, link or text is announced as such below.
        if !ended || (!files && transfer.direction == Direction::Receive) {
            continue;
        }
        let model = TransferModel::new(transfer, words);
        let title = model.title.full();
        said.push(match (transfer.state, model.advice) {
            (TransferState::Done, _) => words("announce_done", &[&title]),
            (_, reason) => words("announce_ended", &[&title, &reason.unwrap_or(model.detail)]),
        });
    }
    for item in &after.items {
        if before.items.iter().all(|old| old.id != item.id) {
            let title = label(&ItemModel::new(item, words).title);
            said.push(words("announce_item", &[item.from.name.as_str(), &title]));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::code::Code;
    use tabferry_protocol::host::{
        ConnectionView, ItemView, PlainItem, ProposalView, SignalingProblem, TransferView, Visible,
    };
    use tabferry_protocol::id::{ItemId, TransferId};

    use super::*;
    use crate::model::tests::{device, english};

    fn empty() -> Snapshot {
        Snapshot {
            device: None,
            connection: ConnectionView::Online,
            visible: Visible::Everyone,
            devices: Vec::new(),
            incoming: Vec::new(),
            transfers: Vec::new(),
            items: Vec::new(),
        }
    }

    fn transfer(state: TransferState, bytes_done: u64) -> Snapshot {
        Snapshot {
            transfers: vec![TransferView {
                id: TransferId(1),
                direction: Direction::Send,
                device: device(1, "Ada"),
                subject: Subject::Files {
                    name: "a.txt".to_owned(),
                    count: 1,
                },
                bytes: 10,
                bytes_done,
                files_done: 0,
                bytes_per_second: 0,
                seconds_left: None,
                state,
                stored: None,
            }],
            ..empty()
        }
    }

    fn said(before: &Snapshot, after: &Snapshot) -> Vec<String> {
        announcements(before, after, &english)
    }

    #[test]
    fn nothing_new_is_nothing_said() {
        assert!(said(&empty(), &empty()).is_empty());
        let running = transfer(TransferState::Running, 1);
        assert!(said(&running, &transfer(TransferState::Running, 9)).is_empty());
    }

    #[test]
    fn devices_come_and_go() {
        let with = Snapshot {
            devices: vec![device(1, "Ada")],
            ..empty()
        };
        assert_eq!(said(&empty(), &with), ["Ada is near."]);
        assert_eq!(said(&with, &empty()), ["Ada has left."]);
    }

    #[test]
    fn a_lost_connection_is_said_with_its_reason() {
        let lost = Snapshot {
            connection: ConnectionView::Offline {
                problem: SignalingProblem::Lost,
            },
            ..empty()
        };
        assert_eq!(said(&empty(), &lost), [english("problem_lost", &[])]);
        assert_eq!(said(&lost, &empty()), ["Connected"]);
    }

    #[test]
    fn a_proposal_is_said_once() {
        let with = Snapshot {
            incoming: vec![ProposalView {
                transfer: TransferId(3),
                from: device(1, "Ada"),
                names: vec!["a".to_owned()],
                files: 2,
                programs: 0,
                bytes: 3,
            }],
            ..empty()
        };
        assert_eq!(
            said(&empty(), &with),
            ["Ada wants to send you 2 files. Accept or decline."]
        );
        assert!(said(&with, &with).is_empty());

        let mut paired = with;
        paired.incoming[0].from.paired = true;
        assert_eq!(
            said(&empty(), &paired),
            ["Ada, which is paired, wants to send you 2 files. Accept or decline."]
        );
    }

    #[test]
    fn a_crowd_is_said_once() {
        let crowded = Snapshot {
            visible: Visible::Crowded,
            ..empty()
        };
        let words = english("visible_crowded", &["8"]);
        assert_eq!(said(&empty(), &crowded), [words]);
        assert!(said(&crowded, &crowded).is_empty());
        assert!(said(&crowded, &empty()).is_empty());
    }

    #[test]
    fn an_end_is_said_once_with_its_reason() {
        let running = transfer(TransferState::Running, 1);
        let done = transfer(TransferState::Done, 10);
        assert_eq!(said(&running, &done), ["a.txt: done."]);
        assert!(said(&done, &done).is_empty());
        let failed = transfer(
            TransferState::Failed {
                code: Code::PeerGone,
            },
            1,
        );
        let reason = english("code_peer_gone", &[]);
        assert_eq!(said(&running, &failed), [format!("a.txt: {reason}")]);
        let waiting = transfer(TransferState::Waiting, 1);
        assert_eq!(said(&running, &waiting), ["a.txt: waiting for Ada."]);
        assert!(said(&waiting, &waiting).is_empty());
        let cancelled = transfer(TransferState::Cancelled { here: false }, 1);
        assert_eq!(said(&running, &cancelled), ["a.txt: Ada cancelled"]);
    }

    #[test]
    fn a_received_item_is_said_with_its_sender() {
        let with = Snapshot {
            items: vec![ItemView {
                id: ItemId(1),
                from: device(1, "Ada"),
                item: PlainItem::Text {
                    text: "hello\nthere".to_owned(),
                },
            }],
            ..empty()
        };
        assert_eq!(said(&empty(), &with), ["Received from Ada: hello there"]);
    }
}

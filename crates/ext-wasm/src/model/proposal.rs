//! A proposal that waits for an answer.

use tabferry_protocol::host::ProposalView;
use tabferry_protocol::id::TransferId;

use super::name::ShownName;
use crate::i18n::{Words, files, size};

/// What is shown of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalModel {
    /// Which.
    pub id: TransferId,
    /// Whether it comes from a paired device.
    pub paired: bool,
    /// Who wants to send how much.
    pub title: String,
    /// The first files' names.
    pub names: Vec<ShownName>,
    /// How many files are not named, if any.
    pub more: Option<String>,
    /// That some of them are programs, if so.
    pub warning: Option<String>,
    /// Total size.
    pub size: String,
    /// Accessible name of the button that accepts.
    pub accept: String,
    /// Accessible name of the button that declines.
    pub decline: String,
}

impl ProposalModel {
    /// What is shown of this proposal.
    pub fn new(proposal: &ProposalView, words: Words<'_>) -> Self {
        let from = proposal.from.name.as_str();
        let named = u32::try_from(proposal.names.len()).unwrap_or(u32::MAX);
        let more = proposal.files.saturating_sub(named);
        Self {
            id: proposal.transfer,
            paired: proposal.from.paired,
            title: words("incoming_from", &[from, &files(proposal.files, words)]),
            names: proposal
                .names
                .iter()
                .map(|name| ShownName::of_file(name))
                .collect(),
            more: (more > 0).then(|| words("incoming_more", &[&more.to_string()])),
            warning: match proposal.programs {
                0 => None,
                1 => Some(words("incoming_program", &[])),
                many => Some(words("incoming_programs", &[&many.to_string()])),
            },
            size: words("incoming_size", &[&size(proposal.bytes, words)]),
            accept: words("accept_from", &[from]),
            decline: words("decline_from", &[from]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{device, english};

    fn proposal(names: &[&str], files: u32, programs: u32) -> ProposalModel {
        let view = ProposalView {
            transfer: TransferId(9),
            from: device(1, "Ada"),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            files,
            programs,
            bytes: 1_500_000,
        };
        ProposalModel::new(&view, &english)
    }

    #[test]
    fn it_says_who_what_and_how_much() {
        let shown = proposal(&["a.txt"], 1, 0);
        assert_eq!(shown.title, "Ada wants to send you 1 file");
        assert_eq!(shown.size, "1.50 MB in all");
        assert_eq!((shown.more, shown.warning), (None, None));
        assert_eq!(shown.accept, "Accept from Ada");
        assert_eq!(shown.decline, "Decline from Ada");
    }

    #[test]
    fn files_without_a_shown_name_are_counted() {
        let shown = proposal(&["a.txt", "b.txt"], 12, 0);
        assert_eq!(shown.title, "Ada wants to send you 12 files");
        assert_eq!(shown.more.as_deref(), Some("and 10 more"));
        assert_eq!(shown.names.len(), 2);
    }

    #[test]
    fn programs_are_warned_of() {
        let one = proposal(&["invoice.pdf.exe"], 1, 1).warning.unwrap();
        assert!(one.starts_with("One file is a program."), "{one}");
        let more = proposal(&["a.exe", "b.sh"], 2, 2).warning.unwrap();
        assert!(more.starts_with("2 files are programs."), "{more}");
    }
}

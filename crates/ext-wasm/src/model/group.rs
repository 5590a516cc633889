//! A group in the settings: its code, and whether its other devices are there.

use tabferry_protocol::host::{GroupState, GroupView, Visible};
use tabferry_protocol::limits;
use tabferry_protocol::secret_code::{GroupCode, Mistyped};

use crate::i18n::Words;

/// What is shown of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupModel {
    /// Which.
    pub code: GroupCode,
    /// Who is there.
    pub state: String,
}

impl GroupModel {
    /// What is shown of this group, on a device that these can find.
    pub fn new(group: &GroupView, visible: Visible, words: Words<'_>) -> Self {
        let state = match group.state {
            GroupState::Away if visible == Visible::Nobody => words("group_hidden", &[]),
            GroupState::Away => words("group_waiting", &[]),
            GroupState::Joined { others: 0 } => words("group_here_none", &[]),
            GroupState::Joined { others: 1 } => words("group_here_one", &[]),
            GroupState::Joined { others } => words("group_here_many", &[&others.to_string()]),
            GroupState::Refused => words("group_refused", &[]),
        };
        let code = group.name;
        Self { code, state }
    }
}

/// Why a group was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdded {
    /// What was typed is no code.
    Mistyped(Mistyped),
    /// It is there already.
    Known,
    /// There are as many as there can be.
    Full,
    /// The browser did not keep it.
    NotKept,
}

impl NotAdded {
    /// The same for a person.
    pub fn text(self, words: Words<'_>) -> String {
        let key = match self {
            Self::Mistyped(Mistyped::TooShort) => "group_too_short",
            Self::Mistyped(Mistyped::TooLong) => "group_too_long",
            Self::Mistyped(Mistyped::Character) => "group_character",
            Self::Known => "group_known",
            Self::Full => return full(words),
            Self::NotKept => "save_failed",
        };
        words(key, &[])
    }
}

/// That there are as many groups as there can be.
pub fn full(words: Words<'_>) -> String {
    words("groups_full", &[&limits::GROUPS.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::english;

    #[test]
    fn every_state_has_its_words() {
        let state = |state, visible| {
            let name = GroupCode::from_random([7; 5]);
            let shown = GroupModel::new(&GroupView { name, state }, visible, &english);
            assert_eq!(shown.code, name);
            shown.state
        };
        let everyone = |shown| state(shown, Visible::Everyone);
        let joined = |others| everyone(GroupState::Joined { others });
        assert_eq!(joined(0), "No other device is here now.");
        assert_eq!(joined(1), "1 other device is here.");
        assert_eq!(joined(2), "2 other devices are here.");
        let away = everyone(GroupState::Away);
        assert_eq!(away, "Waiting for the signaling server.");
        assert_ne!(state(GroupState::Away, Visible::Nobody), away);
        assert!(everyone(GroupState::Refused).contains("refuses"));
    }

    #[test]
    fn what_is_no_code_has_its_reason() {
        for (typed, beginning) in [
            ("ABCD-EFG", "A code has 8 letters and digits; some"),
            ("ABCD-EFGHJ", "A code has 8 letters and digits; these"),
            ("ABCD-EFGU", "A code has only"),
        ] {
            let mistyped = GroupCode::from_typed(typed).unwrap_err();
            let words = NotAdded::Mistyped(mistyped).text(&english);
            assert!(words.starts_with(beginning), "{words}");
        }
        let full = NotAdded::Full.text(&english);
        assert!(full.starts_with("This device is in 4 groups"), "{full}");
        for other in [NotAdded::Known, NotAdded::NotKept] {
            assert!(!other.text(&english).is_empty());
        }
    }
}

//! What a try of a signaling server has shown, in words.

use crate::i18n::Words;

/// What is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A server that speaks this version of the protocol with us.
    Reachable {
        /// The version both speak.
        version: u32,
    },
    /// A server that speaks no version that we do.
    Incompatible,
    /// A server that refuses us for now.
    Refused,
    /// Something else.
    Foreign,
    /// Nothing.
    Unreachable,
}

impl Verdict {
    /// Name of the state, for the look.
    pub const fn state(self) -> &'static str {
        match self {
            Self::Reachable { .. } => "good",
            _ => "bad",
        }
    }

    /// For a person.
    pub fn text(self, words: Words<'_>) -> String {
        match self {
            Self::Reachable { version } => words("server_reachable", &[&version.to_string()]),
            Self::Incompatible => words("server_incompatible", &[]),
            Self::Refused => words("server_refused", &[]),
            Self::Foreign => words("server_foreign", &[]),
            Self::Unreachable => words("server_unreachable", &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::english;

    #[test]
    fn every_verdict_has_its_own_words() {
        let mut texts: Vec<String> = [
            Verdict::Reachable { version: 1 },
            Verdict::Incompatible,
            Verdict::Refused,
            Verdict::Foreign,
            Verdict::Unreachable,
        ]
        .into_iter()
        .map(|verdict| verdict.text(&english))
        .collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 5);
        assert_eq!(Verdict::Reachable { version: 1 }.state(), "good");
        assert_eq!(Verdict::Foreign.state(), "bad");
    }
}

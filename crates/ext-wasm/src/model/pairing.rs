//! A pairing, step by step: what the person at this device reads, sees and can do.

use tabferry_protocol::emoji::EMOJI;
use tabferry_protocol::host::{PairingEnd, PairingStep, PairingView, Symbols};

use super::transfer::code_key;
use crate::i18n::Words;

/// What is shown of a pairing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingModel {
    /// What is to be done, or what has come of it.
    pub heading: String,
    /// How, or why.
    pub explanation: String,
    /// How it stands: `good`, `bad` or empty.
    pub state: &'static str,
    /// What the other person looks for.
    pub shown: Vec<Symbol>,
    /// What to choose from.
    pub choices: Vec<Choice>,
    /// The buttons below: each with its words and what it means.
    pub buttons: Vec<(String, PairingClick)>,
}

/// A picture and its word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// One emoji.
    pub picture: &'static str,
    /// What it shows.
    pub word: String,
}

/// One of the strings to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its four symbols.
    pub symbols: Vec<Symbol>,
    /// The words alone.
    pub name: String,
}

/// What a button of a pairing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingClick {
    /// Yes, pair.
    Yes,
    /// No, don't.
    No,
    /// The other device shows none of these.
    NoneOfThem,
    /// Stop, or go on after the end.
    End,
}

impl PairingModel {
    /// What is shown of this pairing.
    pub fn new(pairing: &PairingView, words: Words<'_>) -> Self {
        let name = pairing.device.name.as_str();
        let key = match pairing.step {
            PairingStep::Connecting => "pair_connecting",
            PairingStep::Waiting => "pair_waiting",
            PairingStep::Asked => "pair_asked",
            PairingStep::Shows { .. } => "pair_shows",
            PairingStep::Picks { .. } => "pair_picks",
            PairingStep::Done => "pair_done",
            PairingStep::Ended { reason } => match reason {
                PairingEnd::Mismatch => "pair_mismatch",
                PairingEnd::Stopped => "pair_stopped",
                PairingEnd::Failed { .. } => "pair_failed",
            },
        };
        let explanation = match pairing.step {
            PairingStep::Ended {
                reason: PairingEnd::Failed { code },
            } => words(code_key(code), &[]),
            _ => words(&[key, "_explanation"].concat(), &[name]),
        };
        let button = |key: &str, click| (words(key, &[]), click);
        Self {
            heading: words(key, &[name]),
            explanation,
            state: match pairing.step {
                PairingStep::Done => "good",
                PairingStep::Ended { .. } => "bad",
                _ => "",
            },
            shown: match pairing.step {
                PairingStep::Shows { symbols } => symbols_of(symbols, words),
                _ => Vec::new(),
            },
            choices: match pairing.step {
                PairingStep::Picks { choices } => choices
                    .map(|symbols| {
                        let symbols = symbols_of(symbols, words);
                        let words: Vec<&str> = symbols.iter().map(|it| it.word.as_str()).collect();
                        let name = words.join(", ");
                        Choice { symbols, name }
                    })
                    .into(),
                _ => Vec::new(),
            },
            buttons: match pairing.step {
                PairingStep::Asked => vec![
                    button("pair_no_button", PairingClick::No),
                    button("pair_yes_button", PairingClick::Yes),
                ],
                PairingStep::Picks { .. } => {
                    vec![button("pair_none_button", PairingClick::NoneOfThem)]
                }
                PairingStep::Done | PairingStep::Ended { .. } => {
                    vec![button("pair_close_button", PairingClick::End)]
                }
                _ => vec![button("pair_cancel_button", PairingClick::End)],
            },
        }
    }
}

fn symbols_of(symbols: Symbols, words: Words<'_>) -> Vec<Symbol> {
    let known = |number: u8| EMOJI.get(usize::from(number));
    let symbol = |(picture, word): &(&'static str, &str)| Symbol {
        picture,
        word: words(&["sas_", word].concat(), &[]),
    };
    symbols.into_iter().filter_map(known).map(symbol).collect()
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::code::Code;

    use super::*;
    use crate::model::tests::{device, english};

    fn shown(step: PairingStep) -> PairingModel {
        let device = device(1, "Ada");
        PairingModel::new(&PairingView { device, step }, &english)
    }

    #[test]
    fn every_step_says_what_to_do() {
        let ended = |reason| PairingStep::Ended { reason };
        let code = Code::NoAnswer;
        for step in [
            PairingStep::Connecting,
            PairingStep::Waiting,
            PairingStep::Asked,
            PairingStep::Shows { symbols: [0; 4] },
            PairingStep::Picks {
                choices: [[0; 4]; 3],
            },
            PairingStep::Done,
            ended(PairingEnd::Mismatch),
            ended(PairingEnd::Stopped),
            ended(PairingEnd::Failed { code }),
        ] {
            let model = shown(step);
            assert!(!model.heading.is_empty() && !model.explanation.is_empty());
            assert!(!model.buttons.is_empty(), "{step:?}");
        }
    }

    #[test]
    fn every_symbol_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<String> = EMOJI
            .iter()
            .map(|(_, word)| english(&["sas_", word].concat(), &[]))
            .collect();
        assert_eq!(words.len(), EMOJI.len());
    }

    #[test]
    fn choices_are_named_by_their_words() {
        let model = shown(PairingStep::Picks {
            choices: [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
        });
        assert_eq!(model.choices[0].name, "dog, cat, lion, horse");
        assert_eq!(model.choices[0].symbols[1].picture, "🐱");
    }
}

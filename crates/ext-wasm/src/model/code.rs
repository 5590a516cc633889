//! A connection with a code, step by step: what the person at this device reads, shows, types and can do.

use tabferry_protocol::code::Code;
use tabferry_protocol::host::{CodeEnd, CodeStep};
use tabferry_protocol::limits::{CODE_GUESTS, CODE_LIFE_MS};
use tabferry_protocol::secret_code::{CodeText, SecretCode};

use super::address::{base_url, http_url};
use super::transfer::code_key;
use crate::i18n::{self, Words};

/// What is shown of a connection with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeModel {
    /// What is to be done, or what has come of it.
    pub heading: String,
    /// How, or why.
    pub explanation: String,
    /// How it stands: `good`, `bad` or empty.
    pub state: &'static str,
    /// Whether a person may ask for a code or type one.
    pub starts: bool,
    /// The code for the person at the other device.
    pub shown: Option<ShownCode>,
    /// The buttons below: each with its words and what it means.
    pub buttons: Vec<(String, CodeClick)>,
}

/// A code as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCode {
    /// For the eyes: `ABCD-EFGH`.
    pub text: CodeText,
    /// For the ears: every character by itself.
    pub spelled: CodeText,
    /// A link to the server's page, with the code in its fragment. `None` if the server's address is none.
    pub link: Option<CodeText>,
    /// When it ends. Seconds since 1970.
    pub until: u64,
    /// How often somebody came with a wrong one; empty if nobody did.
    pub wrong: String,
}

/// What a button means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeClick {
    /// Stop, or go on after the end.
    End,
    /// Begin anew.
    Again,
    /// Show a code, after one that ended.
    Open,
    /// Copy the link with the code.
    Copy,
}

impl CodeModel {
    /// What is shown at this step; before the first one, if there is none. `server` is the setting, which the link
    /// leads to.
    pub fn new(step: Option<&CodeStep>, server: &str, words: Words<'_>) -> Self {
        let key = match step {
            None => "with_code_start",
            Some(CodeStep::Opening) => "with_code_opening",
            Some(CodeStep::Shows { .. }) => "with_code_shows",
            Some(CodeStep::Connecting) => "with_code_connecting",
            Some(CodeStep::Done { .. }) => "with_code_done",
            Some(CodeStep::Ended { reason }) => match reason {
                CodeEnd::Mistyped => "with_code_mistyped",
                CodeEnd::NotFound => "with_code_not_found",
                CodeEnd::Wrong => "with_code_wrong",
                CodeEnd::Expired => "with_code_expired",
                CodeEnd::Guessed => "with_code_guessed",
                CodeEnd::Failed { .. } => "with_code_failed",
            },
        };
        let life = i18n::duration(CODE_LIFE_MS / 1000, words);
        let (named, of) = match step {
            Some(CodeStep::Done { device }) => (Some(device.name.as_str()), None),
            Some(CodeStep::Ended {
                reason: CodeEnd::NotFound | CodeEnd::Expired,
            }) => (None, Some(life.as_str())),
            _ => (None, None),
        };
        let explanation = match step {
            Some(CodeStep::Ended {
                reason: CodeEnd::Failed { code },
            }) => words(failure_key(*code), &[]),
            _ => words(&[key, "_explanation"].concat(), named.or(of).as_slice()),
        };
        let button = |key: &str, click| (words(key, &[]), click);
        let cancel = || button("with_code_cancel_button", CodeClick::End);
        let close = || button("with_code_close_button", CodeClick::End);
        Self {
            heading: words(key, named.as_slice()),
            explanation,
            state: match step {
                Some(CodeStep::Done { .. }) => "good",
                Some(CodeStep::Ended { .. }) => "bad",
                _ => "",
            },
            starts: step.is_none(),
            shown: match step {
                Some(CodeStep::Shows { code, until, wrong }) => {
                    Some(ShownCode::new(code, *until, *wrong, server, words))
                }
                _ => None,
            },
            buttons: match step {
                None => Vec::new(),
                Some(CodeStep::Opening | CodeStep::Connecting) => vec![cancel()],
                Some(CodeStep::Shows { .. }) => {
                    vec![cancel(), button("with_code_copy_button", CodeClick::Copy)]
                }
                Some(CodeStep::Done { .. }) => vec![close()],
                Some(CodeStep::Ended {
                    reason: CodeEnd::Expired | CodeEnd::Guessed,
                }) => vec![close(), button("with_code_open_button", CodeClick::Open)],
                Some(CodeStep::Ended { .. }) => {
                    vec![close(), button("with_code_again_button", CodeClick::Again)]
                }
            },
        }
    }
}

/// Message for why there is no connection; what is said of transfers ends with advice that is none here.
fn failure_key(code: Code) -> &'static str {
    match code {
        Code::Busy => "with_code_busy",
        Code::ConnectionLost | Code::NoAnswer | Code::PeerGone | Code::Unreachable => {
            "with_code_unreachable"
        }
        code => code_key(code),
    }
}

impl ShownCode {
    fn new(code: &CodeText, until: u64, wrong: u32, server: &str, words: Words<'_>) -> Self {
        Self {
            text: code.clone(),
            spelled: spelled(code),
            link: link(server, code),
            until,
            wrong: match wrong {
                0 => String::new(),
                wrong => {
                    let numbers = [wrong.to_string(), CODE_GUESTS.to_string()];
                    words("with_code_guesses", &[&numbers[0], &numbers[1]])
                }
            },
        }
    }
}

/// Every character by itself, with a pause where the hyphen is.
fn spelled(code: &CodeText) -> CodeText {
    let mut spelled = String::with_capacity(2 * code.expose().len());
    for character in code.expose().chars() {
        match character {
            '-' => spelled.push(','),
            character => {
                if !spelled.is_empty() {
                    spelled.push(' ');
                }
                spelled.push(character);
            }
        }
    }
    CodeText::from(spelled)
}

/// A link to the page of this server that carries this code.
fn link(server: &str, code: &CodeText) -> Option<CodeText> {
    let base = base_url(server).ok()?;
    let code = SecretCode::from_typed(code.expose()).ok()?;
    let link = [http_url(&base).as_str(), &code.fragment()].concat();
    Some(CodeText::from(link))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::tests::{device, english};

    fn model(step: &CodeStep) -> CodeModel {
        CodeModel::new(Some(step), "ferry.example.org:7717", &english)
    }

    fn shows(wrong: u32) -> CodeStep {
        CodeStep::Shows {
            code: CodeText::from("A1B2-0XYZ".to_owned()),
            until: 1_790_000_600,
            wrong,
        }
    }

    #[test]
    fn every_step_says_in_its_own_words_what_to_do() {
        let ends = [
            CodeEnd::Mistyped,
            CodeEnd::NotFound,
            CodeEnd::Wrong,
            CodeEnd::Expired,
            CodeEnd::Guessed,
            CodeEnd::Failed { code: Code::Busy },
            CodeEnd::Failed {
                code: Code::Unreachable,
            },
            CodeEnd::Failed {
                code: Code::Unverified,
            },
        ];
        let mut steps = vec![
            CodeStep::Opening,
            shows(0),
            CodeStep::Connecting,
            CodeStep::Done {
                device: device(1, "Ada"),
            },
        ];
        steps.extend(ends.map(|reason| CodeStep::Ended { reason }));
        let mut models: Vec<_> = steps.iter().map(model).collect();
        assert!(models.iter().all(|model| !model.buttons.is_empty()));
        models.push(CodeModel::new(None, "", &english));
        let texts: BTreeSet<_> = models
            .iter()
            .map(|model| (&model.heading, &model.explanation))
            .collect();
        assert_eq!(texts.len(), models.len());
        for (heading, explanation) in texts {
            assert!(!heading.is_empty() && !explanation.is_empty());
        }
    }

    #[test]
    fn whoever_showed_a_code_may_show_another_and_whoever_typed_one_may_type_again() {
        for (reason, next) in [
            (CodeEnd::Mistyped, CodeClick::Again),
            (CodeEnd::NotFound, CodeClick::Again),
            (CodeEnd::Wrong, CodeClick::Again),
            (CodeEnd::Expired, CodeClick::Open),
            (CodeEnd::Guessed, CodeClick::Open),
        ] {
            let model = model(&CodeStep::Ended { reason });
            let clicks: Vec<_> = model.buttons.iter().map(|(_, click)| *click).collect();
            assert_eq!(clicks, [CodeClick::End, next], "{reason:?}");
        }
    }

    #[test]
    fn a_code_is_spelled_and_linked_and_not_printed() {
        let shown = model(&shows(0)).shown.unwrap();
        assert_eq!(shown.text.expose(), "A1B2-0XYZ");
        assert_eq!(shown.spelled.expose(), "A 1 B 2, 0 X Y Z");
        let link = shown.link.as_ref().unwrap();
        assert_eq!(
            link.expose(),
            "http://ferry.example.org:7717/#code=A1B20XYZ"
        );
        assert!(!format!("{shown:?}").contains("0XYZ"));
    }

    #[test]
    fn a_link_is_as_secure_as_the_server_and_read_again_as_its_code() {
        let code = CodeText::from("A1B2-0XYZ".to_owned());
        let link = link("wss://ferry.example.org/ferry", &code).unwrap();
        assert_eq!(
            link.expose(),
            "https://ferry.example.org/ferry/#code=A1B20XYZ"
        );
        let read = SecretCode::from_pasted(link.expose()).unwrap();
        assert_eq!(read.spelled().as_str(), code.expose());
        assert_eq!(super::link("no address", &code), None);
    }

    #[test]
    fn wrong_codes_are_counted_once_there_is_one() {
        assert_eq!(model(&shows(0)).shown.unwrap().wrong, "");
        let wrong = model(&shows(2)).shown.unwrap().wrong;
        assert!(wrong.contains('2') && wrong.contains('3'), "{wrong}");
    }
}

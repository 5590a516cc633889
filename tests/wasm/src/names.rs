//! Received names: a few that a reader can judge, and agreement with the native build on many that nobody would read.

use tabferry_protocol::name::ReceivedName;

use crate::expected::NATIVE_NAMES;
use crate::{Case, equal, transcript};

/// What a sender proposes, and what it becomes here.
const TABLE: &[(&str, &str)] = &[
    ("report.pdf", "report.pdf"),
    ("照片 🏖.jpg", "照片 🏖.jpg"),
    ("../../x", "x"),
    ("CON", "_CON"),
    ("cafe\u{301}.txt", "café.txt"),
    ("\u{FEFF}x", "x"),
    ("a\u{2028}b", "a b"),
    ("abc .txt", "abc .txt"),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = TABLE
        .iter()
        .map(|&(proposed, received)| Case {
            name: format!("the name {proposed:?}"),
            check: Box::new(move || {
                equal(&ReceivedName::from_proposed(proposed).as_str(), &received)
            }),
        })
        .collect();
    cases.push(Case {
        name: "20,000 names equal the native build's".to_owned(),
        check: Box::new(|| equal(&transcript::names().as_str(), &NATIVE_NAMES)),
    });
    cases
}

//! The extension's small JSON reader and writer, which stand on the browser's: what they make of the golden files is
//! what serde_json makes of them. In wasm only.

use core::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tabferry_ext::json::{self, InvalidJson};
use tabferry_protocol::card::{DeviceKind, EndpointKind};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{
    CodeStep, Command, ConnectionView, Event, PairingStep, Snapshot, Subject, TransferState, Trust,
    TrustCommand,
};
use tabferry_protocol::paired::PairedDevice;

use crate::expected::GOLDEN;
use crate::{Case, equal};

pub(crate) fn cases() -> Vec<Case> {
    let golden = GOLDEN.iter().filter_map(|&(folder, file, bytes)| {
        let check = check(folder, file)?;
        Some(Case {
            name: format!("a page knows golden file {folder}/{file}"),
            check: Box::new(move || check(core::str::from_utf8(bytes).map_err(text)?)),
        })
    });
    let cases: [(&str, Rule); 3] = [
        ("a page reads a missing field as its default", missing),
        ("a page takes an unknown word for unknown", unknown),
        ("a page reads nothing else", refused),
    ];
    let cases = cases.into_iter().map(|(name, check)| Case {
        name: name.to_owned(),
        check: Box::new(check),
    });
    golden.chain(cases).collect()
}

type Rule = fn() -> Result<(), String>;
type Check = fn(&str) -> Result<(), String>;

/// What pages do with a file, if anything.
fn check(folder: &str, file: &str) -> Option<Check> {
    Some(match (folder, file) {
        ("code-step", _) => read::<CodeStep>,
        ("command", _) => written::<Command>,
        ("connection", _) => read::<ConnectionView>,
        ("event", _) => read::<Event>,
        ("kept", _) => read::<PairedDevice>,
        ("pairing-step", _) => read::<PairingStep>,
        ("snapshot", _) => read::<Snapshot>,
        ("subject", _) => read::<Subject>,
        ("transfer-state", _) => read::<TransferState>,
        ("trust", _) => read::<Trust>,
        ("trust-command", _) => written::<TrustCommand>,
        ("words", "code.json") => read::<Vec<Code>>,
        ("words", "device-kind.json") => read::<Vec<DeviceKind>>,
        ("words", "endpoint-kind.json") => read::<Vec<EndpointKind>>,
        _ => return None,
    })
}

fn read<T: DeserializeOwned + PartialEq + Debug>(golden: &str) -> Result<(), String> {
    let expected: T = serde_json::from_str(golden).map_err(text)?;
    equal(&json::from_str(golden), &Ok(expected))
}

fn written<T: Serialize + DeserializeOwned>(golden: &str) -> Result<(), String> {
    let data: T = json::from_str(golden).map_err(text)?;
    let written = json::to_string(&data).map_err(text)?;
    let value = |json| serde_json::from_str::<Value>(json).map_err(text);
    equal(&value(&written)?, &value(golden)?)
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn text(error: impl ToString) -> String {
    error.to_string()
}

fn missing() -> Result<(), String> {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Fields {
        #[serde(default)]
        yes: bool,
        maybe: Option<u32>,
        #[serde(default)]
        list: Vec<u32>,
        number: u32,
    }
    let expected = Fields {
        yes: false,
        maybe: None,
        list: Vec::new(),
        number: 5,
    };
    equal(&json::from_str(r#"{"number":5}"#), &Ok(expected))?;
    for wrong in [r#"{"yes":true}"#, r#"{"number":5,"yes":null}"#] {
        equal(&json::from_str::<Fields>(wrong), &Err(InvalidJson))?;
    }
    Ok(())
}

fn unknown() -> Result<(), String> {
    equal(&json::from_str(r#""later""#), &Ok(Code::Unknown))?;
    equal(
        &json::from_str(r#"{"failed":{"code":"later"}}"#),
        &Ok(TransferState::Failed {
            code: Code::Unknown,
        }),
    )
}

fn refused() -> Result<(), String> {
    for text in [
        "",
        "{",
        "null",
        "1",
        "[]",
        "{}",
        r#""later""#,
        r#"{"later":{}}"#,
        r#"{"failed":{}}"#,
        r#"{"failed":1}"#,
    ] {
        equal(&json::from_str::<TransferState>(text), &Err(InvalidJson))?;
    }
    Ok(())
}

//! The extension's small JSON reader and writer, which stand on the browser's: what they make of the golden files is
//! what serde_json makes of them. In wasm only.

use core::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tabferry_ext::envelope::{NativeCommand, NativeState};
use tabferry_ext::json::{self, InvalidJson};
use tabferry_protocol::card::{DeviceKind, DeviceName, EndpointKind};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{
    CodeStep, Command, ConnectionView, Event, PairingStep, Snapshot, Subject, TransferState, Trust,
    TrustCommand,
};
use tabferry_protocol::id::TransferId;
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
    let cases: [(&str, Rule); 5] = [
        ("a page knows every state of the native host", native_states),
        (
            "a page asks of the native host what is understood",
            native_commands,
        ),
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

fn native_states() -> Result<(), String> {
    let name = DeviceName::from_typed("Ada").map_err(text)?;
    let program = || "1.2.3".to_owned();
    for state in [
        NativeState::Off,
        NativeState::Connecting,
        NativeState::Restarting,
        NativeState::NotAllowed,
        NativeState::Missing,
        NativeState::Refused,
        NativeState::Failed,
        NativeState::AppOutdated(program()),
        NativeState::ExtensionOutdated(program()),
        NativeState::OtherDevice(name),
        NativeState::Connected {
            program: program(),
            folder: "/home/ada/Downloads".to_owned(),
        },
    ] {
        let shown = serde_json::to_string(&state).map_err(text)?;
        equal(&json::from_str(&shown), &Ok(state))?;
    }
    Ok(())
}

fn native_commands() -> Result<(), String> {
    let transfer = TransferId(1 << 31);
    for command in [
        NativeCommand::On,
        NativeCommand::Off,
        NativeCommand::TryAgain,
        NativeCommand::Adopt,
        NativeCommand::Forget,
        NativeCommand::ShowInFolder { transfer },
    ] {
        let asked = json::to_string(&command).map_err(text)?;
        let read: NativeCommand = serde_json::from_str(&asked).map_err(text)?;
        equal(&read, &command)?;
        equal(&json::from_str(&asked), &Ok(command))?;
    }
    Ok(())
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

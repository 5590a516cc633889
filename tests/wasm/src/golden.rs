//! Golden files: each is read and written again, byte by byte.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tabferry_protocol::card::{DeviceKind, EndpointKind};
use tabferry_protocol::code::Code;
use tabferry_protocol::frame::{BulkHeader, ControlFrame, Role};
use tabferry_protocol::host::{
    CodeStep, Command, ConnectionView, Direction, Event, PairingStep, SignalingProblem, Snapshot,
    Subject, TransferState, Trust, TrustCommand, Visibility, Visible,
};
use tabferry_protocol::manifest::Entry;
use tabferry_protocol::native::{Client, DaemonCode, FromDaemon, ToDaemon};
use tabferry_protocol::paired::PairedDevice;
use tabferry_protocol::relay::{RelayClientMessage, RelayServerMessage};
use tabferry_protocol::signaling::{ClientMessage, Room, ServerMessage, Signal, SignalingCode};

use crate::expected::GOLDEN;
use crate::{Case, code_proof, equal, pairing, scenario};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = GOLDEN
        .iter()
        .map(|&(folder, file, bytes)| Case {
            name: format!("golden file {folder}/{file}"),
            check: Box::new(move || again(folder, file, bytes)),
        })
        .collect();
    cases.push(Case {
        name: "there are golden files".to_owned(),
        check: Box::new(|| equal(&GOLDEN.is_empty(), &false)),
    });
    cases
}

/// Reads and writes what a folder's files hold. Errors on a folder that it does not know: it was added without this test.
fn again(folder: &str, file: &str, bytes: &[u8]) -> Result<(), String> {
    match folder {
        "bulk" => {
            let (header, payload) = BulkHeader::decode(bytes).map_err(|error| error.to_string())?;
            equal(&[&header.encode()[..], payload].concat(), &bytes.to_vec())
        }
        "control" => {
            let frame = ControlFrame::decode(bytes).map_err(|error| error.to_string())?;
            equal(&frame.encode(), &bytes.to_vec())
        }
        "client" => json::<ClientMessage>(bytes),
        "code-proof" => {
            let files = code_proof::code_proof().map_err(|error| error.to_string())?;
            let written = files.iter().find(|(name, _)| *name == file);
            let (_, written) = written.ok_or("no test writes this file")?;
            equal(written, &bytes.to_vec())
        }
        "command" => json::<Command>(bytes),
        "connection" => json::<ConnectionView>(bytes),
        "entry" => json::<Entry>(bytes),
        "kept" => json::<PairedDevice>(bytes),
        "code-step" => json::<CodeStep>(bytes),
        "pairing-step" => json::<PairingStep>(bytes),
        "trust" => json::<Trust>(bytes),
        "trust-command" => json::<TrustCommand>(bytes),
        "event" => json::<Event>(bytes),
        "handshake" => {
            let files = scenario::handshake().map_err(|error| error.to_string())?;
            let written = files.iter().find(|(name, _)| *name == file);
            let (_, written) = written.ok_or("no test writes this file")?;
            equal(written, &bytes.to_vec())
        }
        "pairing" => {
            let files = pairing::pairing().map_err(|error| error.to_string())?;
            let written = files.iter().find(|(name, _)| *name == file);
            let (_, written) = written.ok_or("no test writes this file")?;
            equal(&written.as_str(), &text(bytes)?)
        }
        "native-client" => json::<Client>(bytes),
        "to-daemon" => json::<ToDaemon>(bytes),
        "from-daemon" => json::<FromDaemon>(bytes),
        "relay-client" => json::<RelayClientMessage>(bytes),
        "relay-server" => json::<RelayServerMessage>(bytes),
        "room" => json::<Room>(bytes),
        "server" => json::<ServerMessage>(bytes),
        "signal" => json::<Signal>(bytes),
        "snapshot" => json::<Snapshot>(bytes),
        "subject" => json::<Subject>(bytes),
        "transfer-state" => json::<TransferState>(bytes),
        "words" => match file {
            "code.json" => words::<Code>(bytes),
            "daemon-code.json" => words::<DaemonCode>(bytes),
            "device-kind.json" => words::<DeviceKind>(bytes),
            "direction.json" => words::<Direction>(bytes),
            "visibility.json" => words::<Visibility>(bytes),
            "visible.json" => words::<Visible>(bytes),
            "endpoint-kind.json" => words::<EndpointKind>(bytes),
            "role.json" => words::<Role>(bytes),
            "signaling-code.json" => words::<SignalingCode>(bytes),
            "signaling-problem.json" => words::<SignalingProblem>(bytes),
            _ => Err("no test reads these words".to_owned()),
        },
        _ => Err("no test reads this folder".to_owned()),
    }
}

fn json<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
    let message: T = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let written = serde_json::to_string(&message).map_err(|error| error.to_string())?;
    equal(&written.as_str(), &text(bytes)?)
}

/// A list of words, one on each line for the reader's sake.
fn words<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
    let words: Vec<T> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let written = serde_json::to_string_pretty(&words).map_err(|error| error.to_string())?;
    equal(&written.as_str(), &text(bytes)?.trim_end())
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    core::str::from_utf8(bytes).map_err(|error| error.to_string())
}

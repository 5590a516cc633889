//! `tabferry devices`, and how a device is found that a person names.

use std::time::Duration;

use tabferry_protocol::host::{ConnectionView, DeviceView, Snapshot};
use tabferry_protocol::id::DeviceId;
use tabferry_protocol::native::{FromDaemon, ToDaemon};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::CommandError;
use super::arguments::DevicesArguments;
use super::status::problem;
use super::terminal::{self, print};
use crate::client::{Client, ClientError};
use crate::places::Places;

/// A device that is on its way into the room is waited for this long.
const FIND_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) type Hearing = mpsc::Receiver<Result<FromDaemon, ClientError>>;

pub(super) async fn run(places: &Places, arguments: &DevicesArguments) -> Result<(), CommandError> {
    let mut client = Client::start(places).await?;
    client.say(&ToDaemon::Watch).await?;
    let (_speaker, mut hearing) = client.split();
    let until = Instant::now() + Duration::from_secs(arguments.wait.into());
    let mut last: Option<Snapshot> = None;
    // The devices of a server come one by one, and nobody says which is the last.
    while let Ok(heard) = timeout_at(until, next_snapshot(&mut hearing)).await {
        last = Some(heard?);
    }
    let snapshot = last.ok_or(ClientError::Ended)?;
    if arguments.json {
        return terminal::print_json(&snapshot.devices);
    }
    if let ConnectionView::Offline { problem: why } = snapshot.connection {
        return Err(CommandError::Unreachable(problem(why).to_owned()));
    }
    if snapshot.devices.is_empty() {
        return print(
            "No other devices. Open Tabferry on one in the same network, or run `tabferry pair`.",
        );
    }
    for device in &snapshot.devices {
        print(&terminal::device(device))?;
    }
    Ok(())
}

/// What is shown next.
pub(super) async fn next_snapshot(hearing: &mut Hearing) -> Result<Snapshot, CommandError> {
    loop {
        match hearing.recv().await.ok_or(ClientError::Ended)?? {
            FromDaemon::Shown { snapshot, .. } => return Ok(snapshot),
            FromDaemon::Error { code, message } => {
                return Err(CommandError::refused(code, message));
            }
            _ => {}
        }
    }
}

/// The device with this name or id, once it is there.
pub(super) async fn find(hearing: &mut Hearing, wanted: &str) -> Result<DeviceView, CommandError> {
    let until = Instant::now() + FIND_TIMEOUT;
    let mut last = None;
    loop {
        match timeout_at(until, next_snapshot(hearing)).await {
            Ok(snapshot) => {
                let snapshot = snapshot?;
                if let Some(found) = pick(&snapshot.devices, wanted)? {
                    return Ok(found);
                }
                last = Some(snapshot);
            }
            Err(_) => return Err(not_found(wanted, last)),
        }
    }
}

/// Errors if there are several.
fn pick(devices: &[DeviceView], wanted: &str) -> Result<Option<DeviceView>, CommandError> {
    if let Ok(id) = wanted.parse::<DeviceId>() {
        return Ok(devices.iter().find(|device| device.id == id).cloned());
    }
    let called: Vec<_> = devices
        .iter()
        .filter(|device| device.name.as_str().to_lowercase() == wanted.to_lowercase())
        .collect();
    match called.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some((*one).clone())),
        several => {
            // Only one of them has proved that it is the one that was paired under this name.
            let paired: Vec<_> = several.iter().filter(|device| device.paired).collect();
            if let [one] = paired.as_slice() {
                return Ok(Some((**one).clone()));
            }
            let ids: Vec<_> = several.iter().map(|device| device.id.to_string()).collect();
            Err(CommandError::Unreachable(format!(
                "{} devices are called {wanted:?}; name one by its id: {}",
                several.len(),
                ids.join(", ")
            )))
        }
    }
}

fn not_found(wanted: &str, last: Option<Snapshot>) -> CommandError {
    let why = match last {
        Some(Snapshot {
            connection: ConnectionView::Offline { problem: why },
            ..
        }) => problem(why).to_owned(),
        Some(snapshot) if !snapshot.devices.is_empty() => {
            let names = snapshot.devices.iter().map(terminal::device);
            format!("there are {}", names.collect::<Vec<_>>().join(", "))
        }
        _ => "no other device is there; open Tabferry on it".to_owned(),
    };
    CommandError::Unreachable(format!("no device {wanted:?}: {why}"))
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::card::{DeviceKind, DeviceName};

    use super::*;

    fn device(seed: u8, name: &str, paired: bool) -> DeviceView {
        DeviceView {
            id: DeviceId::from_bytes([seed; 16]),
            name: DeviceName::from_typed(name).unwrap(),
            kind: DeviceKind::Computer,
            paired,
        }
    }

    #[test]
    fn a_device_is_found_by_name_and_by_id() {
        let devices = [device(1, "NAS", false), device(2, "Laptop", false)];
        let found = |wanted: &str| pick(&devices, wanted).unwrap().map(|found| found.id);
        assert_eq!(found("nas"), Some(devices[0].id));
        assert_eq!(found(&devices[1].id.to_string()), Some(devices[1].id));
        assert_eq!(found("phone"), None);
    }

    #[test]
    fn of_two_of_one_name_the_paired_one_is_meant_or_a_person_is_asked() {
        let twins = [device(1, "NAS", false), device(2, "NAS", false)];
        assert!(matches!(
            pick(&twins, "NAS"),
            Err(CommandError::Unreachable(_))
        ));
        let one_paired = [device(1, "NAS", false), device(2, "NAS", true)];
        let found = pick(&one_paired, "NAS").unwrap().unwrap();
        assert_eq!(found.id, one_paired[1].id);
    }
}

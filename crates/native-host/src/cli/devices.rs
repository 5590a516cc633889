//! `tabferry devices`, and how a device is found that a person names.

use std::time::Duration;

use tabferry_protocol::host::{ConnectionView, DeviceView, PairedView, Snapshot};
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
    next_shown(hearing).await.map(|(snapshot, _)| snapshot)
}

async fn next_shown(hearing: &mut Hearing) -> Result<(Snapshot, Vec<PairedView>), CommandError> {
    loop {
        match hearing.recv().await.ok_or(ClientError::Ended)?? {
            FromDaemon::Shown { snapshot, trust } => {
                return Ok((snapshot, trust.unwrap_or_default().paired));
            }
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
        match timeout_at(until, next_shown(hearing)).await {
            Ok(shown) => {
                let (snapshot, paired) = shown?;
                if let Some(found) = pick(&snapshot.devices, &paired, wanted)? {
                    return Ok(found);
                }
                last = Some(snapshot);
            }
            Err(_) => return Err(not_found(wanted, last)),
        }
    }
}

/// Errors if there are several. The name of a paired device means that one, also while it is not there: anybody can call a device
/// like it.
fn pick(
    devices: &[DeviceView],
    paired: &[PairedView],
    wanted: &str,
) -> Result<Option<DeviceView>, CommandError> {
    if let Ok(id) = wanted.parse::<DeviceId>() {
        return Ok(devices.iter().find(|device| device.id == id).cloned());
    }
    let is_called =
        |device: &&DeviceView| device.name.as_str().to_lowercase() == wanted.to_lowercase();
    let is_paired = paired.iter().any(|paired| is_called(&&paired.device));
    let called = devices.iter().filter(is_called);
    let called: Vec<_> = called.filter(|it| it.paired || !is_paired).collect();
    match called.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some((*one).clone())),
        several => {
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
    use tabferry_protocol::paired::AutoAccept;

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
        let found = |wanted: &str| pick(&devices, &[], wanted).unwrap().map(|found| found.id);
        assert_eq!(found("nas"), Some(devices[0].id));
        assert_eq!(found(&devices[1].id.to_string()), Some(devices[1].id));
        assert_eq!(found("phone"), None);
    }

    #[test]
    fn of_two_of_one_name_the_paired_one_is_meant_or_a_person_is_asked() {
        let twins = [device(1, "NAS", false), device(2, "NAS", false)];
        assert!(matches!(
            pick(&twins, &[], "NAS"),
            Err(CommandError::Unreachable(_))
        ));
        let one_paired = [device(1, "NAS", false), device(2, "NAS", true)];
        let paired = PairedView {
            device: device(2, "NAS", true),
            since: 0,
            last_seen: 0,
            auto_accept: AutoAccept::default(),
        };
        let found = |devices: &[DeviceView]| pick(devices, std::slice::from_ref(&paired), "nas");
        let found_id = found(&one_paired).unwrap().map(|found| found.id);
        assert_eq!(found_id, Some(one_paired[1].id));
        // While it is away, nobody else is taken for it.
        assert_eq!(found(&one_paired[..1]).unwrap(), None);
    }
}

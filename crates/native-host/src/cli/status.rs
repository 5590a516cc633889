//! `tabferry status`: how things stand.

use serde::Serialize;
use tabferry_protocol::card::DeviceCard;
use tabferry_protocol::host::{ConnectionView, SignalingProblem};
use tabferry_protocol::native::{FromDaemon, Status, ToDaemon};

use super::arguments::StatusArguments;
use super::terminal::{self, print};
use super::{CommandError, Here};
use crate::client::Client;
use crate::config::Config;
use crate::install::registry::CurrentUser;
use crate::install::status::{BrowserStatus, look};
use crate::places::Places;

/// Everything that is said, as JSON has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    version: &'static str,
    downloads: String,
    browsers: Vec<BrowserStatus>,
    /// `None` if none runs.
    daemon: Option<DaemonReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct DaemonReport {
    device: Option<DeviceCard>,
    #[serde(flatten)]
    status: Status,
}

pub(super) async fn run(places: &Places, arguments: &StatusArguments) -> Result<(), CommandError> {
    let Here { program, machine } = Here::find()?;
    let report = Report {
        browsers: look(&machine, &CurrentUser, &program),
        version: env!("CARGO_PKG_VERSION"),
        downloads: Config::load(places)?.downloads().display().to_string(),
        daemon: daemon(places).await?,
    };
    if arguments.json {
        terminal::print_json(&report)
    } else {
        show(&report)
    }
}

async fn daemon(places: &Places) -> Result<Option<DaemonReport>, CommandError> {
    let Some(mut client) = Client::to_running(places).await? else {
        return Ok(None);
    };
    client.say(&ToDaemon::Status).await?;
    loop {
        match client.hear().await? {
            FromDaemon::Status(status) => {
                let device = client.device;
                return Ok(Some(DaemonReport { device, status }));
            }
            FromDaemon::Error { code, message } => {
                return Err(CommandError::refused(code, message));
            }
            _ => {}
        }
    }
}

fn show(report: &Report) -> Result<(), CommandError> {
    print(&format!("Tabferry {}", report.version))?;
    print(&format!("Received files: {}", report.downloads))?;
    let browsers: String = report.browsers.iter().map(ToString::to_string).collect();
    if browsers.is_empty() {
        print("Registered:     with no browser; run tabferry install")?;
    } else {
        print("Registered:")?;
        for line in browsers.lines() {
            print(&format!("  {line}"))?;
        }
    }
    let Some(DaemonReport { device, status }) = &report.daemon else {
        return print("Daemon:         not running; it starts when it is needed");
    };
    print(&format!(
        "Daemon:         running for {}, process {}",
        duration(status.uptime),
        status.pid
    ))?;
    let Some(device) = device else {
        return print("Device:         none yet; connect the extension, or use `tabferry send`");
    };
    let shared = if status.associated {
        "shared with the extension"
    } else {
        "of its own"
    };
    print(&format!(
        "Device:         {} ({}), {shared}",
        device.name, device.id
    ))?;
    print(&format!(
        "Server:         {}",
        connection(status.connection)
    ))?;
    print(&format!(
        "Browsers:       {} connected, {} items wait for one",
        status.browsers, status.waiting_items
    ))?;
    print(&format!("Transfers:      {}", status.transfers))?;
    print(&format!("Devices seen:   {}", status.devices.len()))?;
    for device in &status.devices {
        print(&format!("  {}", terminal::device(device)))?;
    }
    Ok(())
}

fn connection(connection: Option<ConnectionView>) -> &'static str {
    match connection {
        None => "not asked for",
        Some(ConnectionView::Connecting) => "connecting",
        Some(ConnectionView::Online) => "online",
        Some(ConnectionView::Offline { problem }) => super::status::problem(problem),
    }
}

/// Why there is no signaling connection, and what to do.
pub(super) fn problem(problem: SignalingProblem) -> &'static str {
    match problem {
        SignalingProblem::Unreachable => {
            "nothing answers at the server's address; is the server running, and `tabferry config get server` right?"
        }
        SignalingProblem::WrongAddress => {
            "there is no Tabferry server at the address; see `tabferry config get server`"
        }
        SignalingProblem::Incompatible => "the server speaks another version; update the older one",
        SignalingProblem::Refused => "the server has too many connections; it is tried again",
        SignalingProblem::Lost => "the connection to the server broke; it is tried again",
    }
}

fn duration(seconds: u64) -> String {
    indicatif::HumanDuration(std::time::Duration::from_secs(seconds)).to_string()
}

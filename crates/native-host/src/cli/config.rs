//! `tabferry config`: shows and changes settings, and tells a running daemon.

use tabferry_protocol::native::{FromDaemon, ToDaemon};
use tabferry_protocol::signaling_address::DEFAULT_SERVER;

use super::CommandError;
use super::arguments::{ConfigArguments, ConfigCommand};
use super::terminal::print;
use crate::client::Client;
use crate::config::{Config, KEYS};
use crate::places::Places;

pub(super) async fn run(places: &Places, arguments: ConfigArguments) -> Result<(), CommandError> {
    let mut config = Config::load(places)?;
    let (key, value) = match arguments.change.unwrap_or(ConfigCommand::List) {
        ConfigCommand::List => {
            for key in KEYS {
                print(&format!("{key} = {}", shown(&config, key)?))?;
            }
            return Ok(());
        }
        ConfigCommand::Get { key } => return print(&shown(&config, &key)?),
        ConfigCommand::Set { key, value } => (key, Some(value)),
        ConfigCommand::Unset { key } => (key, None),
    };
    config.set(&key, value.as_deref())?;
    config.save(places)?;
    reload(places, &key).await
}

/// The value, or what stands in its place.
fn shown(config: &Config, key: &str) -> Result<String, CommandError> {
    Ok(config.value(key)?.unwrap_or_else(|| match key {
        "downloads" => config.downloads().display().to_string(),
        "idle-exit" => "auto".to_owned(),
        "name" => "(drawn at random)".to_owned(),
        _ => DEFAULT_SERVER.to_owned(),
    }))
}

async fn reload(places: &Places, key: &str) -> Result<(), CommandError> {
    let Some(mut client) = Client::to_running(places).await? else {
        return Ok(());
    };
    client.say(&ToDaemon::Reload).await?;
    // It answers messages in their order.
    client.say(&ToDaemon::Status).await?;
    loop {
        match client.hear().await? {
            FromDaemon::Status(status)
                if status.associated && ["name", "server"].contains(&key) =>
            {
                return print(
                    "The extension shares this device: its settings hold until it is removed there.",
                );
            }
            FromDaemon::Status(_) => return Ok(()),
            FromDaemon::Error { code, message } => {
                return Err(CommandError::refused(code, message));
            }
            _ => {}
        }
    }
}

//! `tabferry pair`: connects with a device by a code. A code comes from a prompt or from stdin, and goes to stdout.

use serde_json::json;
use tabferry_protocol::host::{CodeEnd, CodeStep, ConnectionView, TrustCommand};
use tabferry_protocol::native::{FromDaemon, ToDaemon};
use tabferry_protocol::secret_code::CodeText;

use super::CommandError;
use super::arguments::PairArguments;
use super::devices::Hearing;
use super::status::problem;
use super::terminal::{self, ask, print};
use crate::client::{Client, ClientError, Speaker};
use crate::places::Places;

pub(super) async fn run(places: &Places, arguments: &PairArguments) -> Result<(), CommandError> {
    let command = if arguments.enter {
        let typed = ask("Code of the other device: ".to_owned()).await?;
        let typed = typed.filter(|typed| !typed.is_empty());
        let typed = typed.ok_or_else(|| CommandError::Other("no code was entered".to_owned()))?;
        TrustCommand::EnterCode {
            typed: code_text(&typed)?,
        }
    } else {
        TrustCommand::OpenCode
    };
    let mut client = Client::start(places).await?;
    client.say(&ToDaemon::Watch).await?;
    let (mut speaker, mut hearing) = client.split();
    online(&mut hearing).await?;
    speaker.say(&ToDaemon::Trust(command)).await?;
    let outcome = tokio::select! {
        outcome = follow(&mut hearing) => outcome,
        _ = tokio::signal::ctrl_c() => Err(CommandError::Interrupted),
    };
    end(&mut speaker).await?;
    outcome
}

/// What came of it need not stay on other screens.
async fn end(speaker: &mut Speaker) -> Result<(), CommandError> {
    Ok(speaker.say(&ToDaemon::Trust(TrustCommand::EndCode)).await?)
}

fn code_text(typed: &str) -> Result<CodeText, CommandError> {
    serde_json::from_value(json!(typed))
        .map_err(|_| CommandError::Other("this is no code".to_owned()))
}

/// Waits for the server, without which there are no codes.
async fn online(hearing: &mut Hearing) -> Result<(), CommandError> {
    loop {
        match super::devices::next_snapshot(hearing).await?.connection {
            ConnectionView::Online => return Ok(()),
            ConnectionView::Connecting => {}
            ConnectionView::Offline { problem: why } => {
                return Err(CommandError::Unreachable(problem(why).to_owned()));
            }
        }
    }
}

async fn follow(hearing: &mut Hearing) -> Result<(), CommandError> {
    let mut told = None;
    loop {
        let trust = match hearing.recv().await.ok_or(ClientError::Ended)?? {
            FromDaemon::Shown { trust, .. } => trust,
            FromDaemon::Error { code, message } => {
                return Err(CommandError::refused(code, message));
            }
            _ => continue,
        };
        let Some(step) = trust.and_then(|trust| trust.code) else {
            continue;
        };
        match step {
            CodeStep::Opening | CodeStep::Connecting => {}
            CodeStep::Shows { code, wrong, .. } => {
                let now = (code.expose().to_owned(), wrong);
                if told.as_ref().is_none_or(|(code, _)| *code != now.0) {
                    print(code.expose())?;
                    print("Enter this code at the other device. It holds for ten minutes, once.")?;
                } else if told.as_ref() != Some(&now) {
                    print("Somebody entered a wrong code.")?;
                }
                told = Some(now);
            }
            CodeStep::Done { device } => {
                return print(&format!("Paired with {}.", terminal::device(&device)));
            }
            CodeStep::Ended { reason } => return Err(ended(reason)),
        }
    }
}

fn ended(reason: CodeEnd) -> CommandError {
    let why = match reason {
        CodeEnd::Mistyped => "this is no code; codes look like ABCD-EFGH",
        CodeEnd::NotFound => {
            "no such code is open: it is mistyped, used up or too old; make a new one"
        }
        CodeEnd::Wrong => {
            "the codes differ: it was mistyped, or somebody is in between; make a new one"
        }
        CodeEnd::Expired => "nobody entered the code in time; run the command again",
        CodeEnd::Guessed => "too many wrong codes were entered; run the command again",
        CodeEnd::Failed { code } => return CommandError::Other(super::send::reason(code)),
    };
    CommandError::Other(why.to_owned())
}

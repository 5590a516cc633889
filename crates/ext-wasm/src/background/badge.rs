//! What the extension's button shows.

use serde::Serialize;
use tabferry_protocol::host::ConnectionView;

use crate::envelope::EngineStatus;
use crate::i18n::Words;
use crate::model::connection::ConnectionModel;

/// What the button shows beside its icon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Badge {
    /// A few characters in white; empty for none.
    pub text: String,
    /// Color behind the text, as CSS writes it.
    pub color: String,
    /// Tooltip.
    pub title: String,
}

/// Dark enough for white text (7:1).
const WAITING_COLOR: &str = "#1b4f9c";
/// See [`WAITING_COLOR`].
const PROBLEM_COLOR: &str = "#a3161b";

/// The badge for a status, or for an engine that has not yet told one: the number of proposals that wait, else `!` if
/// there is no connection to the signaling server. The tooltip says it in words.
pub fn badge(status: Option<&EngineStatus>, words: Words<'_>) -> Badge {
    let mut title = words("extension_name", &[]);
    let mut line = |text: String| {
        title.push('\n');
        title.push_str(&text);
    };
    let waiting = status.map_or(0, |status| status.waiting);
    match waiting {
        0 => {}
        1 => line(words("badge_waiting_one", &[])),
        many => line(words("badge_waiting_many", &[&many.to_string()])),
    }
    let connection = status.map_or(ConnectionView::Connecting, |status| status.connection);
    let connection = ConnectionModel::new(connection, words);
    let problem = connection.problem.is_some();
    line(match connection.problem {
        Some(problem) => problem.title,
        None => connection.status,
    });
    if status.is_some_and(|status| status.native) {
        line(words("badge_native", &[]));
    }
    let (text, color) = match waiting {
        0 if problem => ("!".to_owned(), PROBLEM_COLOR),
        0 => (String::new(), WAITING_COLOR),
        1..100 => (waiting.to_string(), WAITING_COLOR),
        // A badge has room for about four characters.
        _ => ("99+".to_owned(), WAITING_COLOR),
    };
    Badge {
        text,
        color: color.to_owned(),
        title,
    }
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::host::SignalingProblem;

    use super::*;
    use crate::model::tests::english;

    fn shown(connection: ConnectionView, waiting: u32) -> (String, String) {
        let status = EngineStatus {
            connection,
            devices: Vec::new(),
            waiting,
            native: false,
        };
        let badge = badge(Some(&status), &english);
        (badge.text, badge.title)
    }

    #[test]
    fn nothing_is_shown_when_all_is_well() {
        assert_eq!(shown(ConnectionView::Online, 0).0, "");
        assert_eq!(shown(ConnectionView::Connecting, 0).0, "");
        assert_eq!(badge(None, &english).text, "");
    }

    #[test]
    fn waiting_proposals_are_counted() {
        let (text, title) = shown(ConnectionView::Online, 1);
        assert_eq!(
            (text.as_str(), title.as_str()),
            ("1", "Tabferry\n1 transfer waits for your answer\nConnected")
        );
        assert_eq!(shown(ConnectionView::Online, 12).0, "12");
        assert_eq!(shown(ConnectionView::Online, 100).0, "99+");
    }

    #[test]
    fn who_stores_files_is_said() {
        let status = EngineStatus {
            connection: ConnectionView::Online,
            devices: Vec::new(),
            waiting: 0,
            native: true,
        };
        let badge = badge(Some(&status), &english);
        assert_eq!(
            badge.title,
            "Tabferry\nConnected\nFiles are saved by the Tabferry app"
        );
        assert_eq!(badge.text, "");
    }

    #[test]
    fn a_problem_is_marked_and_named() {
        let lost = ConnectionView::Offline {
            problem: SignalingProblem::Lost,
        };
        let (text, title) = shown(lost, 0);
        assert_eq!(text, "!");
        assert!(title.contains("lost"), "{title}");
        assert_eq!(shown(lost, 2).0, "2");
        assert!(shown(lost, 2).1.contains("lost"));
    }
}

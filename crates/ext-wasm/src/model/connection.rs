//! The signaling connection in words, and what to do when there is none.

use tabferry_protocol::host::{ConnectionView, SignalingProblem};

use crate::i18n::Words;

/// What the popup says of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionModel {
    /// `connecting`, `online` or `offline`, for the look.
    pub state: &'static str,
    /// The same in a word or two.
    pub status: String,
    /// What is wrong, if something is.
    pub problem: Option<ProblemModel>,
}

/// Something that a person may have to set right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemModel {
    /// What it is.
    pub title: String,
    /// What to do.
    pub advice: String,
}

impl ConnectionModel {
    /// What there is to say of a connection.
    pub fn new(connection: ConnectionView, words: Words<'_>) -> Self {
        let (state, status, problem) = match connection {
            ConnectionView::Connecting => ("connecting", "status_connecting", None),
            ConnectionView::Online => ("online", "status_online", None),
            ConnectionView::Offline { problem } => {
                let (title, advice) = keys(problem);
                (
                    "offline",
                    "status_offline",
                    Some(ProblemModel::new(title, advice, words)),
                )
            }
        };
        Self {
            state,
            status: words(status, &[]),
            problem,
        }
    }

    /// There is no engine to ask.
    pub fn without_engine(words: Words<'_>) -> Self {
        Self {
            state: "offline",
            status: words("status_offline", &[]),
            problem: Some(ProblemModel::new(
                "problem_engine",
                "problem_engine_advice",
                words,
            )),
        }
    }
}

impl ProblemModel {
    fn new(title: &str, advice: &str, words: Words<'_>) -> Self {
        Self {
            title: words(title, &[]),
            advice: words(advice, &[]),
        }
    }
}

const fn keys(problem: SignalingProblem) -> (&'static str, &'static str) {
    match problem {
        SignalingProblem::Unreachable => ("problem_unreachable", "problem_unreachable_advice"),
        SignalingProblem::WrongAddress => ("problem_wrong_address", "problem_wrong_address_advice"),
        SignalingProblem::Incompatible => ("problem_incompatible", "problem_incompatible_advice"),
        SignalingProblem::Refused => ("problem_refused", "problem_refused_advice"),
        SignalingProblem::Lost => ("problem_lost", "problem_lost_advice"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::english;

    #[test]
    fn a_connection_that_stands_is_no_problem() {
        let online = ConnectionModel::new(ConnectionView::Online, &english);
        assert_eq!((online.state, online.problem), ("online", None));
        assert_eq!(online.status, "Connected");
        let connecting = ConnectionModel::new(ConnectionView::Connecting, &english);
        assert_eq!(connecting.problem, None);
        assert_eq!(connecting.status, "Connecting…");
    }

    #[test]
    fn every_problem_has_its_own_title_and_advice() {
        let problems = [
            SignalingProblem::Unreachable,
            SignalingProblem::WrongAddress,
            SignalingProblem::Incompatible,
            SignalingProblem::Refused,
            SignalingProblem::Lost,
        ];
        let mut shown = problems
            .map(|problem| {
                let model = ConnectionModel::new(ConnectionView::Offline { problem }, &english);
                assert_eq!(model.status, "Not connected");
                model.problem.unwrap()
            })
            .to_vec();
        shown.push(ConnectionModel::without_engine(&english).problem.unwrap());
        for (index, one) in shown.iter().enumerate() {
            for other in shown.iter().skip(index + 1) {
                assert!(one.title != other.title && one.advice != other.advice);
            }
        }
    }
}

//! What was measured, beside its bounds.

use std::time::Duration;

/// One measurement.
#[derive(Debug)]
pub(crate) struct Report {
    title: String,
    lines: Vec<(String, Option<bool>)>,
}

impl Report {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            lines: Vec::new(),
        }
    }

    /// Something worth knowing.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.lines.push((text.into(), None));
    }

    /// Something with a bound.
    pub(crate) fn bound(&mut self, met: bool, text: impl Into<String>) {
        self.lines.push((text.into(), Some(met)));
    }

    /// Prints it. True when every bound was met.
    pub(crate) fn print(&self) -> bool {
        println!("\n== {}", self.title);
        for (text, met) in &self.lines {
            let verdict = match met {
                Some(true) => "ok    ",
                Some(false) => "MISSED",
                None => "      ",
            };
            println!("{verdict} {text}");
        }
        self.lines.iter().all(|(_, met)| *met != Some(false))
    }
}

/// Times that something took.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time that so many of a thousand don't exceed.
    pub(crate) fn per_mille(&mut self, share: usize) -> Duration {
        self.0.sort_unstable();
        let at = (self.0.len() * share / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(at).copied().unwrap_or_default()
    }
}

/// A time in milliseconds, for people.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

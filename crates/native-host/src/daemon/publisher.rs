//! When clients are told what there is to show: soon after it has changed, and now and then while a transfer runs. Knows no
//! client.

use std::time::Duration;

use tokio::time::Instant;

/// Shortest time between two snapshots: faster than anyone reads.
const INTERVAL: Duration = Duration::from_millis(250);

/// What was published last, and when the next is due.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    revision: Option<u64>,
    published: Option<Instant>,
    due: Option<Instant>,
}

impl Publisher {
    /// Takes note of the engine's revision.
    pub(crate) fn notice(&mut self, now: Instant, revision: u64) {
        if self.revision.replace(revision) != Some(revision) {
            self.plan(now);
        }
    }

    /// Something was published. While it `moves`, there is more to come, though the revision stays.
    pub(crate) fn published(&mut self, now: Instant, moves: bool) {
        self.published = Some(now);
        self.due = None;
        if moves {
            self.plan(now);
        }
    }

    /// When to publish.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    fn plan(&mut self, now: Instant) {
        if self.due.is_none() {
            self.due = Some(self.published.map_or(now, |last| now.max(last + INTERVAL)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_at_once_and_the_next_one_after_a_moment() {
        let mut publisher = Publisher::default();
        let now = Instant::now();
        let (soon, later) = (now + INTERVAL / 2, now + INTERVAL);
        publisher.notice(now, 1);
        assert_eq!(publisher.due(), Some(now));
        publisher.published(now, false);
        publisher.notice(now, 1);
        assert_eq!(publisher.due(), None);
        publisher.notice(soon, 2);
        assert_eq!(publisher.due(), Some(later));
        publisher.notice(later + INTERVAL, 3);
        assert_eq!(publisher.due(), Some(later));
        publisher.published(later, true);
        assert_eq!(publisher.due(), Some(later + INTERVAL));
    }
}

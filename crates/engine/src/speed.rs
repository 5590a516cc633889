//! How fast a transfer moves, from its byte count over the last seconds.

use std::collections::VecDeque;

use crate::io::Time;

/// Milliseconds over which speed is measured: long enough to be steady, short enough to follow.
const SPAN_MS: u64 = 4_000;

/// Milliseconds between two samples.
const STEP_MS: u64 = 200;

/// Samples of a growing byte count.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    samples: VecDeque<(Time, u64)>,
}

impl Speed {
    /// Forgets everything, for a count that starts again.
    pub(crate) fn restart(&mut self, now: Time, bytes: u64) {
        self.samples.clear();
        self.samples.push_back((now, bytes));
    }

    pub(crate) fn record(&mut self, now: Time, bytes: u64) {
        if self
            .samples
            .back()
            .is_some_and(|(at, _)| now.since(*at) < STEP_MS)
        {
            return;
        }
        self.samples.push_back((now, bytes));
        while self.samples.len() > 2
            && self
                .samples
                .front()
                .is_some_and(|(at, _)| now.since(*at) > SPAN_MS)
        {
            self.samples.pop_front();
        }
    }

    /// Bytes per second up to `now`, at which the count is `bytes`; 0 when nothing has moved within the span.
    pub(crate) fn bytes_per_second(&self, now: Time, bytes: u64) -> u64 {
        let Some((first_at, first)) = self.samples.front() else {
            return 0;
        };
        let stale = self
            .samples
            .back()
            .is_none_or(|(at, _)| now.since(*at) > SPAN_MS);
        let elapsed = now.since(*first_at);
        if stale || elapsed < STEP_MS {
            return 0;
        }
        bytes.saturating_sub(*first).saturating_mul(1000) / elapsed
    }
}

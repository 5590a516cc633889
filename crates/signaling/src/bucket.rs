//! Token buckets: so many at once, so many per minute from then on. It knows no clock; `now` is an argument.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How much a [`Bucket`] lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At once.
    pub burst: NonZeroU32,
    /// From then on.
    pub per_minute: NonZeroU32,
}

impl Rate {
    /// The rate with `factor` times as much of both.
    pub(crate) fn times(self, factor: NonZeroU32) -> Self {
        Self {
            burst: self.burst.saturating_mul(factor),
            per_minute: self.per_minute.saturating_mul(factor),
        }
    }

    fn interval(self) -> Duration {
        Duration::from_secs(60) / self.per_minute.get()
    }
}

/// What is left of a [`Rate`], kept as the time at which the bucket is full again (the generic cell rate algorithm).
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes one token; false when there is none.
    pub fn try_take(&mut self, now: Instant, rate: Rate) -> bool {
        let interval = rate.interval();
        let full_at = self.full_at.max(now) + interval;
        if full_at.duration_since(now) > interval * rate.burst.get() {
            return false;
        }
        self.full_at = full_at;
        true
    }

    /// Whether nothing was taken for so long that the bucket may be forgotten.
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(burst: u32, per_minute: u32) -> Rate {
        Rate {
            burst: NonZeroU32::new(burst).unwrap(),
            per_minute: NonZeroU32::new(per_minute).unwrap(),
        }
    }

    #[test]
    fn a_burst_passes_then_the_steady_rate() {
        let start = Instant::now();
        let rate = rate(3, 60);
        let mut bucket = Bucket::full(start);
        let taken = (0..10).filter(|_| bucket.try_take(start, rate)).count();
        assert_eq!(taken, 3);
        assert!(!bucket.try_take(start + Duration::from_millis(999), rate));
        assert!(bucket.try_take(start + Duration::from_secs(1), rate));
        assert!(!bucket.try_take(start + Duration::from_secs(1), rate));
    }

    #[test]
    fn a_refused_attempt_costs_nothing_and_rest_refills_no_more_than_the_burst() {
        let start = Instant::now();
        let rate = rate(2, 60);
        let mut bucket = Bucket::full(start);
        for _ in 0..100 {
            bucket.try_take(start, rate);
        }
        assert!(!bucket.is_full(start + Duration::from_millis(1999)));
        let later = start + Duration::from_secs(2);
        assert!(bucket.is_full(later));
        let much_later = start + Duration::from_secs(3600);
        let taken = (0..10)
            .filter(|_| bucket.try_take(much_later, rate))
            .count();
        assert_eq!(taken, 2);
    }
}

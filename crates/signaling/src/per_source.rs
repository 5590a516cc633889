//! What is kept of each source, and of the site that it is part of, with a bound on how many there are. It must not know
//! what is kept, nor any clock; `now` is an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tabferry_protocol::address::is_private;
use tabferry_protocol::limits::{SITE_SOURCES, SOURCES_REMEMBERED};

use crate::address::Source;

/// Sources are looked through for forgettable ones when there are twice as many as after the last time, and this
/// many at least.
const SWEEP_AT_LEAST: usize = 1024;

/// Looking through all of them takes a millisecond or so; a flood of sources must not cause it each time.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// What can be kept of a source.
pub(crate) trait Usage {
    /// What is known of a source that comes for the first time.
    fn new(now: Instant) -> Self;

    /// Whether it says no more than [`Self::new`] would.
    fn is_forgettable(&self, now: Instant) -> bool;
}

/// The usage of all sources and sites that did something lately.
#[derive(Debug)]
pub(crate) struct PerSource<U> {
    /// Whether anything is kept of loopback and private addresses.
    with_private: bool,
    usage: HashMap<Source, U>,
    /// Number of entries at which to look for forgettable ones.
    sweep_at: usize,
    /// When that was done last.
    swept: Option<Instant>,
}

impl<U: Usage> PerSource<U> {
    pub(crate) fn new(with_private: bool) -> Self {
        Self {
            with_private,
            usage: HashMap::new(),
            sweep_at: SWEEP_AT_LEAST,
            swept: None,
        }
    }

    /// Calls `check` with the usage of the source of `address` and of its site, and with how many sources each of them
    /// counts for, until one says no. Says no itself when the source is new and no more can be remembered.
    pub(crate) fn all(
        &mut self,
        now: Instant,
        address: IpAddr,
        mut check: impl FnMut(&mut U, NonZeroU32) -> bool,
    ) -> bool {
        self.sources(address).into_iter().all(|(source, factor)| {
            self.usage(now, source)
                .is_some_and(|usage| check(usage, factor))
        })
    }

    /// Calls `change` with what is kept of the source of `address` and of its site.
    pub(crate) fn change(&mut self, address: IpAddr, mut change: impl FnMut(&mut U)) {
        for (source, _) in self.sources(address) {
            self.usage.get_mut(&source).map(&mut change);
        }
    }

    /// The source of `address` and its site, each with how many sources it counts for.
    fn sources(&self, address: IpAddr) -> Vec<(Source, NonZeroU32)> {
        const SITE: NonZeroU32 = NonZeroU32::new(SITE_SOURCES).unwrap();
        if is_private(address) && !self.with_private {
            return Vec::new();
        }
        let (source, site) = Source::of(address);
        let site = site.map(|site| (site, SITE));
        [Some((source, NonZeroU32::MIN)), site]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The usage of `source`; `None` when it is new and no more can be remembered.
    fn usage(&mut self, now: Instant, source: Source) -> Option<&mut U> {
        if !self.usage.contains_key(&source) {
            self.sweep(now);
            if self.usage.len() >= SOURCES_REMEMBERED {
                return None;
            }
        }
        Some(self.usage.entry(source).or_insert_with(|| U::new(now)))
    }

    fn sweep(&mut self, now: Instant) {
        let lately = |swept: Instant| now.saturating_duration_since(swept) < SWEEP_PAUSE;
        if self.usage.len() < self.sweep_at || self.swept.is_some_and(lately) {
            return;
        }
        self.usage.retain(|_, usage| !usage.is_forgettable(now));
        self.sweep_at = (self.usage.len() * 2).clamp(SWEEP_AT_LEAST, SOURCES_REMEMBERED);
        self.swept = Some(now);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.usage.len()
    }
}

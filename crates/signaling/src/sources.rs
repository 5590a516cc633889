//! How many connections each source has and how fast it opens new ones. It knows no socket and no clock; `now` is an
//! argument.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Instant;

use crate::bucket::{Bucket, Rate};
use crate::per_source::{self, PerSource};

/// What one source may have.
#[derive(Debug, Clone, Copy)]
pub struct SourceQuotas {
    /// Connections at once.
    pub connections: NonZeroU32,
    /// New connections.
    pub new: Rate,
    /// Whether loopback and private addresses are limited too. A private network trusts its own devices, and
    /// behind a container's network or a local proxy all of them may have one address.
    pub limit_private: bool,
}

/// The counts of all sources.
#[derive(Debug)]
pub(crate) struct Sources {
    quotas: SourceQuotas,
    usage: PerSource<Usage>,
}

#[derive(Debug)]
struct Usage {
    /// Connections now.
    open: u32,
    /// New connections lately.
    new: Bucket,
}

impl per_source::Usage for Usage {
    fn new(now: Instant) -> Self {
        Self {
            open: 0,
            new: Bucket::full(now),
        }
    }

    fn is_forgettable(&self, now: Instant) -> bool {
        self.open == 0 && self.new.is_full(now)
    }
}

impl Sources {
    pub(crate) fn new(quotas: SourceQuotas) -> Self {
        Self {
            quotas,
            usage: PerSource::new(quotas.limit_private),
        }
    }

    /// Counts a new connection from `address`; false when they come too fast.
    pub(crate) fn try_arrive(&mut self, now: Instant, address: IpAddr) -> bool {
        let rate = self.quotas.new;
        self.usage.all(now, address, |usage, factor| {
            usage.new.try_take(now, rate.times(factor))
        })
    }

    /// Counts an open connection until [`Self::close`]; false (and nothing to close) when there are too many.
    pub(crate) fn try_open(&mut self, now: Instant, address: IpAddr) -> bool {
        let most = self.quotas.connections;
        let fits = self.usage.all(now, address, |usage, factor| {
            usage.open < most.saturating_mul(factor).get()
        });
        if fits {
            self.usage.change(address, |usage| usage.open += 1);
        }
        fits
    }

    /// Undoes one [`Self::try_open`].
    pub(crate) fn close(&mut self, address: IpAddr) {
        self.usage.change(address, |usage| {
            usage.open = usage.open.saturating_sub(1);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use tabferry_protocol::limits::SOURCES_REMEMBERED;

    use super::*;

    fn sources(limit_private: bool) -> Sources {
        Sources::new(SourceQuotas {
            connections: NonZeroU32::new(3).unwrap(),
            new: Rate {
                burst: NonZeroU32::new(5).unwrap(),
                per_minute: NonZeroU32::new(60).unwrap(),
            },
            limit_private,
        })
    }

    fn open(sources: &mut Sources, address: &str, times: usize) -> usize {
        let now = Instant::now();
        let address = address.parse().unwrap();
        (0..times)
            .filter(|_| sources.try_open(now, address))
            .count()
    }

    #[test]
    fn connections_of_one_source_are_limited_and_closing_makes_room() {
        let mut sources = sources(false);
        assert_eq!(open(&mut sources, "203.0.113.7", 10), 3);
        assert_eq!(open(&mut sources, "::ffff:203.0.113.7", 10), 0);
        assert_eq!(open(&mut sources, "203.0.113.8", 10), 3);
        sources.close("203.0.113.7".parse().unwrap());
        assert_eq!(open(&mut sources, "203.0.113.7", 10), 1);
    }

    #[test]
    fn a_64_is_one_source_and_a_48_is_eight() {
        let mut sources = sources(false);
        assert_eq!(open(&mut sources, "2001:db8:1:1::1", 2), 2);
        assert_eq!(open(&mut sources, "2001:db8:1:1::2", 10), 1);
        let total: usize = (2..40)
            .map(|n| open(&mut sources, &format!("2001:db8:1:{n:x}::1"), 10))
            .sum();
        assert_eq!(total, 3 * 8 - 3);
        assert_eq!(open(&mut sources, "2001:db8:2:1::1", 10), 3);
    }

    #[test]
    fn new_connections_come_in_a_burst_then_at_a_rate() {
        let mut sources = sources(false);
        let now = Instant::now();
        let address = "203.0.113.7".parse().unwrap();
        let arrived = (0..20).filter(|_| sources.try_arrive(now, address)).count();
        assert_eq!(arrived, 5);
        assert!(sources.try_arrive(now + Duration::from_secs(1), address));
        assert!(!sources.try_arrive(now + Duration::from_secs(1), address));
    }

    #[test]
    fn private_sources_are_free_unless_the_operator_says_otherwise() {
        assert_eq!(open(&mut sources(false), "192.168.1.1", 100), 100);
        assert_eq!(open(&mut sources(false), "127.0.0.1", 100), 100);
        assert_eq!(open(&mut sources(true), "127.0.0.1", 100), 3);
    }

    #[test]
    fn idle_sources_are_forgotten_and_open_ones_are_not() {
        let mut sources = sources(false);
        let now = Instant::now();
        let stays = "203.0.113.7".parse().unwrap();
        assert!(sources.try_open(now, stays));
        for n in 0..200_000_u32 {
            let at = now + Duration::from_millis(u64::from(n));
            sources.try_arrive(at, IpAddr::V4(Ipv4Addr::from(0x0800_0000 + n)));
        }
        assert!(sources.usage.len() < 10_000, "{}", sources.usage.len());
        assert_eq!(open(&mut sources, "203.0.113.7", 10), 2);
    }

    #[test]
    fn more_sources_than_can_be_remembered_are_refused() {
        let mut sources = sources(false);
        let now = Instant::now();
        let arrived = (0..120_000_u128)
            .filter(|n| {
                let address = Ipv6Addr::from((0x2001_0db8 << 96) + (n << 80));
                sources.try_arrive(now, IpAddr::V6(address))
            })
            .count();
        assert_eq!(sources.usage.len(), SOURCES_REMEMBERED);
        assert_eq!(arrived, SOURCES_REMEMBERED / 2);
    }
}

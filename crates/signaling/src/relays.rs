//! The rules of relaying: who gets a ticket, who may join with it, and how much a source may have relayed. It must not know
//! sockets, messages, nor any clock or randomness; `now` is an argument.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tabferry_protocol::id::RelayTicket;
use tabferry_protocol::relay::RelayEnd;
use tabferry_protocol::signaling::SignalingCode;

use crate::per_source::{self, PerSource};

/// After this a source begins with nothing used again.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What may be relayed. The source is that of the peer who asked for the ticket; what both ends send counts.
#[derive(Debug, Clone, Copy)]
pub struct RelayQuotas {
    /// Relayed connections at once.
    pub relays: NonZeroU32,
    /// Those of one source.
    pub source_relays: NonZeroU32,
    /// Tickets that two ends have not joined with.
    pub tickets: usize,
    /// Those of one source.
    pub source_tickets: NonZeroU32,
    /// How long a ticket is good.
    pub ticket_life: Duration,
    /// Bytes of one source in a day, counted from the first on.
    pub source_bytes_per_day: u64,
    /// Whether loopback and private addresses are limited by source too.
    pub limit_private: bool,
}

/// The tickets, the relayed connections and the usage of all sources.
#[derive(Debug)]
pub(crate) struct Relays {
    quotas: RelayQuotas,
    tickets: HashMap<RelayTicket, Ticket>,
    /// The same tickets, the first to expire first.
    expiries: BTreeSet<(Instant, RelayTicket)>,
    /// Relayed connections now.
    relays: u32,
    usage: PerSource<Usage>,
}

#[derive(Debug)]
struct Ticket {
    /// Whose quota it uses.
    address: IpAddr,
    expires: Instant,
    /// One end has joined.
    joined: bool,
}

#[derive(Debug)]
struct Usage {
    /// Tickets now.
    tickets: u32,
    /// Relayed connections now.
    relays: u32,
    /// Bytes since `day` began.
    bytes: u64,
    day: Instant,
}

impl per_source::Usage for Usage {
    fn new(now: Instant) -> Self {
        Self {
            tickets: 0,
            relays: 0,
            bytes: 0,
            day: now,
        }
    }

    fn is_forgettable(&self, now: Instant) -> bool {
        let unused = self.bytes == 0 || now.saturating_duration_since(self.day) >= DAY;
        self.tickets == 0 && self.relays == 0 && unused
    }
}

impl Usage {
    /// The bytes of the day that it is now.
    fn bytes(&mut self, now: Instant) -> &mut u64 {
        if now.saturating_duration_since(self.day) >= DAY {
            self.day = now;
            self.bytes = 0;
        }
        &mut self.bytes
    }
}

/// An end has joined.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// It is the first one; the other one must come by then.
    First {
        /// When the ticket expires.
        until: Instant,
    },
    /// Both are there: a relayed connection, until [`Relays::end`].
    Second(Relay),
}

/// A relayed connection, as the quotas know it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Relay {
    /// Whose quota it uses.
    address: IpAddr,
}

impl Relays {
    pub(crate) fn new(quotas: RelayQuotas) -> Self {
        Self {
            quotas,
            tickets: HashMap::new(),
            expiries: BTreeSet::new(),
            relays: 0,
            usage: PerSource::new(quotas.limit_private),
        }
    }

    /// Gives out a ticket from `draw`. Errors: `busy` when the server relays as much as it may, `relay-quota` when the
    /// source does.
    pub(crate) fn issue(
        &mut self,
        now: Instant,
        address: IpAddr,
        mut draw: impl FnMut() -> RelayTicket,
    ) -> Result<RelayTicket, SignalingCode> {
        self.expire(now);
        let quotas = self.quotas;
        if self.tickets.len() >= quotas.tickets || self.relays >= quotas.relays.get() {
            return Err(SignalingCode::Busy);
        }
        let fits = self.usage.all(now, address, |usage, factor| {
            usage.tickets < quotas.source_tickets.saturating_mul(factor).get()
                && usage.relays < quotas.source_relays.saturating_mul(factor).get()
                && *usage.bytes(now) < most_bytes(quotas, factor)
        });
        if !fits {
            return Err(SignalingCode::RelayQuota);
        }
        self.usage.change(address, |usage| usage.tickets += 1);
        let mut ticket = draw();
        while self.tickets.contains_key(&ticket) {
            ticket = draw();
        }
        let expires = now + quotas.ticket_life;
        self.expiries.insert((expires, ticket));
        let entry = Ticket {
            address,
            expires,
            joined: false,
        };
        self.tickets.insert(ticket, entry);
        Ok(ticket)
    }

    /// An end comes with a ticket. With an error the ticket is good for nobody any more, also not for the one who came first.
    pub(crate) fn join(&mut self, now: Instant, ticket: RelayTicket) -> Result<Joined, RelayEnd> {
        self.expire(now);
        let entry = self
            .tickets
            .get_mut(&ticket)
            .ok_or(RelayEnd::UnknownTicket)?;
        if !entry.joined {
            entry.joined = true;
            return Ok(Joined::First {
                until: entry.expires,
            });
        }
        let address = entry.address;
        self.withdraw(ticket);
        let quotas = self.quotas;
        if self.relays >= quotas.relays.get() {
            return Err(RelayEnd::Busy);
        }
        let fits = self.usage.all(now, address, |usage, factor| {
            usage.relays < quotas.source_relays.saturating_mul(factor).get()
        });
        if !fits {
            return Err(RelayEnd::Quota);
        }
        self.relays += 1;
        self.usage.change(address, |usage| usage.relays += 1);
        Ok(Joined::Second(Relay { address }))
    }

    /// A ticket is good for nobody any more.
    pub(crate) fn withdraw(&mut self, ticket: RelayTicket) {
        let Some(entry) = self.tickets.remove(&ticket) else {
            return;
        };
        self.expiries.remove(&(entry.expires, ticket));
        self.usage.change(entry.address, |usage| {
            usage.tickets = usage.tickets.saturating_sub(1);
        });
    }

    /// Counts bytes of a relayed connection; false when its source has had as many as it may today.
    pub(crate) fn count(&mut self, now: Instant, relay: &Relay, bytes: u64) -> bool {
        let quotas = self.quotas;
        self.usage.change(relay.address, |usage| {
            let used = usage.bytes(now);
            *used = used.saturating_add(bytes);
        });
        self.usage.all(now, relay.address, |usage, factor| {
            *usage.bytes(now) < most_bytes(quotas, factor)
        })
    }

    /// A relayed connection is over.
    pub(crate) fn end(&mut self, relay: &Relay) {
        self.relays = self.relays.saturating_sub(1);
        self.usage.change(relay.address, |usage| {
            usage.relays = usage.relays.saturating_sub(1);
        });
    }

    fn expire(&mut self, now: Instant) {
        while let Some((expires, ticket)) = self.expiries.first().copied()
            && expires <= now
        {
            self.withdraw(ticket);
        }
    }
}

fn most_bytes(quotas: RelayQuotas, factor: NonZeroU32) -> u64 {
    quotas
        .source_bytes_per_day
        .saturating_mul(u64::from(factor.get()))
}

/// What one end may have on its way.
#[derive(Debug)]
pub(crate) struct Window {
    /// Bytes that it may have on their way.
    size: u64,
    /// Bytes that it has sent and that were not given back.
    on_way: u64,
    /// Those of them that have arrived.
    arrived: u64,
}

impl Window {
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            on_way: 0,
            arrived: 0,
        }
    }

    /// All of it.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The end has sent a message. Errors when it had no credit for it.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), RelayEnd> {
        self.on_way += bytes;
        if self.on_way > self.size {
            return Err(RelayEnd::CreditExceeded);
        }
        Ok(())
    }

    /// So many bytes of it were written to the other end.
    pub(crate) fn arrive(&mut self, bytes: u64) {
        self.arrived += bytes;
    }

    /// The credit to give back now, if that is worth a message.
    pub(crate) fn give_back(&mut self) -> Option<u64> {
        if self.arrived < self.size / 4 || self.arrived == 0 {
            return None;
        }
        let bytes = std::mem::take(&mut self.arrived);
        self.on_way = self.on_way.saturating_sub(bytes);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "203.0.113.7";
    const LIFE: Duration = Duration::from_secs(30);

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn quotas() -> RelayQuotas {
        RelayQuotas {
            relays: number(5),
            source_relays: number(2),
            tickets: 6,
            source_tickets: number(3),
            ticket_life: LIFE,
            source_bytes_per_day: 1000,
            limit_private: false,
        }
    }

    /// The rules under a clock that the test moves.
    struct Scene {
        relays: Relays,
        now: Instant,
        drawn: u8,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                relays: Relays::new(quotas()),
                now: Instant::now(),
                drawn: 0,
            }
        }

        fn issue(&mut self, address: &str) -> Result<RelayTicket, SignalingCode> {
            let drawn = &mut self.drawn;
            let address = address.parse().unwrap();
            self.relays.issue(self.now, address, || {
                *drawn += 1;
                RelayTicket::from_bytes([*drawn; 16])
            })
        }

        fn join(&mut self, ticket: RelayTicket) -> Result<Joined, RelayEnd> {
            self.relays.join(self.now, ticket)
        }

        /// A relayed connection that `address` asked for.
        fn relay(&mut self, address: &str) -> Result<Relay, RelayEnd> {
            let ticket = self.issue(address).unwrap();
            assert!(matches!(self.join(ticket), Ok(Joined::First { .. })));
            match self.join(ticket)? {
                Joined::Second(relay) => Ok(relay),
                first => panic!("{first:?}"),
            }
        }
    }

    #[test]
    fn a_ticket_is_good_for_two() {
        let mut scene = Scene::new();
        let ticket = scene.issue(HOME).unwrap();
        let until = scene.now + LIFE;
        assert_eq!(scene.join(ticket), Ok(Joined::First { until }));
        assert!(matches!(scene.join(ticket), Ok(Joined::Second(_))));
        assert_eq!(scene.join(ticket), Err(RelayEnd::UnknownTicket));
        let strange = RelayTicket::from_bytes([99; 16]);
        assert_eq!(scene.join(strange), Err(RelayEnd::UnknownTicket));
    }

    #[test]
    fn a_ticket_expires_before_and_between_its_ends() {
        let mut scene = Scene::new();
        let (unused, half) = (scene.issue(HOME).unwrap(), scene.issue(HOME).unwrap());
        scene.now += LIFE - Duration::from_millis(1);
        assert!(scene.join(half).is_ok());
        scene.now += Duration::from_millis(1);
        assert_eq!(scene.join(unused), Err(RelayEnd::UnknownTicket));
        assert_eq!(scene.join(half), Err(RelayEnd::UnknownTicket));
        assert!(scene.relays.tickets.is_empty() && scene.relays.expiries.is_empty());
    }

    #[test]
    fn a_ticket_is_drawn_again_while_another_one_is_the_same() {
        let mut scene = Scene::new();
        let first = scene.issue(HOME).unwrap();
        scene.drawn = 0;
        assert_ne!(scene.issue(HOME).unwrap(), first);
    }

    #[test]
    fn tickets_of_a_source_are_limited_until_they_are_used_or_expire() {
        let mut scene = Scene::new();
        let tickets: Vec<_> = (0..3).map(|_| scene.issue(HOME).unwrap()).collect();
        assert_eq!(scene.issue(HOME), Err(SignalingCode::RelayQuota));
        assert!(scene.issue("198.51.100.9").is_ok());
        scene.relays.withdraw(tickets[0]);
        scene.relays.withdraw(tickets[0]);
        assert!(scene.issue(HOME).is_ok());
        assert_eq!(scene.issue(HOME), Err(SignalingCode::RelayQuota));
        scene.now += LIFE;
        assert!(scene.issue(HOME).is_ok());
    }

    #[test]
    fn relayed_connections_of_a_source_are_limited_until_they_end() {
        let mut scene = Scene::new();
        let spare = scene.issue(HOME).unwrap();
        let first = scene.relay(HOME).unwrap();
        let _second = scene.relay(HOME).unwrap();
        assert_eq!(scene.issue(HOME), Err(SignalingCode::RelayQuota));
        // A ticket from before does not get around it.
        assert!(scene.join(spare).is_ok());
        assert_eq!(scene.join(spare), Err(RelayEnd::Quota));
        assert_eq!(scene.join(spare), Err(RelayEnd::UnknownTicket));
        scene.relays.end(&first);
        assert!(scene.relay(HOME).is_ok());
    }

    #[test]
    fn all_relayed_connections_and_all_tickets_are_limited() {
        let mut scene = Scene::new();
        let address = |n: u8| format!("203.0.113.{n}");
        let spare = scene.issue(&address(0)).unwrap();
        let relays: Vec<_> = (1..=5).map(|n| scene.relay(&address(n)).unwrap()).collect();
        assert_eq!(scene.issue(&address(6)), Err(SignalingCode::Busy));
        assert!(scene.join(spare).is_ok());
        assert_eq!(scene.join(spare), Err(RelayEnd::Busy));
        relays.iter().for_each(|relay| scene.relays.end(relay));
        for n in 0..6 {
            scene.issue(&address(n)).unwrap();
        }
        assert_eq!(scene.issue(&address(6)), Err(SignalingCode::Busy));
    }

    #[test]
    fn bytes_of_a_source_are_limited_for_a_day() {
        let mut scene = Scene::new();
        let relay = scene.relay(HOME).unwrap();
        assert!(scene.relays.count(scene.now, &relay, 999));
        assert!(scene.issue(HOME).is_ok());
        assert!(!scene.relays.count(scene.now, &relay, 1));
        assert_eq!(scene.issue(HOME), Err(SignalingCode::RelayQuota));
        assert!(!scene.relays.count(scene.now, &relay, u64::MAX));
        assert!(scene.issue("198.51.100.9").is_ok());
        scene.relays.end(&relay);
        scene.now += DAY;
        assert!(scene.relay(HOME).is_ok());
    }

    #[test]
    fn private_sources_are_free_unless_the_operator_says_otherwise() {
        let mut scene = Scene::new();
        let relay = scene.relay("192.168.1.1").unwrap();
        assert!(scene.relays.count(scene.now, &relay, u64::MAX));
        for _ in 0..4 {
            scene.relay("192.168.1.1").unwrap();
        }
        let mut quotas = quotas();
        quotas.limit_private = true;
        scene.relays = Relays::new(quotas);
        scene.relay("192.168.1.1").unwrap();
        scene.relay("192.168.1.1").unwrap();
        assert_eq!(scene.issue("192.168.1.1"), Err(SignalingCode::RelayQuota));
    }

    #[test]
    fn a_source_with_nothing_left_to_remember_is_forgettable() {
        let mut scene = Scene::new();
        let relay = scene.relay(HOME).unwrap();
        scene.relays.count(scene.now, &relay, 10);
        scene.relays.end(&relay);
        let mut usage = <Usage as per_source::Usage>::new(scene.now);
        let forgettable = per_source::Usage::is_forgettable;
        assert!(forgettable(&usage, scene.now));
        usage.bytes = 10;
        assert!(!forgettable(&usage, scene.now));
        assert!(forgettable(&usage, scene.now + DAY));
        usage.relays = 1;
        assert!(!forgettable(&usage, scene.now + DAY));
    }

    #[test]
    fn credit_comes_back_in_quarters_and_more_than_it_is_refused() {
        let mut window = Window::new(100);
        assert_eq!(window.give_back(), None);
        window.take(60).unwrap();
        window.arrive(24);
        assert_eq!(window.give_back(), None);
        window.arrive(1);
        assert_eq!(window.give_back(), Some(25));
        assert_eq!(window.give_back(), None);
        window.take(65).unwrap();
        assert_eq!(window.take(1), Err(RelayEnd::CreditExceeded));
    }
}

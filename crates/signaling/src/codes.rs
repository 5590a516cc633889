//! The codes that are open: who opened each, who is its guest, when it ends, and how much a source may do with codes. It
//! must not know messages, nor who else is in which room, nor any clock; `now` is an argument.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tabferry_protocol::id::PeerId;
use tabferry_protocol::secret_code::Nameplate;
use tabferry_protocol::signaling::SignalingCode;

use crate::bucket::{Bucket, Rate};
use crate::per_source::{self, PerSource};

/// What may be done with codes.
#[derive(Debug, Clone, Copy)]
pub struct CodeQuotas {
    /// How long a code is open.
    pub life: Duration,
    /// Guests of one code, one after the other. Each of them may try one secret.
    pub guests: NonZeroU32,
    /// Codes that one source may have open.
    pub open: NonZeroU32,
    /// Attempts of one source to open or to enter one, successful or not.
    pub attempts: Rate,
    /// The same over a longer time: an attempt must fit into both.
    pub lasting_attempts: Rate,
    /// Whether loopback and private addresses are limited by source too.
    pub limit_private: bool,
}

/// The open codes and the attempts of all sources.
#[derive(Debug)]
pub(crate) struct Codes {
    quotas: CodeQuotas,
    open: HashMap<Nameplate, Code>,
    /// The same codes, the first to end first.
    ends: BTreeSet<(Instant, Nameplate)>,
    usage: PerSource<Usage>,
}

#[derive(Debug)]
struct Code {
    opener: PeerId,
    /// Whose quota it uses.
    address: IpAddr,
    ends: Instant,
    /// Who is in now.
    guest: Option<PeerId>,
    /// How many have come in so far.
    guests: u32,
}

#[derive(Debug)]
struct Usage {
    /// Codes open now.
    open: u32,
    /// Attempts lately.
    attempts: Bucket,
    lasting_attempts: Bucket,
}

impl per_source::Usage for Usage {
    fn new(now: Instant) -> Self {
        Self {
            open: 0,
            attempts: Bucket::full(now),
            lasting_attempts: Bucket::full(now),
        }
    }

    fn is_forgettable(&self, now: Instant) -> bool {
        self.open == 0 && self.attempts.is_full(now) && self.lasting_attempts.is_full(now)
    }
}

impl Codes {
    pub(crate) fn new(quotas: CodeQuotas) -> Self {
        Self {
            quotas,
            open: HashMap::new(),
            ends: BTreeSet::new(),
            usage: PerSource::new(quotas.limit_private),
        }
    }

    /// Counts an attempt from `address` to open or to enter a code; false when there are too many.
    pub(crate) fn try_attempt(&mut self, now: Instant, address: IpAddr) -> bool {
        let quotas = self.quotas;
        self.usage.all(now, address, |usage, factor| {
            // In this order: what the first refuses costs nothing of the second, which takes long to refill.
            usage.attempts.try_take(now, quotas.attempts.times(factor))
                && usage
                    .lasting_attempts
                    .try_take(now, quotas.lasting_attempts.times(factor))
        })
    }

    /// Opens a code until [`Self::close`]. Errors: `taken`, `rate-limited` when the source has too many open.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        nameplate: Nameplate,
        opener: PeerId,
        address: IpAddr,
    ) -> Result<(), SignalingCode> {
        if self.open.contains_key(&nameplate) {
            return Err(SignalingCode::Taken);
        }
        let most = self.quotas.open;
        let fits = self.usage.all(now, address, |usage, factor| {
            usage.open < most.saturating_mul(factor).get()
        });
        if !fits {
            return Err(SignalingCode::RateLimited);
        }
        self.usage.change(address, |usage| usage.open += 1);
        let ends = now + self.quotas.life;
        self.ends.insert((ends, nameplate));
        let code = Code {
            opener,
            address,
            ends,
            guest: None,
            guests: 0,
        };
        self.open.insert(nameplate, code);
        Ok(())
    }

    /// Lets a guest in until [`Self::part`]. Errors: `code-not-found`, `busy` while another guest is in.
    pub(crate) fn enter(
        &mut self,
        nameplate: Nameplate,
        guest: PeerId,
    ) -> Result<(), SignalingCode> {
        let code = self.open.get_mut(&nameplate);
        let code = code.ok_or(SignalingCode::CodeNotFound)?;
        if code.guest.is_some() {
            return Err(SignalingCode::Busy);
        }
        code.guest = Some(guest);
        code.guests += 1;
        Ok(())
    }

    /// Opener or guest has left. True when this ends the code: without its opener it is good for nothing, and after so
    /// many guests somebody is guessing.
    pub(crate) fn part(&mut self, nameplate: Nameplate, peer: PeerId) -> bool {
        let Some(code) = self.open.get_mut(&nameplate) else {
            return true;
        };
        if code.guest == Some(peer) {
            code.guest = None;
        }
        code.opener == peer || code.guest.is_none() && code.guests >= self.quotas.guests.get()
    }

    /// Ends a code. Its nameplate is free again.
    pub(crate) fn close(&mut self, nameplate: Nameplate) {
        let Some(code) = self.open.remove(&nameplate) else {
            return;
        };
        self.ends.remove(&(code.ends, nameplate));
        self.usage.change(code.address, |usage| {
            usage.open = usage.open.saturating_sub(1);
        });
    }

    /// Ends all codes, and forgets who tried how often.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.quotas);
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.ends.is_empty()
    }

    /// A code whose time is over.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Nameplate> {
        let (ends, nameplate) = self.ends.first()?;
        (*ends <= now).then_some(*nameplate)
    }

    /// When to look for the next code whose time is over: no other one can end sooner, not even one opened meanwhile.
    pub(crate) fn next_end(&self, now: Instant) -> Instant {
        self.ends
            .first()
            .map_or(now + self.quotas.life, |(ends, _)| *ends)
    }
}

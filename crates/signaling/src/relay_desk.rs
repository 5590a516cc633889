//! Where the two ends of a relayed connection meet: the rules of relaying under a lock, and the sockets that wait for their
//! other end. It must not know what is relayed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tabferry_protocol::id::RelayTicket;
use tabferry_protocol::relay::RelayEnd;
use tabferry_protocol::signaling::SignalingCode;
use tokio::sync::oneshot;

use crate::metrics::Metrics;
use crate::relays::{Joined, Relay, RelayQuotas, Relays};

/// What all relayed connections share. `E` is what an end brings for the other one.
#[derive(Debug)]
pub(crate) struct RelayDesk<E> {
    state: Mutex<State<E>>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct State<E> {
    relays: Relays,
    /// Who came first with each ticket.
    waiting: HashMap<RelayTicket, oneshot::Sender<Meeting<E>>>,
}

/// What the end that came first hears: the other one is here, or can't be.
pub(crate) type Meeting<E> = Result<(E, Seat<E>), RelayEnd>;

/// An end has joined.
#[derive(Debug)]
pub(crate) enum Arrived<E> {
    /// As the first one: the other comes by then, or never.
    First(E, Wait<E>, Instant),
    /// As the second one, and the first one has taken it over.
    Second,
    /// It can't, or its other end has just gone.
    Refused(E, RelayEnd),
}

/// The wait for the other end. Dropping it makes the ticket worthless.
#[derive(Debug)]
pub(crate) struct Wait<E> {
    desk: Arc<RelayDesk<E>>,
    ticket: RelayTicket,
    meeting: oneshot::Receiver<Meeting<E>>,
}

impl<E> Wait<E> {
    /// Waits for the other end.
    pub(crate) async fn meet(&mut self) -> Meeting<E> {
        let met = (&mut self.meeting).await;
        met.unwrap_or(Err(RelayEnd::PeerMissing))
    }

    /// Waits no longer. Returns the other end if it came in this very moment.
    pub(crate) fn give_up(mut self) -> Option<(E, Seat<E>)> {
        self.meeting.close();
        self.meeting.try_recv().ok()?.ok()
    }
}

impl<E> Drop for Wait<E> {
    fn drop(&mut self) {
        let mut state = self.desk.lock();
        state.waiting.remove(&self.ticket);
        state.relays.withdraw(self.ticket);
    }
}

/// A relayed connection's place among all of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat<E> {
    desk: Arc<RelayDesk<E>>,
    relay: Relay,
}

impl<E> Seat<E> {
    /// Counts bytes; false when the source has had as many as it may.
    pub(crate) fn count(&self, bytes: u64) -> bool {
        self.desk.metrics.count_relayed(bytes);
        let now = Instant::now();
        self.desk.lock().relays.count(now, &self.relay, bytes)
    }
}

impl<E> Drop for Seat<E> {
    fn drop(&mut self) {
        self.desk.metrics.count_relay_ended();
        self.desk.lock().relays.end(&self.relay);
    }
}

impl<E> RelayDesk<E> {
    pub(crate) fn new(quotas: RelayQuotas, metrics: Arc<Metrics>) -> Self {
        let state = State {
            relays: Relays::new(quotas),
            waiting: HashMap::new(),
        };
        Self {
            state: Mutex::new(state),
            metrics,
        }
    }

    /// Gives out a ticket from `draw`.
    pub(crate) fn issue(
        &self,
        address: IpAddr,
        draw: impl FnMut() -> RelayTicket,
    ) -> Result<RelayTicket, SignalingCode> {
        self.lock().relays.issue(Instant::now(), address, draw)
    }

    /// An end comes with a ticket.
    pub(crate) fn join(self: &Arc<Self>, ticket: RelayTicket, end: E) -> Arrived<E> {
        let mut state = self.lock();
        let joined = state.relays.join(Instant::now(), ticket);
        if let Ok(Joined::First { until }) = joined {
            let (sender, meeting) = oneshot::channel();
            state.waiting.insert(ticket, sender);
            let wait = Wait {
                desk: self.clone(),
                ticket,
                meeting,
            };
            return Arrived::First(end, wait, until);
        }
        let first = state.waiting.remove(&ticket);
        // Both what is sent and what comes back may want the lock when it is dropped.
        drop(state);
        match joined {
            Ok(Joined::Second(relay)) => {
                self.metrics.count_relay_begun();
                let seat = Seat {
                    desk: self.clone(),
                    relay,
                };
                let unmet = match first {
                    Some(first) => first.send(Ok((end, seat))),
                    None => Err(Ok((end, seat))),
                };
                match unmet {
                    Err(Ok((end, _))) => Arrived::Refused(end, RelayEnd::PeerLeft),
                    Ok(()) | Err(Err(_)) => Arrived::Second,
                }
            }
            Ok(Joined::First { .. }) => Arrived::Refused(end, RelayEnd::UnknownTicket),
            Err(why) => {
                if let Some(first) = first {
                    // Whoever does not wait any more need not know.
                    let _ = first.send(Err(why));
                }
                Arrived::Refused(end, why)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        // A panic of another thread is a bug of ours that ends its own connection; the others should go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

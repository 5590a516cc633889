//! The life of a relay's sockets: joining, passing messages on, credit, pings, timeouts, closing. It must not know who the
//! ends are, nor read what they send.
//!
//! There is no queue. Of each direction one message is in hand: it is read, written, and only then the next one is read. So
//! an end that does not read holds up nobody but its own peer, whose bytes stay where they are by TCP's own flow control.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{Sink as _, Stream as _, StreamExt as _};
use tabferry_protocol::id::RelayTicket;
use tabferry_protocol::limits::{RELAY_CREDIT_BYTES, RELAY_FRAME_BYTES};
use tabferry_protocol::relay::{RelayClientMessage, RelayEnd, RelayServerMessage};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_util::sync::CancellationToken;

use crate::config::{Limits, RelayLimits};
use crate::metrics::Metrics;
use crate::relay_desk::{Arrived, RelayDesk, Seat, Wait};
use crate::relays::Window;
use crate::socket::{self, Fault, Patience, Socket};

/// Bytes are counted against quotas when so many have come together.
const COUNT_BYTES: u64 = 1024 * 1024;

/// An end of a relayed connection: its other end's task takes it over.
#[derive(Debug)]
pub(crate) struct Endpoint {
    socket: Socket,
    /// Held as long as the socket is.
    _connection: OwnedSemaphorePermit,
}

/// What relays' sockets share with the rest of the server.
#[derive(Debug)]
pub(crate) struct Relaying<'a> {
    pub(crate) desk: &'a Arc<RelayDesk<Endpoint>>,
    pub(crate) metrics: &'a Metrics,
    pub(crate) limits: &'a Limits,
    pub(crate) relay: &'a RelayLimits,
    /// The server stops.
    pub(crate) stopping: &'a CancellationToken,
}

impl Relaying<'_> {
    /// Serves a socket from its ticket to its end. `pending` is given back when it has joined, which must be by `join_by`.
    pub(crate) async fn serve(
        &self,
        mut socket: Socket,
        join_by: Instant,
        connection: OwnedSemaphorePermit,
        pending: OwnedSemaphorePermit,
    ) {
        let ticket = tokio::select! {
            ticket = timeout_at(join_by, read_ticket(&mut socket)) => {
                ticket.unwrap_or(Err(Some(RelayEnd::JoinTimeout)))
            }
            () = self.stopping.cancelled() => Err(Some(RelayEnd::ShuttingDown)),
        };
        let ticket = match ticket {
            Ok(ticket) => ticket,
            Err(end) => return self.close(socket, end).await,
        };
        let endpoint = Endpoint {
            socket,
            _connection: connection,
        };
        match self.desk.join(ticket, endpoint) {
            Arrived::First(endpoint, wait, until) => {
                drop(pending);
                self.wait(endpoint, wait, until.into()).await;
            }
            Arrived::Second => {}
            Arrived::Refused(endpoint, end) => self.close(endpoint.socket, Some(end)).await,
        }
    }

    /// Waits for the other end, and serves both.
    async fn wait(&self, mut endpoint: Endpoint, mut wait: Wait<Endpoint>, until: Instant) {
        let met = tokio::select! {
            // Who comes in time is served, whatever else happens in this moment.
            biased;
            met = wait.meet() => met.map_err(Some),
            end = read_nothing(&mut endpoint.socket) => Err(end),
            () = sleep_until(until) => Err(Some(RelayEnd::PeerMissing)),
            () = self.stopping.cancelled() => Err(Some(RelayEnd::ShuttingDown)),
        };
        match met {
            Ok((other, seat)) => {
                // The ticket is spent.
                drop(wait);
                self.relay(endpoint, other, seat).await;
            }
            Err(end) => {
                let late = wait.give_up();
                let close_late = async {
                    if let Some((other, seat)) = late {
                        drop(seat);
                        self.close(other.socket, Some(RelayEnd::PeerLeft)).await;
                    }
                };
                tokio::join!(self.close(endpoint.socket, end), close_late);
            }
        }
    }

    /// Passes messages on until one end has had enough, or must have.
    async fn relay(&self, one: Endpoint, other: Endpoint, seat: Seat<Endpoint>) {
        let now = Instant::now();
        let side = |endpoint| Side::new(endpoint, self.relay.credit, now);
        let mut pair = Pair {
            sides: [side(one), side(other)],
            seat,
            uncounted: 0,
        };
        let mut stopping = pin!(self.stopping.cancelled());
        let mut alarm = pin!(sleep_until(pair.next_alarm(self.limits, self.relay)));
        let ends = poll_fn(|cx| {
            if stopping.as_mut().poll(cx).is_ready() {
                return Poll::Ready([Some(RelayEnd::ShuttingDown); 2]);
            }
            while alarm.as_mut().poll(cx).is_ready() {
                pair.handle_alarm(self.limits, self.relay);
                alarm
                    .as_mut()
                    .reset(pair.next_alarm(self.limits, self.relay));
            }
            if let Poll::Ready(ends) = pair.poll(cx) {
                return Poll::Ready(ends);
            }
            // Most of what happens makes the next alarm later, and one that comes too early does no harm.
            let next = pair.next_alarm(self.limits, self.relay);
            if next < alarm.deadline() {
                alarm.as_mut().reset(next);
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
        let Pair {
            sides: [one, other],
            seat,
            uncounted,
        } = pair;
        seat.count(uncounted);
        // A source that makes a new attempt need not wait until the old one has been read to its end.
        drop(seat);
        tokio::join!(
            self.close(one.endpoint.socket, ends[0]),
            self.close(other.endpoint.socket, ends[1]),
        );
    }

    /// Ends a socket, with a close frame where the server is the one who ends it.
    async fn close(&self, socket: Socket, end: Option<RelayEnd>) {
        let mut patience = Patience::default();
        if let Some(end) = end {
            self.metrics.count_relay_close(end);
            // What was on its way is in the kernel's buffers yet. And an end that goes on sending, as it may, must not have
            // its connection reset before it has read that.
            if end == RelayEnd::PeerLeft {
                patience.time = self.relay.blocked_write;
                patience.bytes += 2 * RELAY_CREDIT_BYTES;
            }
        }
        let farewell = end.map(|end| (end.code(), end.reason()));
        socket::close(socket, farewell, patience).await;
    }
}

/// Reads the ticket, which comes first. Errors with what the socket is to be closed with, if it is still open.
async fn read_ticket(socket: &mut Socket) -> Result<RelayTicket, Option<RelayEnd>> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => match RelayClientMessage::decode(&text) {
                Ok(RelayClientMessage::Join { ticket }) => return Ok(ticket),
                Ok(RelayClientMessage::Unknown) | Err(_) => {
                    return Err(Some(RelayEnd::InvalidMessage));
                }
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(Some(RelayEnd::InvalidMessage)),
            Some(Ok(Message::Close(_))) | None => return Err(None),
            Some(Err(error)) => return Err(socket::fault(&error).map(RelayEnd::from)),
        }
    }
}

/// Reads until the end of a socket from which nothing may come yet. Returns what it is to be closed with.
async fn read_nothing(socket: &mut Socket) -> Option<RelayEnd> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Text(_))) => return Some(RelayEnd::InvalidMessage),
            // Credit comes when both ends are there.
            Some(Ok(Message::Binary(_))) => return Some(RelayEnd::CreditExceeded),
            Some(Ok(Message::Close(_))) | None => return None,
            Some(Err(error)) => return socket::fault(&error).map(RelayEnd::from),
        }
    }
}

impl From<Fault> for RelayEnd {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Protocol => Self::ProtocolError,
            Fault::NotText => Self::NotText,
            Fault::TooLong => Self::TooLong,
        }
    }
}

/// Two ends that have met.
#[derive(Debug)]
struct Pair {
    sides: [Side; 2],
    seat: Seat<Endpoint>,
    /// Bytes passed on that the quota does not know of.
    uncounted: u64,
}

/// One of them.
#[derive(Debug)]
struct Side {
    endpoint: Endpoint,
    /// What it may send.
    window: Window,
    /// A message that it has sent and that the other end's socket could not take yet.
    in_hand: Option<Bytes>,
    /// It has not been told yet that both are there.
    unwelcomed: bool,
    /// A ping is to be written.
    ping_due: bool,
    /// Something was written to it that has not gone out: nothing more is written until then.
    unflushed: bool,
    /// How many bytes of the other end's messages are in that.
    carried: u64,
    /// Since when nothing goes out.
    blocked: Option<Instant>,
    heard: Instant,
    pinged: Instant,
    /// Nothing more comes from it, and what it is to be closed with: `None` if it closes by itself.
    left: Option<Option<RelayEnd>>,
}

impl Side {
    fn new(endpoint: Endpoint, credit: u64, now: Instant) -> Self {
        Self {
            endpoint,
            window: Window::new(credit),
            in_hand: None,
            unwelcomed: true,
            ping_due: false,
            unflushed: false,
            carried: 0,
            blocked: None,
            heard: now,
            pinged: now,
            left: None,
        }
    }

    fn leave(&mut self, end: Option<RelayEnd>) {
        self.left.get_or_insert(end);
    }

    fn socket(&mut self) -> Pin<&mut Socket> {
        Pin::new(&mut self.endpoint.socket)
    }

    /// Reads a message to pass on. False when there is none now.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let Poll::Ready(frame) = self.socket().poll_next(cx) else {
            return false;
        };
        match frame {
            Some(Ok(Message::Binary(bytes))) if bytes.is_empty() => {
                self.leave(Some(RelayEnd::InvalidMessage));
            }
            Some(Ok(Message::Binary(bytes))) => match self.window.take(length(&bytes)) {
                Ok(()) => self.in_hand = Some(bytes),
                Err(end) => self.leave(Some(end)),
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Text(_))) => self.leave(Some(RelayEnd::InvalidMessage)),
            Some(Ok(Message::Close(_))) | None => self.leave(None),
            Some(Err(error)) => self.leave(socket::fault(&error).map(RelayEnd::from)),
        }
        self.heard = Instant::now();
        true
    }

    /// What is to be written to it next that does not come from the other end.
    fn own_message(&mut self) -> Option<Message> {
        if std::mem::take(&mut self.unwelcomed) {
            let credit = self.window.size();
            return Some(Message::text(
                RelayServerMessage::Joined { credit }.encode(),
            ));
        }
        if std::mem::take(&mut self.ping_due) {
            return Some(Message::Ping(Bytes::new()));
        }
        let bytes = self.window.give_back()?;
        Some(Message::text(RelayServerMessage::Credit { bytes }.encode()))
    }

    /// Lets out what was written before. True when nothing is left of it.
    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        if self.unflushed {
            match self.socket().poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    self.unflushed = false;
                    self.blocked = None;
                }
                Poll::Ready(Err(_)) => self.leave(None),
                Poll::Pending => {
                    self.blocked.get_or_insert_with(Instant::now);
                }
            }
        }
        !self.unflushed
    }

    fn write(&mut self, message: Message) {
        match self.socket().start_send(message) {
            Ok(()) => self.unflushed = true,
            Err(_) => self.leave(None),
        }
    }
}

impl Pair {
    /// Moves everything that can be moved. Ready when the connection is over, with what each end is to be closed with.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<[Option<RelayEnd>; 2]> {
        loop {
            let moved = [0, 1].map(|from| self.move_from(from, cx));
            if self.uncounted >= COUNT_BYTES {
                let bytes = std::mem::take(&mut self.uncounted);
                if !self.seat.count(bytes) {
                    return Poll::Ready([Some(RelayEnd::Quota); 2]);
                }
            }
            if let Some(ends) = self.ends() {
                return Poll::Ready(ends);
            }
            if moved == [false, false] {
                return Poll::Pending;
            }
        }
    }

    /// Writes to the other end of side `from` what is due, then reads from this side. False when neither goes on now.
    fn move_from(&mut self, from: usize, cx: &mut Context<'_>) -> bool {
        let [one, other] = &mut self.sides;
        let (from, to) = if from == 0 {
            (one, other)
        } else {
            (other, one)
        };
        let mut moved = false;
        while to.left.is_none() && to.flush(cx) {
            let passed = std::mem::take(&mut to.carried);
            from.window.arrive(passed);
            self.uncounted += passed;
            if let Some(message) = to.own_message() {
                to.write(message);
            } else if let Some(bytes) = from.in_hand.take() {
                to.carried = length(&bytes);
                to.write(Message::Binary(bytes));
            } else {
                break;
            }
            moved = true;
        }
        // Once one end has left, nothing that the other one says has anywhere to go.
        if from.left.is_none() && to.left.is_none() && from.in_hand.is_none() {
            moved |= from.read(cx);
        }
        moved
    }

    /// What the ends are to be closed with, if the connection is over: somebody has left, and what he sent before has gone
    /// out.
    fn ends(&self) -> Option<[Option<RelayEnd>; 2]> {
        let [one, other] = &self.sides;
        match (one.left, other.left) {
            (None, None) => None,
            (Some(one), Some(other)) => Some([one, other]),
            (Some(end), None) if is_delivered(one, other) => Some([end, Some(RelayEnd::PeerLeft)]),
            (None, Some(end)) if is_delivered(other, one) => Some([Some(RelayEnd::PeerLeft), end]),
            _ => None,
        }
    }

    /// When to call [`Self::handle_alarm`] at the latest, if nothing happens until then.
    fn next_alarm(&self, limits: &Limits, relay: &RelayLimits) -> Instant {
        let [one, other] = self.sides.each_ref().map(|side| {
            if side.left.is_some() {
                return Instant::now() + limits.silence;
            }
            let silent = side.heard + limits.silence;
            let ping = side.heard.max(side.pinged) + limits.ping_interval;
            let next = silent.min(ping);
            match side.blocked {
                Some(since) => next.min(since + relay.blocked_write),
                None => next,
            }
        });
        one.min(other)
    }

    /// Some time has passed.
    fn handle_alarm(&mut self, limits: &Limits, relay: &RelayLimits) {
        let now = Instant::now();
        for side in self.sides.iter_mut().filter(|side| side.left.is_none()) {
            if side
                .blocked
                .is_some_and(|since| since + relay.blocked_write <= now)
            {
                side.leave(Some(RelayEnd::TooSlow));
            }
            if side.heard + limits.silence <= now {
                side.leave(Some(RelayEnd::SilenceTimeout));
            }
            if side.heard.max(side.pinged) + limits.ping_interval <= now {
                side.ping_due = true;
                side.pinged = now;
            }
        }
    }
}

/// Whether everything that one side sent has gone out to the other one.
fn is_delivered(from: &Side, to: &Side) -> bool {
    from.in_hand.is_none() && !to.unflushed
}

fn length(bytes: &Bytes) -> u64 {
    // No message is longer than that.
    u64::try_from(bytes.len()).unwrap_or(RELAY_FRAME_BYTES as u64)
}

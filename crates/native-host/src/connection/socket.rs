//! The runtime that webrtc-rs is given: tokio's, with UDP sockets that are set up for speed. It knows sockets, and nothing
//! of what is sent through them.
//!
//! Two things would make webrtc-rs slow. It acknowledges all datagrams that it finds waiting with one SACK, up to 64, and
//! a browser sends a few packets for each SACK (Chromium 4): with any distance in between, 20 MB/s become 0.2. So for a
//! browser a socket claims to be empty after [`DRAINED_DATAGRAMS`], and doesn't let the kernel hand over several as one
//! (GRO). For another host, which sends as much as the window has room for, both would cost four fifths of the speed. And
//! with the system's usual buffers the kernel drops datagrams faster than SCTP recovers them.

use core::fmt;
use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, IoSliceMut};
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use socket2::SockRef;
use tokio::sync::oneshot;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    TokioRuntime, Transmit,
};

/// Datagrams received from a browser before the connection has a turn to acknowledge them.
const DRAINED_DATAGRAMS: usize = 2;

/// What is asked of the system for each of a socket's buffers.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// The largest receive window that SCTP is given. Larger ones are no faster on loopback, and this is what a peer may leave
/// with us at any time.
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// The smallest one: with the smallest buffer that systems give, so much gets through without losses.
const SMALL_WINDOW_BYTES: u32 = 128 * 1024;

/// The receive window that fits the sockets of this system.
pub(super) fn receive_window() -> u32 {
    static WINDOW: OnceLock<u32> = OnceLock::new();
    *WINDOW.get_or_init(|| {
        let granted = UdpSocket::bind("127.0.0.1:0").map(|socket| enlarge(&socket));
        window_of(granted.unwrap_or(0))
    })
}

/// The receive window for a socket whose receive buffer is said to have so many bytes. Linux counts what it needs besides
/// the data, about as much again.
fn window_of(buffer: usize) -> u32 {
    u32::try_from(buffer / 8 * 5)
        .unwrap_or(u32::MAX)
        .clamp(SMALL_WINDOW_BYTES, WINDOW_BYTES)
}

/// Asks for large buffers, and for less where that is refused. Returns what the receive buffer has now.
fn enlarge(socket: &UdpSocket) -> usize {
    let socket = SockRef::from(socket);
    // Linux grants what it may; others refuse what is too much.
    let sizes = || (0..6).map(|halved| SOCKET_BUFFER_BYTES >> halved);
    let _ = sizes().find(|size| socket.set_recv_buffer_size(*size).is_ok());
    let _ = sizes().find(|size| socket.set_send_buffer_size(*size).is_ok());
    socket.recv_buffer_size().unwrap_or(0)
}

/// tokio's runtime for one peer connection.
pub(super) struct TunedRuntime {
    /// Goes into the first task that is spawned, which drives the connection, and is dropped with it.
    driver: Mutex<Option<oneshot::Sender<()>>>,
    /// Datagrams that a socket receives before it claims to be empty.
    drained_at_once: Arc<AtomicUsize>,
    sockets: Mutex<Sockets>,
}

/// What is set once the other end is known.
#[derive(Debug, Default)]
struct Sockets {
    /// Whether it is known, and is a host.
    is_host: Option<bool>,
    /// The sockets made before.
    early: Vec<UdpSocket>,
}

impl TunedRuntime {
    /// The runtime, and what errs when the connection's driver is no more, for whatever reason.
    pub(super) fn new() -> (Arc<Self>, oneshot::Receiver<()>) {
        let (driver, stopped) = oneshot::channel();
        let runtime = Self {
            driver: Mutex::new(Some(driver)),
            drained_at_once: Arc::new(AtomicUsize::new(DRAINED_DATAGRAMS)),
            sockets: Mutex::default(),
        };
        (Arc::new(runtime), stopped)
    }

    /// Sets the sockets up for the other end: a host or a browser. Until then they are for a browser.
    pub(super) fn expect(&self, is_host: bool) {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.is_host = Some(is_host);
        let early = core::mem::take(&mut sockets.early);
        if is_host {
            self.drained_at_once.store(usize::MAX, Ordering::Relaxed);
            for socket in early {
                set_coalescing(&socket, true);
            }
        }
    }

    fn watched(
        &self,
        future: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let driver = self
            .driver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match driver {
            Some(driver) => Box::pin(async move {
                let _driver = driver;
                future.await;
            }),
            None => future,
        }
    }
}

impl fmt::Debug for TunedRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunedRuntime").finish_non_exhaustive()
    }
}

impl Runtime for TunedRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(self.watched(future))
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        enlarge(&socket);
        let handle = socket.try_clone()?;
        let inner = TokioRuntime.wrap_udp_socket(socket)?;
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        // tokio's are made with GRO where there is any.
        if sockets.is_host != Some(true) {
            set_coalescing(&handle, false);
        }
        if sockets.is_host.is_none() {
            sockets.early.push(handle);
        }
        Ok(Arc::new(TunedSocket {
            inner,
            drained_at_once: Arc::clone(&self.drained_at_once),
            drained: AtomicUsize::new(0),
        }))
    }

    fn wrap_tcp_listener(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        TokioRuntime.connect_tcp(remote)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        TokioRuntime.resolve_host(host)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.yield_now()
    }

    fn name(&self) -> &'static str {
        TokioRuntime.name()
    }
}

/// Switches GRO on or off, where there is any.
#[cfg(target_os = "linux")]
fn set_coalescing(socket: &UdpSocket, on: bool) {
    let option = nix::sys::socket::sockopt::UdpGroSegment;
    if let Err(error) = nix::sys::socket::setsockopt(socket, option, &on) {
        tracing::debug!(%error, "no UDP GRO");
    }
}

/// Switches GRO on or off, where there is any.
#[cfg(not(target_os = "linux"))]
fn set_coalescing(_socket: &UdpSocket, _on: bool) {}

/// A socket of tokio's that claims to be empty after a few datagrams.
#[derive(Debug)]
struct TunedSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    drained_at_once: Arc<AtomicUsize>,
    /// Datagrams since it last claimed, or was, to be empty.
    drained: AtomicUsize,
}

impl AsyncUdpSocket for TunedSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.inner.poll_send(cx, transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // One task polls a socket.
        let at_once = self.drained_at_once.load(Ordering::Relaxed);
        if self.drained.load(Ordering::Relaxed) >= at_once {
            self.drained.store(0, Ordering::Relaxed);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = self.inner.poll_recv(cx, buffers, meta);
        if polled.is_pending() {
            self.drained.store(0, Ordering::Relaxed);
        } else {
            self.drained.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_buffer_that_the_system_gave() {
        // Linux: raised, the usual maximum, the usual default; and a system that tells nothing.
        for (buffer, window) in [
            (8 * 1024 * 1024, WINDOW_BYTES),
            (425_984, 266_240),
            (212_992, 133_120),
            (0, SMALL_WINDOW_BYTES),
        ] {
            assert_eq!(window_of(buffer), window, "{buffer}");
        }
    }

    #[tokio::test]
    async fn a_socket_claims_to_be_empty_after_a_few_datagrams_and_has_lost_none() {
        for (known_before, is_host, expected) in [
            (None, None, &[2, 2, 1][..]),
            (Some(false), None, &[2, 2, 1]),
            (None, Some(false), &[2, 2, 1]),
            (Some(true), None, &[5]),
            (None, Some(true), &[5]),
        ] {
            let turns = drain_five(known_before, is_host).await;
            assert_eq!(turns, expected, "{known_before:?} {is_host:?}");
        }
    }

    /// Sends five datagrams to a socket and returns how many each turn gets. It is known before or after it is made
    /// who sends them.
    async fn drain_five(known_before: Option<bool>, known_after: Option<bool>) -> Vec<usize> {
        let (runtime, _stopped) = TunedRuntime::new();
        if let Some(is_host) = known_before {
            runtime.expect(is_host);
        }
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = receiver.local_addr().unwrap();
        let socket = runtime.wrap_udp_socket(receiver).unwrap();
        if let Some(is_host) = known_after {
            runtime.expect(is_host);
        }
        for number in 0..5 {
            sender.send_to(&[number], to).unwrap();
        }
        // How a connection receives: waits for one, then drains without waiting.
        let (mut numbers, mut turns) = (Vec::new(), Vec::new());
        while numbers.len() < 5 {
            let mut byte = [0];
            socket.recv_from(&mut byte).await.unwrap();
            numbers.push(byte[0]);
            let mut turn = 1;
            let mut cx = Context::from_waker(core::task::Waker::noop());
            while let Poll::Ready(received) = socket.poll_recv(
                &mut cx,
                &mut [IoSliceMut::new(&mut byte)],
                &mut [RecvMeta::default()],
            ) {
                assert_eq!(received.unwrap(), 1);
                numbers.push(byte[0]);
                turn += 1;
            }
            turns.push(turn);
        }
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        turns
    }

    #[tokio::test]
    async fn the_end_of_the_driver_is_heard_of() {
        let (runtime, stopped) = TunedRuntime::new();
        runtime.spawn(Box::pin(async { panic!("as a driver should not") }));
        assert!(stopped.await.is_err());
    }
}

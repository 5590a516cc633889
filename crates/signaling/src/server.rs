//! The server around the rooms: the listening socket, TLS, HTTP, who may connect and how often, stopping. It must not
//! know what peers say to each other.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::body::Incoming as RequestBody;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::{
    ICE_SERVERS, RELAY_FRAME_BYTES, RELAY_READ_BUFFER_BYTES, SIGNALING_MESSAGE_BYTES,
    SOCKET_KERNEL_BUFFER_BYTES, SOCKET_READ_BUFFER_BYTES,
};
use tabferry_protocol::relay;
use tabferry_protocol::signaling::{self, ServerMessage, SignalingCode};
use tabferry_protocol::version::SPOKEN;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::{Doubt, Location};
use crate::close::Ending;
use crate::config::Config;
use crate::hub::Hub;
use crate::metrics::{Metrics, Refusal};
use crate::page::page;
use crate::proxy::Forwarding;
use crate::random::random;
use crate::relay_desk::RelayDesk;
use crate::relay_socket::{Endpoint, Relaying};
use crate::rooms::Services;
use crate::socket::{self, Line, Patience};
use crate::sources::Sources;
use crate::tls::{self, TlsError};
use crate::turn::{Turn, TurnError};

/// Connections that the kernel keeps until they are accepted: many clients come back at once after a restart.
const BACKLOG: u32 = 1024;

/// Longest HTTP request head in bytes; the smallest that hyper takes.
const REQUEST_HEAD_BYTES: usize = 8 * 1024;

/// A pause after the system has no more files or memory for a connection: it sends no event when it has again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// A server that has its port but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    tls: Option<Tls>,
}

/// A server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program has the port.
    #[error(
        "can't listen on {0}: another program uses this port already; choose another one, or port 0 for any free one"
    )]
    PortTaken(SocketAddr),
    /// The port needs rights.
    #[error(
        "can't listen on {0}: this needs more rights; choose a port from 1024 on, or give the program CAP_NET_BIND_SERVICE"
    )]
    NotPermitted(SocketAddr),
    /// The machine doesn't have the address.
    #[error(
        "can't listen on {0}: this machine has no such address; 0.0.0.0 or [::] listen on all that it has"
    )]
    NoSuchAddress(SocketAddr),
    /// Something else.
    #[error("can't listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The secret for TURN servers.
    #[error(transparent)]
    Turn(#[from] TurnError),
    /// More ICE servers than clients take.
    #[error("{0} ICE servers were given, more than the {ICE_SERVERS} that clients take")]
    TooManyIceServers(usize),
}

/// `TlsAcceptor` with a `Debug` that shows no key.
#[derive(Clone)]
struct Tls(TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// What all connections of a server share.
#[derive(Debug)]
struct Shared {
    config: Config,
    hub: Hub,
    /// Where the ends of relayed connections meet, where the server relays.
    desk: Option<Arc<RelayDesk<Endpoint>>>,
    /// The server stops, which relays are to know.
    stopping: CancellationToken,
    sources: Mutex<Sources>,
    metrics: Arc<Metrics>,
    /// All connections and sockets, to wait for when the server stops.
    tasks: TaskTracker,
    /// Room for connections, and for those without hello.
    connections: Arc<Semaphore>,
    pending: Arc<Semaphore>,
    /// The log has been told that a proxy seems to be missing from the configuration, or its header.
    told_forwarding: AtomicBool,
}

/// A TCP connection on its way to become a WebSocket.
#[derive(Debug, Clone)]
struct Arrival {
    /// The other end of the socket.
    peer: IpAddr,
    /// When the handshakes and the hello must be done.
    hello_by: Instant,
    /// Goes over to the WebSocket.
    permits: Arc<Mutex<Option<Permits>>>,
}

#[derive(Debug)]
struct Permits {
    connection: OwnedSemaphorePermit,
    pending: OwnedSemaphorePermit,
}

/// One of a source's open connections, until it is dropped.
#[derive(Debug)]
struct Seat {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.shared.sources).close(self.address);
    }
}

impl Server {
    /// Takes the port and reads the certificate. Must be called inside a tokio runtime.
    pub fn bind(config: Config) -> Result<Self, StartError> {
        let turn_urls = config.turn.as_ref().map_or(0, |turn| turn.urls.len());
        let ice_servers = config.ice_servers.len() + turn_urls;
        if ice_servers > ICE_SERVERS {
            return Err(StartError::TooManyIceServers(ice_servers));
        }
        let turn = config.turn.as_ref().map(Turn::load).transpose()?;
        let tls = config.tls.as_ref().map(tls::load).transpose()?.map(Tls);
        let asked = config.listen;
        let (listener, address) = listen(asked).map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => StartError::PortTaken(asked),
            std::io::ErrorKind::PermissionDenied => StartError::NotPermitted(asked),
            std::io::ErrorKind::AddrNotAvailable => StartError::NoSuchAddress(asked),
            _ => StartError::Listen {
                address: asked,
                error,
            },
        })?;
        let limits = config.limits;
        let metrics = Arc::new(Metrics::new());
        let desk = config
            .relay
            .map(|relay| Arc::new(RelayDesk::new(relay.quotas, metrics.clone())));
        let services = Services {
            ice_servers: config.ice_servers.clone(),
            relay: desk.is_some(),
        };
        let hub = Hub::new(
            limits.peers,
            limits.codes,
            limits.queue,
            services,
            turn,
            desk.clone(),
            metrics.clone(),
        );
        let shared = Shared {
            hub,
            desk,
            stopping: CancellationToken::new(),
            sources: Mutex::new(Sources::new(limits.sources)),
            metrics,
            tasks: TaskTracker::new(),
            connections: semaphore(limits.connections.get()),
            pending: semaphore(limits.pending.get()),
            told_forwarding: AtomicBool::new(false),
            config,
        };
        Ok(Self {
            listener,
            address,
            shared: Arc::new(shared),
            tls,
        })
    }

    /// Where the server listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, without path.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `shutdown` resolves, then tells every client and waits for the sockets to close, for a few
    /// seconds at most.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self {
            listener,
            shared,
            tls,
            ..
        } = self;
        let router = router(shared.clone());
        tokio::select! {
            never = accept(&listener, &shared, tls, &router) => match never {},
            never = shared.hub.expire() => match never {},
            () = shutdown => {}
        }
        drop(listener);
        tracing::info!("stopping");
        shared.hub.shut_down();
        shared.stopping.cancel();
        shared.tasks.close();
        if timeout(shared.config.limits.drain, shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                left = shared.tasks.len(),
                "some clients did not close in time"
            );
        }
        tracing::info!("stopped");
    }
}

fn listen(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // On Windows this option would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit these.
    socket.set_send_buffer_size(SOCKET_KERNEL_BUFFER_BYTES)?;
    socket.set_recv_buffer_size(SOCKET_KERNEL_BUFFER_BYTES)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn semaphore(permits: u32) -> Arc<Semaphore> {
    let permits = usize::try_from(permits).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}

/// Accepts connections for ever. While too many have not said hello, further ones wait in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    tls: Option<Tls>,
    router: &Router,
) -> std::convert::Infallible {
    loop {
        let Ok(pending) = shared.pending.clone().acquire_owned().await else {
            unreachable!("the semaphore is never closed");
        };
        let (stream, peer) = match listener.accept().await {
            Ok((stream, peer)) => (stream, peer.ip().to_canonical()),
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "can't accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(connection) = shared.connections.clone().try_acquire_owned() else {
            shared.metrics.count_refusal(Refusal::ServerFull);
            continue;
        };
        // What comes through a proxy is counted once the header has named its source.
        if !shared.config.trusted_proxies.contains(peer) && !shared.arrive(peer) {
            shared.metrics.count_refusal(Refusal::TooFast);
            continue;
        }
        let permits = Permits {
            connection,
            pending,
        };
        let arrival = Arrival {
            peer,
            hello_by: Instant::now() + shared.config.limits.handshake,
            permits: Arc::new(Mutex::new(Some(permits))),
        };
        let shared = shared.clone();
        let (router, tls) = (router.clone(), tls.clone());
        shared.clone().tasks.spawn(async move {
            let hello_by = arrival.hello_by;
            let handshake = receive_request(stream, tls, router, arrival);
            if !matches!(timeout_at(hello_by, handshake).await, Ok(Ok(()))) {
                shared.metrics.count_refusal(Refusal::Handshake);
            }
        });
    }
}

/// Whether an error of accept concerns the one connection that just came, not the listening socket.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

async fn receive_request(
    stream: TcpStream,
    tls: Option<Tls>,
    router: Router,
    arrival: Arrival,
) -> anyhow::Result<()> {
    // Messages are small and wanted at once.
    stream.set_nodelay(true)?;
    match tls {
        Some(Tls(acceptor)) => {
            // The accepted stream and its handshake are large; a waiting connection should not carry room for both kinds.
            let stream = Box::pin(acceptor.accept(stream)).await?;
            Box::pin(serve_request(stream, router, arrival)).await
        }
        None => serve_request(stream, router, arrival).await,
    }
}

/// Serves one HTTP request. A WebSocket goes on in a task of its own.
async fn serve_request(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    arrival: Arrival,
) -> anyhow::Result<()> {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<RequestBody>| {
        request.extensions_mut().insert(arrival.clone());
        let response = router.call(request);
        async { response.await.map(close_after) }
    });
    http1::Builder::new()
        .max_buf_size(REQUEST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await?;
    Ok(())
}

/// Ends the connection after an answer that does not make it a WebSocket. Hyper's own switch for that would spoil the
/// answers that do.
fn close_after(mut response: Response) -> Response {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(page))
        .route(signaling::PATH, get(signal))
        .route(relay::PATH, get(relay_socket))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(shared)
}

/// Says that this is a signaling server and which one. Any page may ask: the extension does so to tell a wrong address
/// from a server that can't be reached.
async fn health() -> Response {
    let health = serde_json::json!({
        "service": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": SPOKEN,
    });
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Json(health)).into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shared.metrics.encode()).into_response()
}

/// What a WebSocket is for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Signaling,
    Relay,
}

/// Opens a WebSocket for signaling, or says why not.
async fn signal(
    State(shared): State<Arc<Shared>>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Response {
    open_socket(shared, &arrival, request, Purpose::Signaling)
}

/// Opens a WebSocket for one end of a relayed connection, or says why not.
async fn relay_socket(
    State(shared): State<Arc<Shared>>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Response {
    if shared.desk.is_none() {
        return (StatusCode::NOT_FOUND, "This server does not relay.\n").into_response();
    }
    open_socket(shared, &arrival, request, Purpose::Relay)
}

fn open_socket(
    shared: Arc<Shared>,
    arrival: &Arrival,
    mut request: Request,
    purpose: Purpose,
) -> Response {
    let headers = request.headers();
    let origin = headers.get(header::ORIGIN).map(|value| value.as_bytes());
    if !shared.config.allowed_origins.allow(origin) {
        shared.metrics.count_refusal(Refusal::Origin);
        let why = "Web pages of this origin may not connect (see --allow-origin).\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let client = shared.client(arrival.peer, headers);
    if shared.config.trusted_proxies.contains(arrival.peer) && !shared.arrive(client.address) {
        shared.metrics.count_refusal(Refusal::TooFast);
        let why = "Too many new connections from your address.\n";
        return (StatusCode::TOO_MANY_REQUESTS, why).into_response();
    }
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return not_a_websocket("no upgrade");
    };
    let response = match create_response(&request.map(|_| ())) {
        Ok(response) => response,
        Err(error) => return not_a_websocket(&error.to_string()),
    };
    let Some(permits) = lock(&arrival.permits).take() else {
        return not_a_websocket("not the first request of the connection");
    };
    let tasks = shared.tasks.clone();
    let hello_by = arrival.hello_by;
    tasks.spawn(async move {
        let upgraded = timeout_at(hello_by, upgrade).await;
        let Ok(Ok(upgraded)) = upgraded else { return };
        // Relays are few and large: the tasks of the many others should not carry room for them.
        match purpose {
            Purpose::Signaling => serve_socket(shared, client, upgraded, hello_by, permits).await,
            Purpose::Relay => Box::pin(serve_relay(shared, upgraded, hello_by, permits)).await,
        }
    });
    response.map(|()| axum::body::Body::empty())
}

fn not_a_websocket(why: &str) -> Response {
    let text = format!("This address is for WebSockets: {why}.\n");
    (StatusCode::BAD_REQUEST, text).into_response()
}

async fn serve_socket(
    shared: Arc<Shared>,
    client: Location,
    upgraded: Upgraded,
    hello_by: Instant,
    permits: Permits,
) {
    shared.metrics.count_connection();
    let mut socket =
        socket::open(upgraded, SIGNALING_MESSAGE_BYTES, SOCKET_READ_BUFFER_BYTES).await;
    let began = Instant::now();
    let address = shared.config.log_addresses.then_some(client.address);
    let Permits {
        connection: _connection,
        pending,
    } = permits;
    let seat = Seat::take(&shared, client.address);
    let ending = match seat {
        Some(_) => {
            let (id, outbox) = shared.hub.connect(client, || PeerId::from_bytes(random()));
            tracing::debug!(peer = %id, address = address.map(tracing::field::display), "connected");
            let line = Line {
                hub: &shared.hub,
                limits: &shared.config.limits,
                id,
                outbox,
            };
            let ending = line.drive(&mut socket, hello_by, pending).await;
            tracing::debug!(
                peer = %id,
                address = address.map(tracing::field::display),
                seconds = began.elapsed().as_secs(),
                reason = ending.map_or("client", Ending::reason),
                "disconnected"
            );
            ending
        }
        None => {
            tracing::debug!(
                address = address.map(tracing::field::display),
                "too many connections"
            );
            let error = ServerMessage::Error {
                code: SignalingCode::RateLimited,
                to: None,
                room: None,
            };
            shared.metrics.count_answer(&error);
            socket::tell(&mut socket, &error).await;
            Some(Ending::TooManyConnections)
        }
    };
    if let Some(ending) = ending {
        shared.metrics.count_close(ending);
    }
    let farewell = ending.map(|ending| (ending.code(), ending.reason()));
    socket::close(socket, farewell, Patience::default()).await;
}

/// Serves one end of a relayed connection. Its ticket takes the place of a source's seat: a source has few of them.
async fn serve_relay(shared: Arc<Shared>, upgraded: Upgraded, join_by: Instant, permits: Permits) {
    let (Some(desk), Some(relay)) = (&shared.desk, &shared.config.relay) else {
        return;
    };
    shared.metrics.count_connection();
    let socket = socket::open(upgraded, RELAY_FRAME_BYTES, RELAY_READ_BUFFER_BYTES).await;
    let relaying = Relaying {
        desk,
        metrics: &shared.metrics,
        limits: &shared.config.limits,
        relay,
        stopping: &shared.stopping,
    };
    let Permits {
        connection,
        pending,
    } = permits;
    relaying.serve(socket, join_by, connection, pending).await;
}

impl Seat {
    /// One more connection of `address`, if it may have one.
    fn take(shared: &Arc<Shared>, address: IpAddr) -> Option<Self> {
        let now = Instant::now().into_std();
        lock(&shared.sources).try_open(now, address).then(|| Self {
            shared: shared.clone(),
            address,
        })
    }
}

impl Shared {
    /// Counts a new connection; false when its source opens them too fast.
    fn arrive(&self, address: IpAddr) -> bool {
        lock(&self.sources).try_arrive(Instant::now().into_std(), address)
    }

    /// Where the client is: at the other end of the socket, or where a trusted proxy says.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Location {
        let lines = headers.get_all("x-forwarded-for").iter();
        let lines: Vec<_> = lines.map(|line| line.as_bytes()).collect();
        let proxies = &self.config.trusted_proxies;
        let (address, doubt) = match proxies.forwarding(peer, lines.into_iter()) {
            Forwarding::Direct => (peer, Doubt::None),
            Forwarding::Forwarded(client) => (client, Doubt::None),
            Forwarding::Unsaid => (peer, Doubt::Client),
            Forwarding::Untrusted => (peer, Doubt::Everyone),
        };
        if doubt != Doubt::None {
            self.metrics.count_doubtful_forwarding();
            if !self.told_forwarding.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    "X-Forwarded-For came from an address that is not a --trusted-proxy, or a trusted proxy sent none \
                     that can be read. If this server is behind a proxy, all clients seem to be in one network; so that \
                     strangers don't see each other, none of them may join a nearby room: see \"Behind a reverse proxy\" \
                     in docs/signaling.md. Said once; the metric doubtful_forwarding counts on."
                );
            }
        }
        Location { address, doubt }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What these guard is whole between any two assignments.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

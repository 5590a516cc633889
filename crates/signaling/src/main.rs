//! Program `tabferry-signaling`: command line, signals and exit codes. It must not know how the server works.

use std::io::{IsTerminal as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use ipnet::IpNet;
use tabferry_protocol::limits::{
    ICE_SERVER_URL_BYTES, SOURCE_RELAY_GIB_PER_DAY, TURN_CREDENTIAL_LIFE_SECONDS,
};
use tabferry_protocol::signaling::IceServer;
use tabferry_signaling::bucket::Rate;
use tabferry_signaling::config::{RelayLimits, gib};
use tabferry_signaling::origin::{AllowedOrigins, WebOrigin};
use tabferry_signaling::proxy::TrustedProxies;
use tabferry_signaling::tls::TlsFiles;
use tabferry_signaling::turn::TurnConfig;
use tabferry_signaling::{Config, Limits, Server, StartError};
use tracing_subscriber::EnvFilter;

/// Exit code for what can be put right on the command line; the same as clap's.
const EXIT_USAGE: u8 = 2;

/// See `--relay-quota-gib`.
const DEFAULT_RELAY_GIB: NonZeroU32 = NonZeroU32::new(SOURCE_RELAY_GIB_PER_DAY).unwrap();

/// Lets the devices of one network find each other and connect. It passes on who is there and how to connect; what
/// people send goes directly from device to device.
#[derive(Debug, Parser)]
#[command(name = "tabferry-signaling", version)]
struct Arguments {
    /// Where to listen. Port 0 takes a free one; the first line of output says which.
    #[arg(
        long,
        env = "TABFERRY_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:7717"
    )]
    listen: SocketAddr,

    /// A STUN or TURN server for clients: stun:HOST:PORT or turn:HOST:PORT,USERNAME,CREDENTIAL. May be repeated; in the
    /// environment separated by spaces, which keeps credentials out of the process list.
    #[arg(long = "ice-server", env = "TABFERRY_ICE_SERVERS", value_name = "URL[,USERNAME,CREDENTIAL]", value_parser = parse_ice_server, value_delimiter = ' ', hide_env_values = true)]
    ice_servers: Vec<IceServer>,

    /// A TURN server that shares a secret with this one (coturn's use-auth-secret): turn:HOST:PORT or turns:HOST:PORT. Clients
    /// get credentials for it that are good for some hours. May be repeated.
    #[arg(long = "turn-server", env = "TABFERRY_TURN_SERVERS", value_name = "URL", value_parser = parse_turn_server, value_delimiter = ' ', requires = "turn_secret_file")]
    turn_servers: Vec<String>,

    /// File with the secret, which the TURN servers have as static-auth-secret, on one line.
    #[arg(
        long,
        env = "TABFERRY_TURN_SECRET_FILE",
        value_name = "FILE",
        requires = "turn_servers"
    )]
    turn_secret_file: Option<PathBuf>,

    /// A reverse proxy whose X-Forwarded-For is believed: an address or a network such as 10.0.0.0/8. May be repeated.
    #[arg(long = "trusted-proxy", env = "TABFERRY_TRUSTED_PROXIES", value_name = "NETWORK", value_parser = parse_network, value_delimiter = ',')]
    trusted_proxies: Vec<IpNet>,

    /// A web origin whose pages may connect, such as https://files.example.org. Extensions always may. May be repeated.
    #[arg(
        long = "allow-origin",
        env = "TABFERRY_ALLOW_ORIGINS",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    allow_origins: Vec<WebOrigin>,

    /// PEM file with the certificate and those of its issuers. With it the server speaks wss:// only.
    #[arg(
        long,
        env = "TABFERRY_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,

    /// PEM file with the certificate's private key.
    #[arg(
        long,
        env = "TABFERRY_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,

    /// Write addresses of clients to the log.
    #[arg(long)]
    log_addresses: bool,

    /// Write the log (on standard error) as JSON, one object per line.
    #[arg(long)]
    log_json: bool,

    /// How much to log: error, warn, info or debug (every connection).
    #[arg(
        long,
        env = "TABFERRY_LOG",
        value_name = "LEVEL",
        default_value = "info"
    )]
    log_level: tracing::Level,

    /// Connections at once.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections)]
    max_connections: NonZeroU32,

    /// Connections at once from one source: a public IPv4 address or IPv6 /64. An IPv6 /48 gets eight times as many.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().sources.connections)]
    source_connections: NonZeroU32,

    /// New connections of one source at once.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().sources.new.burst)]
    source_burst: NonZeroU32,

    /// New connections of one source per minute, after the burst.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().sources.new.per_minute)]
    source_per_minute: NonZeroU32,

    /// Limit connections, codes and relaying of loopback and private addresses too.
    #[arg(long)]
    limit_private: bool,

    /// Relay nothing: devices without a direct path to each other can't send files then.
    #[arg(long)]
    no_relay: bool,

    /// GiB that one source may have relayed in a day.
    #[arg(long, value_name = "GIB", default_value_t = DEFAULT_RELAY_GIB)]
    relay_quota_gib: NonZeroU32,

    /// Messages of one client at once.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().peers.messages.burst)]
    message_burst: NonZeroU32,

    /// Messages of one client per minute, after the burst.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().peers.messages.per_minute)]
    messages_per_minute: NonZeroU32,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The server's own words only: its libraries would name addresses.
    let filter = EnvFilter::new(format!("tabferry_signaling={}", arguments.log_level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if arguments.log_json {
        log.json().init();
    } else {
        log.init();
    }
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "tabferry-signaling: {error:#}");
            let usage = error.is::<StartError>();
            ExitCode::from(if usage { EXIT_USAGE } else { 1 })
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "can't raise the limit of open files");
    }
    // Signals are caught from before the first line of output on: whoever waits for that line may send one.
    let stop = stop_signal()?;
    let server = Server::bind(config(arguments))?;
    // A reader that went away is no reason to stop.
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "listening on {}", server.url()).and_then(|()| stdout.flush());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        url = server.url(),
        "listening"
    );
    server.serve(stop).await;
    Ok(())
}

fn config(arguments: Arguments) -> Config {
    let mut config = Config::new(arguments.listen);
    config.ice_servers = arguments.ice_servers;
    config.trusted_proxies = TrustedProxies::new(arguments.trusted_proxies);
    config.allowed_origins = AllowedOrigins::new(arguments.allow_origins);
    config.tls = arguments
        .tls_cert
        .zip(arguments.tls_key)
        .map(|(certificate, key)| TlsFiles { certificate, key });
    let urls = arguments.turn_servers;
    config.turn = arguments.turn_secret_file.map(|secret_file| TurnConfig {
        urls,
        secret_file,
        life: Duration::from_secs(TURN_CREDENTIAL_LIFE_SECONDS),
    });
    config.log_addresses = arguments.log_addresses;
    config.relay = (!arguments.no_relay).then(|| {
        let mut relay = RelayLimits::default();
        relay.quotas.source_bytes_per_day = gib(arguments.relay_quota_gib);
        relay.quotas.limit_private = arguments.limit_private;
        relay
    });
    let limits = &mut config.limits;
    limits.connections = arguments.max_connections;
    limits.sources.connections = arguments.source_connections;
    limits.sources.new = Rate {
        burst: arguments.source_burst,
        per_minute: arguments.source_per_minute,
    };
    limits.sources.limit_private = arguments.limit_private;
    limits.codes.limit_private = arguments.limit_private;
    limits.peers.messages = Rate {
        burst: arguments.message_burst,
        per_minute: arguments.messages_per_minute,
    };
    config
}

/// Resolves when the program is asked to stop.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Resolves when the program is asked to stop.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows;
    let mut interrupt = windows::ctrl_c()?;
    let mut shutdown = windows::ctrl_shutdown()?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = shutdown.recv() => {}
        }
    })
}

fn parse_network(text: &str) -> Result<IpNet, String> {
    let address = |_| text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(address)
        .map(|network| network.trunc())
        .map_err(|_| {
            "an address or a network is needed, such as 127.0.0.1 or 10.0.0.0/8".to_owned()
        })
}

fn parse_turn_server(text: &str) -> Result<String, String> {
    let (scheme, host) = text.split_once(':').unwrap_or_default();
    if !matches!(scheme, "turn" | "turns") {
        return Err("the URL must begin with turn: or turns:".to_owned());
    }
    if text.contains(',') {
        return Err(
            "no username and credential are given here: they are made from the secret".to_owned(),
        );
    }
    check_host(scheme, host, text)?;
    Ok(text.to_owned())
}

fn check_host(scheme: &str, host: &str, url: &str) -> Result<(), String> {
    if host.is_empty() || host.starts_with('/') || url.len() > ICE_SERVER_URL_BYTES {
        return Err(format!("a URL such as {scheme}:HOST:PORT is needed"));
    }
    Ok(())
}

fn parse_ice_server(text: &str) -> Result<IceServer, String> {
    let mut parts = text.splitn(3, ',');
    let url = parts.next().unwrap_or_default().to_owned();
    let username = parts.next().map(str::to_owned);
    let credential = parts.next().map(str::to_owned);
    let (scheme, host) = url.split_once(':').unwrap_or_default();
    match (scheme, &username, &credential) {
        ("stun" | "stuns", None, None) => {}
        ("turn" | "turns", Some(_), Some(_)) => {}
        ("stun" | "stuns", ..) => return Err("a STUN server takes no username".to_owned()),
        ("turn" | "turns", ..) => {
            return Err("a TURN server needs both: turn:HOST:PORT,USERNAME,CREDENTIAL".to_owned());
        }
        _ => return Err("the URL must begin with stun:, stuns:, turn: or turns:".to_owned()),
    }
    check_host(scheme, host, &url)?;
    Ok(IceServer {
        url,
        username,
        credential,
    })
}

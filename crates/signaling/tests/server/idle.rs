//! Ten thousand idle clients fit into 100 MiB.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::client::{Client, eventually, request};
use crate::process::Running;

const CLIENTS: usize = 10_000;
const MEMORY_KIB: u64 = 100 * 1024;

/// Resident memory of a process in KiB.
#[cfg(target_os = "linux")]
fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let (number, _) = line.unwrap().trim().split_once(' ').unwrap();
    number.parse().unwrap()
}

/// One client in a room of four.
#[cfg(target_os = "linux")]
async fn idle_client(server: std::net::SocketAddr, number: usize) -> Client {
    let stream = TcpStream::connect(server).await.unwrap();
    let household = number / 4;
    let address = format!("11.{}.{}.1", household / 256, household % 256);
    let config = WebSocketConfig::default().read_buffer_size(1024);
    let request = request(&[("x-forwarded-for", &address)]);
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config))
        .await
        .unwrap();
    let mut client = Client::new(socket);
    client.greet("Idle").await;
    client.send(&crate::client::join("Idle")).await;
    client
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_clients_fit_into_100_mib() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let needed = u64::try_from(CLIENTS).unwrap() + 500;
    assert!(
        files >= needed,
        "this test needs {needed} open files, and {files} are allowed"
    );
    let server = Running::start(&["--trusted-proxy", "127.0.0.1"]);
    let address = server.address;
    let clients: Vec<_> = stream::iter(0..CLIENTS)
        .map(|number| idle_client(address, number))
        .buffer_unordered(100)
        .collect()
        .await;
    // What the server frees late, it may have freed by then.
    let mut resident = resident_kib(server.child.id());
    eventually(true, async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        resident = resident_kib(server.child.id());
        resident <= MEMORY_KIB
    })
    .await;
    println!("{} idle clients: {} MiB", clients.len(), resident / 1024);
}

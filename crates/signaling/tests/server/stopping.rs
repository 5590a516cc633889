//! A server that stops tells everyone and waits for nobody for long.

use std::time::{Duration, Instant};

use tabferry_protocol::signaling::SignalingCode;
use tokio::net::TcpStream;

use crate::client::TestServer;

#[tokio::test]
async fn everyone_is_told_and_closed_and_nobody_new_gets_in() {
    let mut server = TestServer::start();
    let mut joined = server.joined("Joined").await;
    let mut silent = server.connect().await;
    let address = server.address;
    server.stop();
    for client in [&mut joined, &mut silent] {
        client.expect_error(SignalingCode::ShuttingDown).await;
        assert_eq!(client.closed().await, (1012, "shutting-down".to_owned()));
    }
    server.stopped().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_client_that_does_not_close_is_not_waited_for() {
    let mut server = TestServer::start();
    let _deaf = server.joined("Deaf").await;
    let _unfinished = TcpStream::connect(server.address).await.unwrap();
    let began = Instant::now();
    server.stop();
    server.stopped().await;
    assert!(
        began.elapsed() < Duration::from_secs(7),
        "{:?}",
        began.elapsed()
    );
}

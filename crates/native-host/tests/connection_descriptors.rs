//! A connection that is closed leaves no descriptor behind. Alone in its process: whatever runs beside it would be counted.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

mod peers;

use peers::{End, PATIENCE, connected};
use tabferry_engine::ConnectionKey;
use tabferry_host::connection::Step;
use tokio::time::timeout;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_connections_leave_no_descriptor() {
    // Whatever a process opens once is open from now on.
    let (first, second) = connected().await;
    first.connections.finish().await;
    second.connections.finish().await;
    let before = descriptors();

    let mut end = End::new();
    for number in 0..160 {
        let key = ConnectionKey(100 + number);
        end.connections.open(key, &[]);
        if number % 2 == 0 {
            // In the middle of a negotiation.
            end.connections
                .take_step(key, Step::MakeOffer { restart: false });
        }
        // Some before they are made.
        if number % 3 == 0 {
            end.connections.close(key);
        }
    }
    // Nobody takes their events.
    timeout(PATIENCE, end.connections.finish()).await.unwrap();

    for _ in 0..20 {
        let (offerer, answerer) = connected().await;
        timeout(PATIENCE, async {
            tokio::join!(offerer.connections.finish(), answerer.connections.finish())
        })
        .await
        .unwrap();
    }
    assert_eq!(descriptors(), before);
}

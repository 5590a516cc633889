//! The nearby room comes from the socket, or from a proxy that was named as trusted; never from what a client writes.

use tabferry_protocol::signaling::{Room, ServerMessage, SignalingCode};
use tabferry_signaling::proxy::TrustedProxies;

use crate::client::{
    Client, ELSEWHERE, HOME, TestServer, code, eventually, group, pair, signal_to,
};

/// The only one that counts.
const FORWARDED_FOR: &str = "x-forwarded-for";

const HEADERS: [&str; 6] = [
    FORWARDED_FOR,
    "forwarded",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "x-client-ip",
];

async fn expect_unavailable(client: &mut Client) {
    client.send(&client.entering(Room::Nearby)).await;
    client
        .expect_refused(SignalingCode::NearbyUnavailable, Room::Nearby)
        .await;
}

async fn members_seen(server: &TestServer, headers: &[(&'static str, &str)]) -> (Client, usize) {
    let mut client = server.connect_with(headers).await.unwrap();
    client.greet("Visitor").await;
    let seen = client.join().await.len();
    (client, seen)
}

#[tokio::test]
async fn without_a_trusted_proxy_no_header_moves_a_client() {
    let server = TestServer::start();
    let mut resident = server.joined("Resident").await;
    for header in HEADERS {
        for value in [HOME, "for=203.0.113.7", "::1", "garbage", ""] {
            let mut visitor = server.connect_with(&[(header, value)]).await.unwrap();
            visitor.greet("Visitor").await;
            if header == FORWARDED_FOR {
                expect_unavailable(&mut visitor).await;
            } else {
                assert!(!visitor.join().await.is_empty(), "{header}: {value}");
            }
            drop(visitor);
            // Whoever hides behind a proxy has gone again.
            eventually(1, async || server.metric("tabferry_signaling_peers").await).await;
            // What it heard meanwhile is not what this test is about.
            resident.send(&resident.entering(Room::Nearby)).await;
            while !matches!(resident.next().await, ServerMessage::Joined { .. }) {}
        }
    }
    let doubtful = "tabferry_signaling_doubtful_forwarding_total";
    assert_eq!(server.metric(doubtful).await, 5);
}

#[tokio::test]
async fn behind_an_unknown_proxy_nobody_is_near_and_the_rest_works() {
    for trusted in [&[][..], &["10.0.0.0/8".parse().unwrap()]] {
        let server = TestServer::with(|config| {
            config.trusted_proxies = TrustedProxies::new(trusted.iter().copied());
        });
        let mut residents = [server.joined("One").await, server.joined("Two").await];
        let came = residents[0].next().await;
        assert!(matches!(came, ServerMessage::PeerJoined { .. }));
        // Two strangers, wherever the header says they are.
        let mut stranger = server.greeted_from(HOME, "Stranger").await;
        let mut other = server.greeted_from(ELSEWHERE, "Other").await;
        for client in &mut residents {
            let closed = ServerMessage::RoomClosed { room: Room::Nearby };
            assert_eq!(client.next().await, closed);
            expect_unavailable(client).await;
        }
        for client in [&mut stranger, &mut other] {
            expect_unavailable(client).await;
        }
        let nearby = "tabferry_signaling_rooms{kind=\"nearby\"}";
        assert_eq!(server.metric(nearby).await, 0);
        stranger.send(&signal_to(residents[0].id, "v=0\r\n")).await;
        stranger.expect_error(SignalingCode::PeerNotFound).await;

        stranger.open(code("7K3M")).await;
        assert_eq!(other.enter(code("7K3M")).await.len(), 1);
        assert_eq!(other.enter(group("F0RTYB1T")).await.len(), 0);
        assert_eq!(residents[0].enter(group("F0RTYB1T")).await.len(), 1);
        assert_eq!(residents[0].enter(pair(1)).await.len(), 0);

        // Without them it is one network again.
        drop((stranger, other));
        eventually(2, async || server.metric("tabferry_signaling_peers").await).await;
        assert_eq!(residents[1].join().await.len(), 0);
    }
}

#[tokio::test]
async fn of_whom_a_trusted_proxy_says_nothing_is_near_nobody() {
    let server = TestServer::behind_proxy();
    let mut private = server.joined_from("192.168.1.20", "At the proxy").await;
    for headers in [
        &[][..],
        &[(FORWARDED_FOR, "unknown")],
        &[(FORWARDED_FOR, "203.0.113.7, unknown")],
        &[(FORWARDED_FOR, "")],
        &[("x-real-ip", HOME)],
    ] {
        let mut client = server.connect_with(headers).await.unwrap();
        client.greet("Visitor").await;
        expect_unavailable(&mut client).await;
    }
    // The others are where the proxy says.
    private.expect_silence().await;
    let mut neighbor = server.greeted_from("192.168.1.21", "Neighbor").await;
    assert_eq!(neighbor.join().await.len(), 1);
}

#[tokio::test]
async fn a_trusted_proxy_says_where_clients_are() {
    let server = TestServer::with(|config| {
        let networks = ["127.0.0.1/32", "10.1.0.0/16"];
        config.trusted_proxies =
            TrustedProxies::new(networks.map(|network| network.parse().unwrap()));
    });
    let _private = server.joined_from("10.2.0.9", "At the proxy").await;
    let _home = server.joined_from(HOME, "Home").await;
    let _v6 = server.joined_from("2001:db8:1:2::1", "Six").await;
    let xff = FORWARDED_FOR;
    let spoofed = format!("{ELSEWHERE}, {HOME}");
    let two_hops = format!("{HOME}, 10.1.2.3");
    for (headers, room) in [
        // The same client, however the header is written.
        (vec![(xff, HOME)], "Home"),
        (vec![(xff, spoofed.as_str())], "Home"),
        (vec![(xff, ELSEWHERE), (xff, HOME)], "Home"),
        (vec![(xff, two_hops.as_str())], "Home"),
        (vec![(xff, HOME), (xff, "10.1.2.3")], "Home"),
        (vec![(xff, "203.0.113.7:55555")], "Home"),
        (vec![(xff, "::ffff:203.0.113.7")], "Home"),
        // Other headers change nothing.
        (vec![(xff, HOME), ("x-real-ip", ELSEWHERE)], "Home"),
        (vec![(xff, HOME), ("forwarded", "for=198.51.100.9")], "Home"),
        // The same /64.
        (vec![(xff, "2001:db8:1:2:ffff::9")], "Six"),
        (vec![(xff, "[2001:db8:1:2::2]:443")], "Six"),
        // A private client of the proxy.
        (vec![(xff, "192.168.1.20")], "At the proxy"),
    ] {
        let mut client = server.connect_with(&headers).await.unwrap();
        client.greet("Visitor").await;
        let names: Vec<_> = client
            .join()
            .await
            .into_iter()
            .map(|peer| peer.device.unwrap().name.as_str().to_owned())
            .filter(|name| name != "Visitor")
            .collect();
        assert_eq!(names, [room], "{headers:?}");
    }
    for alone in [ELSEWHERE, "203.0.113.8", "2001:db8:1:3::1"] {
        let (_visitor, seen) = members_seen(&server, &[(xff, alone)]).await;
        assert_eq!(seen, 0, "{alone}");
    }
}

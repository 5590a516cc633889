//! The nearby room comes from the socket, or from a proxy that was named as trusted; never from what a client writes.

use tabferry_signaling::proxy::TrustedProxies;

use crate::client::{Client, ELSEWHERE, HOME, TestServer};

const HEADERS: [&str; 6] = [
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "x-client-ip",
];

async fn members_seen(server: &TestServer, headers: &[(&'static str, &str)]) -> (Client, usize) {
    let mut client = server.connect_with(headers).await.unwrap();
    client.greet("Visitor").await;
    let seen = client.join().await.len();
    (client, seen)
}

#[tokio::test]
async fn without_a_trusted_proxy_no_header_moves_a_client() {
    let server = TestServer::start();
    let _resident = server.joined("Resident").await;
    for header in HEADERS {
        for value in [HOME, "for=203.0.113.7", "::1", "garbage", ""] {
            let (_visitor, seen) = members_seen(&server, &[(header, value)]).await;
            assert!(seen >= 1, "{header}: {value}");
        }
    }
    assert!(
        server
            .metric("tabferry_signaling_doubtful_forwarding_total")
            .await
            >= 5
    );
}

#[tokio::test]
async fn a_proxy_elsewhere_is_not_this_one() {
    let server = TestServer::with(|config| {
        config.trusted_proxies = TrustedProxies::new(["10.0.0.0/8".parse().unwrap()]);
    });
    let _resident = server.joined("Resident").await;
    let (_visitor, seen) = members_seen(&server, &[("x-forwarded-for", HOME)]).await;
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn a_trusted_proxy_says_where_clients_are() {
    let server = TestServer::with(|config| {
        let networks = ["127.0.0.1/32", "10.1.0.0/16"];
        config.trusted_proxies =
            TrustedProxies::new(networks.map(|network| network.parse().unwrap()));
    });
    let _private = server.joined("At the proxy").await;
    let _home = server.joined_from(HOME, "Home").await;
    let _v6 = server.joined_from("2001:db8:1:2::1", "Six").await;
    let xff = "x-forwarded-for";
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
        // What can't be read counts as the socket's address.
        (vec![(xff, "unknown")], "At the proxy"),
        (vec![(xff, "203.0.113.7, unknown")], "At the proxy"),
        (vec![(xff, "")], "At the proxy"),
        (vec![("x-real-ip", HOME)], "At the proxy"),
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

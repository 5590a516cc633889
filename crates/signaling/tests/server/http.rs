//! What is answered over plain HTTP, and who may open a WebSocket.

use tabferry_protocol::id::PairTag;
use tokio_tungstenite::tungstenite::Error;

use crate::client::{TestServer, code, pair};

#[tokio::test]
async fn health_names_service_version_and_protocol_to_any_page() {
    let server = TestServer::start();
    let response = server
        .http("GET /health HTTP/1.1\r\nhost: x\r\norigin: https://example.org\r\n\r\n")
        .await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("\r\naccess-control-allow-origin: *\r\n"),
        "{head}"
    );
    assert!(
        head.contains("\r\ncontent-type: application/json\r\n"),
        "{head}"
    );
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = serde_json::json!({
        "service": "tabferry-signaling", "version": env!("CARGO_PKG_VERSION"), "protocol": [1],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_page_for_people_loads_and_runs_nothing_but_its_own() {
    let server = TestServer::start();
    let response = server.http("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let header = |name: &str| {
        let values = head.lines().filter_map(|line| line.strip_prefix(name));
        values.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(header("content-type: "), "text/html; charset=utf-8");
    assert_eq!(header("x-content-type-options: "), "nosniff");
    assert_eq!(header("referrer-policy: "), "no-referrer");
    let policy = header("content-security-policy: ");
    let source = |tag: &str| {
        let (_, rest) = body.split_once(&format!("<{tag}>")).unwrap();
        let (text, rest) = rest.split_once(&format!("</{tag}>")).unwrap();
        assert!(!text.trim().is_empty() && !rest.contains(&format!("<{tag}")));
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        format!("'sha256-{}'", data_encoding::BASE64.encode(hash.as_ref()))
    };
    let expected = format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source("style"),
        source("script"),
    );
    assert_eq!(policy, expected);
    for reference in ["src=", "href=", "url(", "@import", "fetch(", "import("] {
        assert!(!body.contains(reference), "{reference}");
    }
    assert!(body.contains("<noscript>"));
}

#[tokio::test]
async fn everyone_gets_the_same_page_and_web_pages_still_may_not_connect() {
    let server = TestServer::start();
    let page = |path: &'static str, origin: &'static str| {
        let server = &server;
        async move {
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\n\r\n");
            let response = server.http(&request).await;
            let (head, body) = response.split_once("\r\n\r\n").unwrap();
            assert!(!head.contains("access-control-"), "{head}");
            body.to_owned()
        }
    };
    let plain = page("/", "https://example.org").await;
    assert_eq!(plain, page("/?code=A1B20XYZ", "null").await);
    match server
        .connect_with(&[("origin", &format!("http://{}", server.address))])
        .await
    {
        Err(Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("{:?}", other.map(|_| "connected")),
    }
}

#[tokio::test]
async fn metrics_count_and_name_nobody() {
    let server = TestServer::start();
    let mut client = server.joined("Unmistakable").await;
    client.open(code("7K3M")).await;
    client.enter(pair(7)).await;
    client.expect_silence().await;
    let text = server
        .http("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    assert!(
        text.contains("content-type: application/openmetrics-text"),
        "{text}"
    );
    for line in [
        "tabferry_signaling_peers 1",
        "tabferry_signaling_rooms{kind=\"nearby\"} 1",
        "tabferry_signaling_rooms{kind=\"code\"} 1",
        "tabferry_signaling_rooms{kind=\"group\"} 0",
        "tabferry_signaling_rooms{kind=\"pair\"} 1",
        "tabferry_signaling_connections_total 1",
        "tabferry_signaling_messages_total 5",
        "tabferry_signaling_errors_total{code=\"unsupported\"} 1",
        "# EOF",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} not in {text}"
        );
    }
    let id = client.id.unwrap().to_string();
    let tag = PairTag::from_bytes([7; 16]).to_string();
    for secret in ["Unmistakable", "127.0.0.1", &id, "7K3M", &tag] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn extensions_and_programs_may_connect_and_web_pages_may_not() {
    let allowed = "https://files.example.org";
    let server = TestServer::with(|config| {
        let origin = allowed.parse().unwrap();
        config.allowed_origins = tabferry_signaling::origin::AllowedOrigins::new([origin]);
    });
    for origin in [
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        "moz-extension://0f2b9a3e-6a52-4f0e-9f0c-0d1f9a6f2f11",
        allowed,
    ] {
        let mut client = server.connect_with(&[("origin", origin)]).await.unwrap();
        client.greet("Desk").await;
    }
    server.connect_with(&[]).await.unwrap();
    for origin in ["https://example.org", "http://localhost:8000", "null", ""] {
        match server.connect_with(&[("origin", origin)]).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 403, "{origin}"),
            other => panic!("{origin}: {:?}", other.map(|_| "connected")),
        }
    }
    let refused = "tabferry_signaling_refused_total{reason=\"origin\"}";
    assert_eq!(server.metric(refused).await, 4);
}

#[tokio::test]
async fn requests_that_are_no_websocket_are_told_so() {
    let server = TestServer::start();
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    for (request, status) in [
        ("GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 404),
        ("GET /v1/signal HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400),
        (
            "POST /v1/signal HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".to_owned(),
            405,
        ),
        (
            format!(
                "GET /v1/signal HTTP/1.1\r\nhost: x\r\n{upgrade}sec-websocket-version: 8\r\n\r\n"
            ),
            400,
        ),
        (
            format!(
                "GET /v1/signal HTTP/1.0\r\nhost: x\r\n{upgrade}sec-websocket-version: 13\r\n\r\n"
            ),
            400,
        ),
        (
            format!(
                "GET /health HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
                "y".repeat(9000)
            ),
            431,
        ),
        ("nonsense\r\n\r\n".to_owned(), 400),
    ] {
        let response = server.http(&request).await;
        let line = response.lines().next().unwrap_or_default();
        assert!(line.contains(&format!(" {status} ")), "{request}: {line}");
    }
    server.greeted("Desk").await;
}

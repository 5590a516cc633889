//! The address of a signaling server's WebSocket, and of the page where it says what it is. Knows no connection.

use tabferry_protocol::signaling::PATH;
use url::Url;

/// The address of the WebSocket at a server. A person may give that of its web page, and leave out the path.
pub(crate) fn complete(server: &str) -> Option<Url> {
    let mut url = Url::parse(server.trim()).ok()?;
    let scheme = match url.scheme() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return None,
    };
    url.set_scheme(scheme).ok()?;
    url.set_fragment(None);
    if url.path() == "/" {
        url.set_path(PATH);
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_completed_as_in_the_browser() {
        for (given, expected) in [
            ("ws://127.0.0.1:7717", Some("ws://127.0.0.1:7717/v1/signal")),
            (
                " http://nas.local:7717/ ",
                Some("ws://nas.local:7717/v1/signal"),
            ),
            (
                "https://ferry.example/#top",
                Some("wss://ferry.example/v1/signal"),
            ),
            ("wss://ferry.example/own", Some("wss://ferry.example/own")),
            ("", None),
            ("localhost:7717", None),
            ("ftp://ferry.example", None),
            ("ws://", None),
        ] {
            assert_eq!(
                complete(given).as_ref().map(Url::as_str),
                expected,
                "{given}"
            );
        }
    }
}

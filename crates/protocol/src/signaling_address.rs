//! Where a signaling server is, as a person gives it and as a client needs it. Knows no connection.

use url::Url;

use crate::signaling::PATH;

/// A server on the same machine, at the port that it listens on by default.
pub const DEFAULT_SERVER: &str = "ws://127.0.0.1:7717";

/// The address of the WebSocket at a server. A person may give that of its web page, and leave out the path. `None` if it is the
/// address of nothing.
pub fn socket_url(server: &str) -> Option<Url> {
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

    fn completed(server: &str) -> Option<String> {
        socket_url(server).map(String::from)
    }

    #[test]
    fn an_address_is_completed() {
        for (given, expected) in [
            (DEFAULT_SERVER, "ws://127.0.0.1:7717/v1/signal"),
            ("ws://127.0.0.1:7717/", "ws://127.0.0.1:7717/v1/signal"),
            (" http://nas.local:7717 ", "ws://nas.local:7717/v1/signal"),
            ("https://ferry.example", "wss://ferry.example/v1/signal"),
            (
                "wss://ferry.example/own/path",
                "wss://ferry.example/own/path",
            ),
            ("wss://ferry.example/#top", "wss://ferry.example/v1/signal"),
            ("ws://[::1]:7717", "ws://[::1]:7717/v1/signal"),
        ] {
            assert_eq!(completed(given).as_deref(), Some(expected), "{given}");
        }
    }

    #[test]
    fn what_is_no_address_of_a_server_is_refused() {
        for given in [
            "",
            "7717",
            "ferry.example",
            "localhost:7717",
            "ftp://ferry.example",
            "ws://",
            "ws://a b",
        ] {
            assert_eq!(completed(given), None, "{given}");
        }
    }
}

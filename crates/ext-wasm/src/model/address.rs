//! The signaling server's address as a person types it.

use tabferry_protocol::signaling::PATH;

/// A text that is no address of a signaling server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidAddress;

/// The base URL meant by what a person typed: `ws` or `wss`, host, port, perhaps a path, without a slash at the end. A
/// missing scheme is `ws`, http is taken for ws and https for wss, and the path of the WebSocket may be there. Whether
/// the host is one, the browser decides.
pub fn base_url(typed: &str) -> Result<String, InvalidAddress> {
    let typed = typed.trim();
    let (scheme, rest) = match typed.split_once("://") {
        None => ("ws", typed),
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => ("ws", rest),
            "wss" | "https" => ("wss", rest),
            _ => return Err(InvalidAddress),
        },
    };
    let rest = rest.trim_end_matches('/');
    let rest = rest
        .strip_suffix(PATH)
        .unwrap_or(rest)
        .trim_end_matches('/');
    let host = rest.split('/').next().unwrap_or_default();
    let strange = |c: char| c.is_whitespace() || c.is_control() || "@\\?#".contains(c);
    if host.is_empty() || host.starts_with(':') || rest.contains(strange) {
        return Err(InvalidAddress);
    }
    Ok([scheme, "://", rest].concat())
}

/// Where the WebSocket of the server with this base URL is.
pub fn signal_url(base: &str) -> String {
    [base, PATH].concat()
}

/// The same server for a browser's ordinary requests.
pub fn http_url(base: &str) -> String {
    // ws becomes http and wss becomes https.
    ["http", base.strip_prefix("ws").unwrap_or(base), "/"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_understood() {
        for (typed, base) in [
            ("ws://127.0.0.1:7717", "ws://127.0.0.1:7717"),
            (" 192.168.1.20:7717 ", "ws://192.168.1.20:7717"),
            ("https://ferry.example.org/", "wss://ferry.example.org"),
            (
                "WSS://ferry.example.org/v1/signal",
                "wss://ferry.example.org",
            ),
            ("http://[::1]:7717//", "ws://[::1]:7717"),
            (
                "wss://example.org/ferry/v1/signal/",
                "wss://example.org/ferry",
            ),
        ] {
            assert_eq!(base_url(typed).as_deref(), Ok(base), "{typed}");
            assert_eq!(base_url(base).as_deref(), Ok(base), "{base}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for typed in [
            "",
            " ",
            "ws://",
            "://x",
            "ftp://example.org",
            "javascript:alert(1)//://x",
            "ws://user:password@example.org",
            "ws://example.org?x",
            "ws://example.org#x",
            "ws://exa mple.org",
            "ws://:7717",
            "/v1/signal",
        ] {
            assert_eq!(base_url(typed), Err(InvalidAddress), "{typed}");
        }
    }

    #[test]
    fn every_way_to_the_server_is_as_secure() {
        assert_eq!(http_url("ws://h:1"), "http://h:1/");
        assert_eq!(http_url("wss://h/x"), "https://h/x/");
        assert_eq!(signal_url("wss://h"), "wss://h/v1/signal");
    }
}

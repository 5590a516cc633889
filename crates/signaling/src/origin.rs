//! Which origins may open a WebSocket. Browsers state the origin truthfully, so this keeps web pages out that a person
//! merely visits: without it any page could join the nearby room. It authenticates nobody: any other program can write
//! any origin, and an extension's id is public (Firefox even draws one per installation).

use url::{Origin, Url};

/// Schemes that only extensions have.
const EXTENSION_SCHEMES: [&str; 2] = ["chrome-extension://", "moz-extension://"];

/// Native clients (no origin), extensions, and the web origins that an operator named.
#[derive(Debug, Clone, Default)]
pub struct AllowedOrigins(Vec<WebOrigin>);

/// The origin of a web page: scheme, host, port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

/// A text that is not a web origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a web origin is needed, such as https://files.example.org")]
pub struct InvalidOrigin;

impl std::str::FromStr for WebOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        match url.origin() {
            origin @ Origin::Tuple(..)
                if bare && anonymous && matches!(url.scheme(), "http" | "https") =>
            {
                Ok(Self(origin.ascii_serialization()))
            }
            _ => Err(InvalidOrigin),
        }
    }
}

impl AllowedOrigins {
    /// Allows these web origins besides extensions.
    pub fn new(origins: impl IntoIterator<Item = WebOrigin>) -> Self {
        Self(origins.into_iter().collect())
    }

    /// Whether a client with this `Origin` header may connect.
    pub(crate) fn allow(&self, origin: Option<&[u8]>) -> bool {
        let Some(origin) = origin else { return true };
        let Ok(origin) = str::from_utf8(origin) else {
            return false;
        };
        let extension = EXTENSION_SCHEMES.iter().any(|scheme| {
            origin
                .strip_prefix(scheme)
                .is_some_and(|id| !id.is_empty() && !id.contains('/'))
        });
        extension || self.0.iter().any(|allowed| allowed.0 == origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_native_clients_and_named_origins_may_connect() {
        let origins = AllowedOrigins::new(["https://Files.example.org:443/".parse().unwrap()]);
        assert!(origins.allow(None));
        for origin in [
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "moz-extension://0f2b9a3e-6a52-4f0e-9f0c-0d1f9a6f2f11",
            "https://files.example.org",
        ] {
            assert!(origins.allow(Some(origin.as_bytes())), "{origin}");
        }
    }

    #[test]
    fn web_pages_may_not() {
        let origins = AllowedOrigins::new(["https://files.example.org".parse().unwrap()]);
        for origin in [
            "",
            "null",
            "https://example.org",
            "http://files.example.org",
            "https://files.example.org:8443",
            "https://files.example.org.evil.example",
            "http://localhost",
            "file://",
            "chrome-extension://",
            "chrome-extension://a/b",
            "chrome-extension:abc",
            "https://chrome-extension://abc",
        ] {
            assert!(!origins.allow(Some(origin.as_bytes())), "{origin}");
        }
        assert!(!origins.allow(Some(b"chrome-extension://\xff")));
    }

    #[test]
    fn only_bare_web_origins_can_be_named() {
        for text in [
            "",
            "example.org",
            "*",
            "ftp://example.org",
            "https://example.org/path",
            "https://a@example.org",
            "https://example.org?q",
            "https://",
        ] {
            assert_eq!(text.parse::<WebOrigin>(), Err(InvalidOrigin), "{text}");
        }
    }
}

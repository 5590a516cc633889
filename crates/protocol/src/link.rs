//! The gate for links: what may be sent, shown as a link, and opened.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::limits::URL_BYTES;

/// An absolute http or https URL without credentials, at most [`URL_BYTES`] long, in its normalized form (a host outside
/// ASCII in punycode).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebUrl(String);

/// A text that is no link we send or open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only http and https links without credentials, up to {URL_BYTES} bytes, can be sent")]
pub struct ForbiddenUrl;

impl WebUrl {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WebUrl {
    type Error = ForbiddenUrl;

    fn try_from(text: String) -> Result<Self, ForbiddenUrl> {
        // Parsers differ on control characters and backslashes; what two programs read differently is refused.
        if text.len() > URL_BYTES
            || text
                .chars()
                .any(|c| c.is_control() || c == '\\' || c == ' ')
        {
            return Err(ForbiddenUrl);
        }
        let url = Url::parse(&text).map_err(|_| ForbiddenUrl)?;
        let web = matches!(url.scheme(), "http" | "https") && url.has_host();
        let credentials = !url.username().is_empty() || url.password().is_some();
        let normalized = String::from(url);
        if !web || credentials || normalized.len() > URL_BYTES {
            return Err(ForbiddenUrl);
        }
        Ok(Self(normalized))
    }
}

impl From<WebUrl> for String {
    fn from(url: WebUrl) -> Self {
        url.0
    }
}

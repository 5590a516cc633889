//! The gate for links: what may be sent, shown as a link, and opened.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::limits::URL_BYTES;

/// An absolute http or https URL without credentials, at most [`URL_BYTES`] long, in its normalized form. The host is
/// ASCII: browsers hand out others in punycode, which is also the form that can't imitate.
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
        if !has_plain_host(&text) {
            return Err(ForbiddenUrl);
        }
        let url = Url::parse(&text).map_err(|_| ForbiddenUrl)?;
        let plain = url.host_str().is_some_and(str::is_ascii);
        let credentials = !url.username().is_empty() || url.password().is_some();
        let normalized = String::from(url);
        if !plain || credentials || normalized.len() > URL_BYTES {
            return Err(ForbiddenUrl);
        }
        Ok(Self(normalized))
    }
}

/// Whether a web scheme comes first, and at once a host that needs no translation: no Unicode, no escapes. The parser would
/// find a host where it is not written as one, and has no tables to translate it.
fn has_plain_host(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let is_web = ["http", "https"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    is_web && !host.is_empty() && host.is_ascii() && !host.contains('%')
}

impl From<WebUrl> for String {
    fn from(url: WebUrl) -> Self {
        url.0
    }
}

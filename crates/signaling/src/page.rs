//! The page for a person who opens the server's address in a browser, most often with a code in the fragment of a link. The
//! same bytes go to everyone: the code is read by the page's own script, and browsers send no server a fragment.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use ring::digest::{SHA256, digest};

/// One file, which loads nothing.
const PAGE: &str = include_str!("page.html");

/// Lets the page's own style and script run and nothing else load or happen.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source_of("style"),
        source_of("script"),
    )
});

/// The page.
pub(crate) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, PAGE).into_response()
}

/// What a policy calls the text of the page's one element with this tag: its hash.
fn source_of(tag: &str) -> String {
    let after = PAGE.split_once(&format!("<{tag}>"));
    let text = after.and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
    let (text, _) = text.unwrap_or_default();
    let hash = digest(&SHA256, text.as_bytes());
    format!("sha256-{}", BASE64.encode(hash.as_ref()))
}

//! The gate for links: what passes and as what, and what does not.

use proptest::prelude::*;
use tabferry_protocol::limits::URL_BYTES;
use tabferry_protocol::link::WebUrl;

use crate::{check, strategies};

fn gate(text: &str) -> Option<String> {
    WebUrl::try_from(text.to_owned()).ok().map(String::from)
}

#[test]
fn web_links_pass_in_their_normal_form() {
    for (text, normal) in [
        ("https://example.org", "https://example.org/"),
        ("http://example.org/", "http://example.org/"),
        ("HTTPS://EXAMPLE.ORG/A", "https://example.org/A"),
        ("https://example.org:443/", "https://example.org/"),
        ("http://example.org:80/", "http://example.org/"),
        ("http://example.org:8080/", "http://example.org:8080/"),
        ("https://example.org/a/../b/./c", "https://example.org/b/c"),
        ("https://example.org/%2e%2e/x", "https://example.org/x"),
        ("https://example.org/../../x", "https://example.org/x"),
        ("https://example.org/?q=a#b", "https://example.org/?q=a#b"),
        ("https://example.org?q", "https://example.org/?q"),
        (
            "https://example.org/ü?ü#ü",
            "https://example.org/%C3%BC?%C3%BC#%C3%BC",
        ),
        (
            "https://example.org/<\"`>",
            "https://example.org/%3C%22%60%3E",
        ),
        (
            "https://xn--mnchen-3ya.example/",
            "https://xn--mnchen-3ya.example/",
        ),
        ("http://127.0.0.1:7717/", "http://127.0.0.1:7717/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("http://[2001:DB8::1]/", "http://[2001:db8::1]/"),
        ("http://localhost/", "http://localhost/"),
        ("https://example.org/@user", "https://example.org/@user"),
        ("https://example.org/?a@b:c", "https://example.org/?a@b:c"),
        (
            "https://example.org/javascript:alert(1)",
            "https://example.org/javascript:alert(1)",
        ),
        (
            "https://example.org/\u{202E}",
            "https://example.org/%E2%80%AE",
        ),
    ] {
        assert_eq!(gate(text).as_deref(), Some(normal), "{text:?}");
    }
}

#[test]
fn everything_else_is_refused() {
    for text in [
        // Schemes.
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "javascript://example.org/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "data:text/html;base64,PHM+",
        "file:///etc/passwd",
        "file://host/share",
        "file:c:/x",
        "blob:https://example.org/1-2",
        "filesystem:https://example.org/temporary/x",
        "about:blank",
        "about:srcdoc",
        "chrome://settings",
        "chrome-extension://abc/popup.html",
        "edge://settings",
        "moz-extension://abc/x",
        "resource://x/",
        "view-source:https://example.org/",
        "jar:https://example.org!/",
        "ftp://example.org/",
        "ws://example.org/",
        "wss://example.org/",
        "mailto:a@example.org",
        "tel:123",
        "sms:123",
        "intent://example.org#Intent;scheme=http;end",
        "ms-settings:",
        "search-ms:query=x",
        "ms-msdt:/id",
        "vbscript:msgbox(1)",
        "ssh://example.org/",
        "steam://run/1",
        "magnet:?xt=1",
        "urn:a:b",
        "cid:1",
        "x:y",
        "httpss://example.org/",
        "https+x://example.org/",
        "hxxp://example.org/",
        "view-source:javascript:alert(1)",
        "feed:https://example.org/",
        "jav\tascript:alert(1)",
        "java\nscript:alert(1)",
        // No scheme, no host.
        "",
        "example.org",
        "www.example.org/x",
        // Browsers mend these, and never hand them out.
        "https:example.org",
        "https:/example.org",
        "https:///example.org",
        "https:///münchen.example",
        // The scheme and a plain host don't follow each other, whatever follows later.
        "https:/EXAMPLEü://example.org",
        "https:EXAMPLEü://example.org",
        "ftp:/EXAMPLEü://example.org",
        "https+https://example.org",
        "//example.org/x",
        "///example.org",
        "/path",
        "?q",
        "#f",
        ".",
        ":",
        "://example.org/",
        "http",
        "http:",
        "http:/",
        "http://",
        "http:///",
        "https://?q",
        "https://#f",
        "https://:80/",
        // Other ways of naming a host.
        "\\\\host\\share",
        "\\\\host",
        "https:\\\\example.org\\",
        "https://example.org\\x",
        "https:/\\example.org/",
        "https://example.org\\@evil.example/",
        // Credentials.
        "https://user@example.org/",
        "https://user:pass@example.org/",
        "https://:pass@example.org/",
        "https://example.org@evil.example/",
        "https://example.org%2F@evil.example/",
        "https://a@b@c.example/",
        "http:user@example.org",
        // White space and control characters, which browsers drop and others do not.
        " https://example.org/",
        "https://example.org/ ",
        "https://example.org/a b",
        "https://exa mple.org/",
        "\thttps://example.org/",
        "https://example.org/\n",
        "ht\ntps://example.org/",
        "https://exam\nple.org/",
        "https://example.org/a\tb",
        "https://example.org/\r\nHost: x",
        "https://example.org/\0",
        "\0https://example.org/",
        "https://example.org/\u{7f}",
        "https://example.org/\u{85}",
        "\u{FEFF}https://example.org/",
        "\u{200B}https://example.org/",
        "\u{A0}https://example.org/",
        "https://example.org/#a b",
        // Hosts that are none.
        "https://exa%20mple.org/",
        "https://example.org:99999/",
        "https://example.org:x/",
        "https://[::1/",
        "https://[::g]/",
        "https://1.2.3.4.5/",
        "https://256.1.1.1/",
        "https://a<b/",
        "https://a|b/",
        "https://a^b/",
        "https://%00/",
        // Hosts come in punycode, so that none imitates another: the third has a Cyrillic а.
        "https://münchen.example/",
        "https://例え.テスト/",
        "https://аpple.example/",
        "https://ｅｘａｍｐｌｅ.org/",
        "https://example。org/",
        "https://exam\u{AD}ple.org/",
        "https://m%C3%BCnchen.example/",
        "https://\u{AD}/",
        "https://a%2fb/",
        "https://a\u{FFFD}b/",
    ] {
        assert_eq!(gate(text), None, "{text:?}");
    }
}

#[test]
fn a_link_is_only_as_long_as_allowed() {
    for length in [URL_BYTES + 1, 100_000, 5_000_000] {
        assert_eq!(
            gate(&format!("https://example.org/{}", "a".repeat(length))),
            None
        );
        assert_eq!(
            gate(&format!("https://{}.example/", "a".repeat(length))),
            None
        );
        assert_eq!(gate(&"https:".repeat(length / 6)), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn valid_links_stay_as_they_are(url in strategies::web_url()) {
        check::web_url(&url);
    }

    #[test]
    fn whatever_passes_is_a_web_link(
        scheme in "https?|javascript|data|file|[a-z]{1,6}|",
        separator in "://|:|//|:/|:///|:\\\\\\\\|",
        rest in "[a-z0-9.@:/\\\\%?#\\[\\]-]{0,30}|\\PC{0,20}|.{0,20}",
    ) {
        if let Ok(url) = WebUrl::try_from(format!("{scheme}{separator}{rest}")) {
            check::web_url(&url);
        }
    }
}

//! What a file fetched from the web is called: as its server says, else as its address ends, else by its kind. The name is
//! a proposal; the receiver makes it safe.

use percent_encoding::percent_decode_str;
use url::Url;

/// Names a fetched file.
pub(crate) fn of_fetched(content_disposition: Option<&str>, url: &Url, media_type: &str) -> String {
    content_disposition
        .and_then(from_disposition)
        .or_else(|| from_path(url))
        .map_or_else(
            || format!("{}{}", word(media_type), extension(media_type)),
            |name| {
                if name.contains('.') {
                    name
                } else {
                    name + extension(media_type)
                }
            },
        )
}

/// The name in a `Content-Disposition` header (RFC 6266): `filename*` before `filename`.
fn from_disposition(header: &str) -> Option<String> {
    let parameters = parameters(header);
    let find = |wanted: &str| {
        let same = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(wanted);
        parameters
            .iter()
            .find(same)
            .map(|(_, value)| value.as_str())
    };
    find("filename*")
        .and_then(decode_extended)
        .or_else(|| find("filename").map(str::to_owned))
        .filter(|name| !name.is_empty())
}

/// `charset'language'percent-encoded` (RFC 8187). UTF-8 is the only charset that anyone has to understand.
fn decode_extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let name = percent_decode_str(encoded).decode_utf8().ok()?;
    Some(name.into_owned())
}

/// The parameters after the first word: `name=value` or `name="value"`, with `\` before a character that is meant.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut characters = header.chars().skip_while(|c| *c != ';').skip(1).peekable();
    while characters.peek().is_some() {
        let mut name = String::new();
        while let Some(c) = characters.next_if(|c| !matches!(c, '=' | ';')) {
            name.push(c);
        }
        let mut value = String::new();
        if characters.next_if_eq(&'=').is_some() {
            while characters.next_if(|c| c.is_ascii_whitespace()).is_some() {}
            if characters.next_if_eq(&'"').is_some() {
                while let Some(c) = characters.next() {
                    match c {
                        '"' => break,
                        '\\' => value.extend(characters.next()),
                        c => value.push(c),
                    }
                }
            } else {
                while let Some(c) = characters.next_if(|c| *c != ';') {
                    value.push(c);
                }
                value.truncate(value.trim_end().len());
            }
        }
        found.push((name.trim().to_owned(), value));
        while characters.next_if(|c| *c != ';').is_some() {}
        characters.next();
    }
    found
}

fn from_path(url: &Url) -> Option<String> {
    if url.cannot_be_a_base() {
        return None;
    }
    let last = url.path_segments()?.next_back()?;
    let name = percent_decode_str(last).decode_utf8().ok()?;
    (!name.is_empty()).then(|| name.into_owned())
}

fn word(media_type: &str) -> &'static str {
    match media_type.split('/').next() {
        Some("image") => "image",
        Some("video") => "video",
        Some("audio") => "audio",
        _ => "file",
    }
}

/// What most of the web's media end with.
fn extension(media_type: &str) -> &'static str {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "image/avif" => ".avif",
        "image/svg+xml" => ".svg",
        "image/bmp" => ".bmp",
        "image/x-icon" | "image/vnd.microsoft.icon" => ".ico",
        "video/mp4" => ".mp4",
        "video/webm" => ".webm",
        "video/ogg" => ".ogv",
        "video/quicktime" => ".mov",
        "audio/mpeg" => ".mp3",
        "audio/mp4" => ".m4a",
        "audio/ogg" => ".ogg",
        "audio/wav" | "audio/x-wav" => ".wav",
        "audio/webm" => ".weba",
        "audio/flac" => ".flac",
        "application/pdf" => ".pdf",
        "application/zip" => ".zip",
        "text/html" => ".html",
        "text/plain" => ".txt",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(disposition: Option<&str>, url: &str, media_type: &str, expected: &str) {
        let url = Url::parse(url).unwrap();
        assert_eq!(
            of_fetched(disposition, &url, media_type),
            expected,
            "{disposition:?} {url} {media_type}"
        );
    }

    #[test]
    fn the_server_names_a_file() {
        let url = "https://example.org/download.php?id=7";
        for (disposition, expected) in [
            ("attachment; filename=report.pdf", "report.pdf"),
            ("attachment; filename=\"my report.pdf\"", "my report.pdf"),
            (
                "attachment; filename=\"a \\\"b\\\"; c.pdf\"; size=3",
                "a \"b\"; c.pdf",
            ),
            ("attachment;FileName = report.pdf ; size=3", "report.pdf"),
            (
                "inline; filename=\"x.pdf\"; filename*=UTF-8''%E6%8A%A5%E5%91%8A.pdf",
                "报告.pdf",
            ),
            ("inline; filename*=utf-8'en'a%20b.pdf", "a b.pdf"),
            (
                "inline; filename=\"x.pdf\"; filename*=KOI8-R''%E6.pdf",
                "x.pdf",
            ),
            ("inline; filename=\"x.pdf\"; filename*=UTF-8''%FF", "x.pdf"),
            ("attachment; filename=\"open.pdf", "open.pdf"),
        ] {
            check(Some(disposition), url, "application/pdf", expected);
        }
    }

    #[test]
    fn a_server_that_names_nothing_leaves_it_to_the_address() {
        for disposition in [
            None,
            Some("inline"),
            Some("attachment; filename=\"\""),
            Some(";;=;\""),
            Some(""),
        ] {
            check(
                disposition,
                "https://example.org/a/cat.jpg?w=3#x",
                "image/jpeg",
                "cat.jpg",
            );
        }
        check(
            None,
            "https://example.org/%E7%8C%AB.jpg",
            "image/jpeg",
            "猫.jpg",
        );
        check(
            None,
            "https://example.org/cat",
            "image/webp; q=1",
            "cat.webp",
        );
        check(
            None,
            "https://example.org/cat",
            "application/x-unknown",
            "cat",
        );
    }

    #[test]
    fn without_any_name_the_kind_gives_one() {
        check(None, "https://example.org/", "image/png", "image.png");
        check(None, "https://example.org/", "video/mp4", "video.mp4");
        check(
            None,
            "data:image/gif;base64,R0lGODlhAQAB",
            "image/gif",
            "image.gif",
        );
        check(None, "data:,x", "", "file");
        check(None, "https://example.org/%FF", "audio/mpeg", "audio.mp3");
    }
}

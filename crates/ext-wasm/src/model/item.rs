//! A received page, link or text.

use tabferry_protocol::host::{ItemView, PlainItem};
use tabferry_protocol::id::ItemId;

use crate::i18n::Words;

/// Characters of a text that name it in buttons and announcements.
const LABEL_CHARS: usize = 60;

/// What is shown of a received item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemModel {
    /// Which.
    pub id: ItemId,
    /// Kind and sender.
    pub caption: String,
    /// Name of its icon.
    pub icon: &'static str,
    /// Title, address or text.
    pub title: String,
    /// Where a link leads: its host, if it is one that may be opened.
    pub host: Option<String>,
    /// What opens, if something may.
    pub url: Option<String>,
    /// What is copied.
    pub copied: String,
    /// Accessible name of the button that opens.
    pub open: String,
    /// Accessible name of the button that copies.
    pub copy: String,
    /// Accessible name of the button that dismisses.
    pub dismiss: String,
}

impl ItemModel {
    /// What is shown of this item.
    pub fn new(view: &ItemView, words: Words<'_>) -> Self {
        let from = view.from.name.as_str();
        let (icon, caption, title, link) = match &view.item {
            PlainItem::Page { url, title } => ("page", "received_page_from", title, Some(url)),
            PlainItem::Link { url, title } => ("link", "received_link_from", title, Some(url)),
            PlainItem::Text { text } => ("text", "received_text_from", text, None),
        };
        let url = link.filter(|url| host(url).is_some());
        let title = match link {
            Some(url) if title.trim().is_empty() => url,
            _ => title,
        };
        let label = label(title);
        Self {
            id: view.id,
            caption: words(caption, &[from]),
            icon,
            host: link.and_then(|url| host(url)).map(str::to_owned),
            url: url.cloned(),
            copied: link.unwrap_or(title).clone(),
            open: words("open_named", &[&label]),
            copy: words("copy_named", &[&label]),
            dismiss: words("dismiss_named", &[&label]),
            title: title.clone(),
        }
    }
}

/// The beginning of a text, in one line.
pub fn label(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut chars = line.chars();
    let mut label: String = chars.by_ref().take(LABEL_CHARS).collect();
    if chars.next().is_some() {
        label.push('…');
    }
    label
}

/// Host and port of an http or https link. The engine has checked and normalized the link, so the host is what stands
/// between the slashes; anything else is no link to open.
fn host(url: &str) -> Option<&str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next()?;
    (!host.is_empty() && !host.contains(['@', '\\'])).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{device, english};

    fn shown(item: PlainItem) -> ItemModel {
        let view = ItemView {
            id: ItemId(1),
            from: device(1, "Ada"),
            item,
        };
        ItemModel::new(&view, &english)
    }

    fn link(url: &str, title: &str) -> ItemModel {
        shown(PlainItem::Link {
            url: url.to_owned(),
            title: title.to_owned(),
        })
    }

    #[test]
    fn a_link_shows_where_it_leads() {
        let item = link("https://example.org:8080/a?b#c", "Example");
        assert_eq!(item.host.as_deref(), Some("example.org:8080"));
        assert_eq!(item.url.as_deref(), Some("https://example.org:8080/a?b#c"));
        assert_eq!(item.copied, "https://example.org:8080/a?b#c");
        assert_eq!(item.open, "Open Example");
        assert_eq!(item.caption, "Link from Ada");
    }

    #[test]
    fn a_link_without_title_is_named_by_its_address() {
        assert_eq!(
            link("https://example.org/", " ").title,
            "https://example.org/"
        );
    }

    #[test]
    fn only_web_links_open() {
        for url in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "https://",
            "https://a@b/",
        ] {
            let item = link(url, "x");
            assert_eq!((item.url, item.host), (None, None), "{url}");
        }
    }

    #[test]
    fn a_text_is_copied_whole_and_named_by_its_beginning() {
        let text = format!("one\n two{}", " three".repeat(30));
        let item = shown(PlainItem::Text { text: text.clone() });
        assert_eq!((&item.title, &item.copied), (&text, &text));
        assert_eq!(item.url, None);
        assert!(item.copy.starts_with("Copy one two three"), "{}", item.copy);
        assert!(item.copy.ends_with('…') && item.copy.chars().count() < 70);
    }
}

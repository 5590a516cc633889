//! What a click on a menu item sends.

use serde::Deserialize;
use tabferry_protocol::host::{Command, PlainItem};
use tabferry_protocol::limits::{TEXT_BYTES, URL_BYTES};

use super::download::percent_encode;
use super::menu::{Kind, target_of};
use crate::envelope::OffscreenMessage;

/// A click, as the browser's `OnClickData` tells it, with the title of the tab.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Click {
    /// The item.
    pub menu_item_id: String,
    /// Where the link leads that was clicked on.
    pub link_url: Option<String>,
    /// Where the image, video or audio comes from that was clicked on.
    pub src_url: Option<String>,
    /// Address of the frame that was clicked in, if it is not the page itself.
    pub frame_url: Option<String>,
    /// Address of the page.
    pub page_url: Option<String>,
    /// The selected text.
    pub selection_text: Option<String>,
    /// What the tab calls itself; empty if unknown.
    pub title: String,
}

/// Why a click sends nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The page's or link's address means nothing on another device.
    #[error("the address can't be sent")]
    Address,
    /// Nothing is there to be sent: the item is of another version, or the page has changed meanwhile.
    #[error("there is nothing to send")]
    Nothing,
}

impl Click {
    /// The message that sends what was clicked on.
    pub fn message(self) -> Result<OffscreenMessage, Unsendable> {
        let (kind, to) = target_of(&self.menu_item_id).ok_or(Unsendable::Nothing)?;
        let send_item = |item| OffscreenMessage::Command(Command::SendItem { to, item });
        let send_bytes = |url: Option<String>, title: &str| {
            Ok(OffscreenMessage::SendBytes {
                to,
                url: fetchable(url.ok_or(Unsendable::Nothing)?)?,
                title: title.trim().to_owned(),
            })
        };
        match kind {
            Kind::Page => {
                let (url, title) = match self.frame_url {
                    // The tab's title is not the frame's.
                    Some(frame) if Some(&frame) != self.page_url.as_ref() => (frame, ""),
                    frame => (
                        self.page_url.or(frame).ok_or(Unsendable::Nothing)?,
                        self.title.trim(),
                    ),
                };
                let (url, title) = (web_link(&url)?, title.to_owned());
                Ok(send_item(PlainItem::Page { url, title }))
            }
            Kind::Link => {
                let url = web_link(&self.link_url.ok_or(Unsendable::Nothing)?)?;
                // The browser doesn't tell the link's text, but a person may have selected it.
                let text = self.selection_text.unwrap_or_default();
                let title = text.trim().to_owned();
                Ok(send_item(PlainItem::Link { url, title }))
            }
            Kind::Selection => {
                let text = self.selection_text.unwrap_or_default();
                match text.len() {
                    0 => Err(Unsendable::Nothing),
                    1..=TEXT_BYTES => Ok(send_item(PlainItem::Text { text })),
                    // A long text travels as a file.
                    _ => {
                        let data = percent_encode(&text);
                        let url = format!("data:text/plain;charset=utf-8,{data}");
                        send_bytes(Some(url), &self.title)
                    }
                }
            }
            Kind::Image | Kind::Video | Kind::Audio => send_bytes(self.src_url, &self.title),
            Kind::File => send_bytes(self.link_url, ""),
        }
    }
}

/// An address that may lead to bytes which the extension can fetch.
fn fetchable(url: String) -> Result<String, Unsendable> {
    let scheme = url.split(':').next().unwrap_or_default();
    if ["http", "https", "data", "blob"].contains(&scheme) {
        Ok(url)
    } else {
        Err(Unsendable::Address)
    }
}

/// An address that passes the gate for links, [`WebUrl`](tabferry_protocol::link::WebUrl): it is as the browser has
/// parsed it, so only what the gate refuses beyond that is looked at.
fn web_link(url: &str) -> Result<String, Unsendable> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .ok_or(Unsendable::Address)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let mut link = String::new();
    for c in url.chars() {
        match c {
            // The browser leaves both in queries and fragments.
            '\\' => link.push_str("%5C"),
            ' ' => link.push_str("%20"),
            c => link.push(c),
        }
    }
    if authority.contains('@') || link.len() > URL_BYTES {
        return Err(Unsendable::Address);
    }
    Ok(link)
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::id::DeviceId;
    use tabferry_protocol::link::WebUrl;

    use super::*;

    const TO: DeviceId = DeviceId::from_bytes([7; 16]);

    /// A click on an image in a link in a frame, with a selection.
    fn click(kind: &str) -> Click {
        Click {
            menu_item_id: format!("{kind}:{TO}"),
            link_url: Some("https://a.example/link?q=a\\b".to_owned()),
            src_url: Some("https://a.example/image.png".to_owned()),
            frame_url: Some("https://b.example/frame".to_owned()),
            page_url: Some("https://a.example/".to_owned()),
            selection_text: Some(" a text ".to_owned()),
            title: "A page".to_owned(),
        }
    }

    fn item(click: Click) -> PlainItem {
        match click.message() {
            Ok(OffscreenMessage::Command(Command::SendItem { to, item })) => {
                assert_eq!(to, TO);
                item
            }
            other => panic!("{other:?}"),
        }
    }

    fn bytes(click: Click) -> (String, String) {
        match click.message() {
            Ok(OffscreenMessage::SendBytes { to, url, title }) => {
                assert_eq!(to, TO);
                (url, title)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_kind_takes_its_own_target() {
        let (url, title) = ("https://b.example/frame".to_owned(), String::new());
        assert_eq!(item(click("page")), PlainItem::Page { url, title });
        let url = "https://a.example/link?q=a%5Cb".to_owned();
        let title = "a text".to_owned();
        assert_eq!(item(click("link")), PlainItem::Link { url, title });
        let text = " a text ".to_owned();
        assert_eq!(item(click("selection")), PlainItem::Text { text });
        for kind in ["image", "video", "audio"] {
            assert_eq!(
                bytes(click(kind)),
                (
                    "https://a.example/image.png".to_owned(),
                    "A page".to_owned()
                )
            );
        }
        assert_eq!(bytes(click("file")).0, "https://a.example/link?q=a\\b");
    }

    #[test]
    fn a_page_has_its_title() {
        let mut click = click("page");
        click.frame_url = None;
        click.title = " A page ".to_owned();
        let (url, title) = ("https://a.example/".to_owned(), "A page".to_owned());
        assert_eq!(item(click), PlainItem::Page { url, title });
    }

    #[test]
    fn a_long_selection_travels_as_a_file() {
        let mut click = click("selection");
        click.selection_text = Some("é".repeat(TEXT_BYTES));
        let (url, _) = bytes(click);
        assert!(url.starts_with("data:text/plain;charset=utf-8,%C3%A9%C3%A9"));
    }

    #[test]
    fn what_other_devices_cannot_open_is_refused() {
        for url in [
            "chrome://settings",
            "file:///etc/passwd",
            "about:blank",
            "javascript:alert(1)",
            "chrome-extension://x/popup.html",
            "https://name:word@a.example/",
            "https://name@a.example",
            &format!("https://a.example/{}", "x".repeat(URL_BYTES)),
        ] {
            let mut page = click("page");
            page.frame_url = None;
            page.page_url = Some(url.to_owned());
            assert_eq!(page.message(), Err(Unsendable::Address), "{url}");
        }
        let mut image = click("image");
        image.src_url = Some("file:///x.png".to_owned());
        assert_eq!(image.message(), Err(Unsendable::Address));
    }

    #[test]
    fn a_click_without_its_target_sends_nothing() {
        for kind in ["page", "link", "selection", "image", "file"] {
            let click = Click {
                menu_item_id: format!("{kind}:{TO}"),
                ..Click::default()
            };
            assert_eq!(click.message(), Err(Unsendable::Nothing), "{kind}");
        }
        assert_eq!(click("fish").message(), Err(Unsendable::Nothing));
        assert_eq!(Click::default().message(), Err(Unsendable::Nothing));
    }

    #[test]
    fn every_link_passes_the_gate() {
        for url in [
            "https://a.example/",
            "http://127.0.0.1:8080/a?b=@c#d@e",
            "https://a.example?x@y",
            "https://a.example/?q=a b\\c#d e\\f",
            "https://xn--bcher-kva.example/",
            "http://[::1]:80/",
        ] {
            let link = web_link(url).unwrap();
            assert!(WebUrl::try_from(link).is_ok(), "{url}");
        }
    }

    #[test]
    fn the_browsers_click_is_read() {
        let json = r#"{"editable":false,"frameId":0,"linkUrl":"https://a.example/","menuItemId":"link:x",
            "pageUrl":"https://b.example/","title":"B"}"#;
        let click: Click = serde_json::from_str(json).unwrap();
        assert_eq!(click.link_url.as_deref(), Some("https://a.example/"));
        assert_eq!(click.title, "B");
    }
}

//! What a page says by itself: the answer to what a person just did, for everyone to see, and what changed meanwhile,
//! for a screen reader.

use web_sys::Element;

use super::dom::{by_id, set_text};

/// The line with the id `notice`, and the polite live region with the id `announcer`.
#[derive(Debug)]
pub struct Notice {
    line: Element,
    region: Element,
}

impl Notice {
    /// The page's own.
    pub fn new() -> Self {
        Self {
            line: by_id("notice"),
            region: by_id("announcer"),
        }
    }

    /// Shows and announces something, until the next; nothing, if the text is empty.
    pub fn say(&self, text: &str) {
        set_text(&self.line, text);
        self.region.set_text_content(Some(text));
    }

    /// Announces without showing.
    pub fn announce(&self, texts: &[String]) {
        if !texts.is_empty() {
            // Not through `set_text`: the same words about something else are said again.
            self.region.set_text_content(Some(&texts.join(" ")));
        }
    }
}

impl Default for Notice {
    fn default() -> Self {
        Self::new()
    }
}

//! What a transfer proposes: entries, and the whole manifest with its totals checked.

use serde::{Deserialize, Deserializer, Serialize};

use crate::code::Code;
use crate::limits::{
    FOLDER_BYTES, FOLDER_DEPTH, INLINE_ENTRIES, MANIFEST_ENTRIES, MANIFEST_TEXT_BYTES,
    MEDIA_TYPE_BYTES, PROPOSED_NAME_BYTES, TEXT_BYTES, TITLE_BYTES, TRANSFER_BYTES,
};
use crate::link::WebUrl;
use crate::tagged;

/// One thing in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Entry {
    /// A file, whose bytes follow in bulk frames.
    File(FileEntry),
    /// A kind of a newer version. No manifest takes it: the proposal is declined as incompatible.
    Unknown,
    /// A page, link or text, which is all here.
    #[serde(untagged)]
    Item(Item),
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        tagged::read("kind", from, ReadEntry::deserialize).map(Self::from)
    }
}

/// An [`Entry`] as it is read: all kinds side by side, because serde can tell an unknown kind from a broken known one
/// only where it sees every tag.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ReadEntry {
    File(FileEntry),
    Page {
        url: WebUrl,
        title: String,
    },
    Link {
        url: WebUrl,
        title: String,
    },
    Text {
        text: String,
    },
    #[serde(other)]
    Unknown,
}

impl From<ReadEntry> for Entry {
    fn from(entry: ReadEntry) -> Self {
        match entry {
            ReadEntry::File(file) => Self::File(file),
            ReadEntry::Page { url, title } => Self::Item(Item::Page { url, title }),
            ReadEntry::Link { url, title } => Self::Item(Item::Link { url, title }),
            ReadEntry::Text { text } => Self::Item(Item::Text { text }),
            ReadEntry::Unknown => Self::Unknown,
        }
    }
}

/// A file as its sender describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// The name as proposed: hostile until it has become a [`ReceivedName`](crate::name::ReceivedName).
    pub name: String,
    /// The folder that it is to be in, below the one for received files, as proposed: names with `/` between two. Hostile
    /// until it has become a [`ReceivedFolder`](crate::name::ReceivedFolder).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// Exact size in bytes.
    pub bytes: u64,
    /// Media type, if the sender knows one. A hint for the icon only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

/// Something small that travels inside the proposal and touches no disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Item {
    /// The page a person was looking at.
    Page {
        /// Where it is.
        url: WebUrl,
        /// What it calls itself; may be empty.
        title: String,
    },
    /// A link on a page.
    Link {
        /// Where it leads.
        url: WebUrl,
        /// Its text; may be empty.
        title: String,
    },
    /// A selection or a typed text.
    Text {
        /// The text, at most [`TEXT_BYTES`].
        text: String,
    },
}

impl Item {
    fn check(&self) -> Result<(), Code> {
        let fits = match self {
            Self::Page { title, .. } | Self::Link { title, .. } => title.len() <= TITLE_BYTES,
            Self::Text { text } => text.len() <= TEXT_BYTES && !text.is_empty(),
        };
        if fits { Ok(()) } else { Err(Code::TooLarge) }
    }
}

impl FileEntry {
    /// Bytes of its texts.
    pub fn text_bytes(&self) -> usize {
        let media_type = self.media_type.as_ref().map_or(0, String::len);
        self.name.len() + self.folder.len() + media_type
    }

    fn check(&self) -> Result<(), Code> {
        let media_type = self.media_type.as_ref().map_or(0, String::len);
        let fits = self.name.len() <= PROPOSED_NAME_BYTES
            && self.folder.len() <= FOLDER_BYTES
            && self.folder.split('/').count() <= FOLDER_DEPTH
            && self.bytes <= TRANSFER_BYTES
            && media_type <= MEDIA_TYPE_BYTES;
        if fits { Ok(()) } else { Err(Code::TooLarge) }
    }
}

/// A checked manifest: 1 to [`MANIFEST_ENTRIES`] files, or 1 to [`INLINE_ENTRIES`] inline items; never both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// Files, in the order in which they are sent.
    Files(Vec<FileEntry>),
    /// Pages, links, texts.
    Items(Vec<Item>),
}

impl Manifest {
    /// Checks all limits. Errors with the code that the other end is told.
    pub fn new(entries: Vec<Entry>) -> Result<Self, Code> {
        let mut files = Vec::new();
        let mut items = Vec::new();
        for entry in entries {
            match entry {
                Entry::File(file) => files.push(file),
                Entry::Item(item) => items.push(item),
                Entry::Unknown => return Err(Code::Incompatible),
            }
        }
        match (files.is_empty(), items.is_empty()) {
            (false, true) => Self::of_files(files),
            (true, false) => Self::of_items(items),
            _ => Err(Code::PeerMisbehaved),
        }
    }

    /// A manifest of files.
    pub fn of_files(files: Vec<FileEntry>) -> Result<Self, Code> {
        files.iter().try_for_each(FileEntry::check)?;
        let names: usize = files.iter().map(FileEntry::text_bytes).sum();
        let bytes = files
            .iter()
            .try_fold(0u64, |sum, file| sum.checked_add(file.bytes))
            .ok_or(Code::TooLarge)?;
        if files.is_empty()
            || files.len() > MANIFEST_ENTRIES
            || names > MANIFEST_TEXT_BYTES
            || bytes > TRANSFER_BYTES
        {
            return Err(Code::TooLarge);
        }
        Ok(Self::Files(files))
    }

    /// A manifest of inline items.
    pub fn of_items(items: Vec<Item>) -> Result<Self, Code> {
        items.iter().try_for_each(Item::check)?;
        if items.is_empty() || items.len() > INLINE_ENTRIES {
            return Err(Code::TooLarge);
        }
        Ok(Self::Items(items))
    }

    /// How many entries.
    pub fn count(&self) -> usize {
        match self {
            Self::Files(files) => files.len(),
            Self::Items(items) => items.len(),
        }
    }

    /// File bytes of all entries together. Inline items count as none.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Files(files) => files.iter().map(|file| file.bytes).sum(),
            Self::Items(_) => 0,
        }
    }

    /// The entries as they travel.
    pub fn into_entries(self) -> Vec<Entry> {
        match self {
            Self::Files(files) => files.into_iter().map(Entry::File).collect(),
            Self::Items(items) => items.into_iter().map(Entry::Item).collect(),
        }
    }
}

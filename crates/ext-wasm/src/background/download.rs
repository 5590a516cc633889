//! The way of a received file into the browser's Downloads: the offscreen document hands over a port and the headers of an
//! answer, then opens a hidden frame at [`download_path`](crate::envelope::download_path), which is answered with what
//! comes on the port. The glue does both; no byte is held, and the browser pulls only as fast as its disk takes them.

use serde::Deserialize;
use tabferry_protocol::host::StoredFile;

use crate::envelope::DownloadState;

/// A download in the browser's list, as `chrome.downloads` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DownloadItem {
    /// The browser's number for it.
    pub id: u32,
    /// Absolute path of the file; empty until it is known.
    pub filename: String,
    /// How it stands.
    pub state: DownloadItemState,
    /// Why it was interrupted, as the browser's `InterruptReason`.
    pub error: Option<String>,
}

/// How a download stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadItemState {
    /// Not ended.
    InProgress,
    /// Ended before all was there.
    Interrupted,
    /// All is there.
    Complete,
}

/// How a download stands.
pub fn state_of(item: &DownloadItem) -> DownloadState {
    match item.state {
        DownloadItemState::InProgress => DownloadState::Running,
        DownloadItemState::Complete => DownloadState::Complete(StoredFile {
            id: item.id,
            name: base_name(&item.filename).to_owned(),
        }),
        DownloadItemState::Interrupted => match item.error.as_deref().unwrap_or_default() {
            "FILE_NO_SPACE" => DownloadState::Full,
            "USER_CANCELED" => DownloadState::Cancelled,
            reason if reason.starts_with("FILE_") => DownloadState::Refused,
            _ => DownloadState::Interrupted,
        },
    }
}

/// The last component of a path of any system. A name of ours contains no separator.
fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or_default()
}

/// Names a file in the way of RFC 6266, which browsers read as they are told by RFC 8187.
pub fn content_disposition(name: &str) -> String {
    format!("attachment; filename*=UTF-8''{}", percent_encode(name))
}

/// Every byte but those that RFC 8187 calls attr-char is written as `%XX`. They may also stand in a `data:` URL.
pub fn percent_encode(text: &str) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            b'!' | b'$' | b'&' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let digits = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
                encoded.push('%');
                encoded.extend(digits);
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(state: DownloadItemState, error: Option<&str>) -> DownloadItem {
        DownloadItem {
            id: 5,
            filename: "/home/a/Downloads/a (1).txt".to_owned(),
            state,
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn names_are_encoded_for_the_header() {
        assert_eq!(
            content_disposition("报告 \"🚢\"; a=b%.pdf"),
            "attachment; filename*=UTF-8''%E6%8A%A5%E5%91%8A%20%22%F0%9F%9A%A2%22%3B%20a%3Db%25.pdf"
        );
        assert_eq!(percent_encode("a'b(c)*\r\n#"), "a%27b%28c%29%2A%0D%0A%23");
    }

    #[test]
    fn ends_are_told_apart() {
        let interrupted = |error| state_of(&item(DownloadItemState::Interrupted, Some(error)));
        assert_eq!(interrupted("FILE_NO_SPACE"), DownloadState::Full);
        assert_eq!(interrupted("USER_CANCELED"), DownloadState::Cancelled);
        assert_eq!(interrupted("FILE_ACCESS_DENIED"), DownloadState::Refused);
        assert_eq!(interrupted("FILE_BLOCKED"), DownloadState::Refused);
        assert_eq!(interrupted("NETWORK_FAILED"), DownloadState::Interrupted);
        assert_eq!(interrupted("USER_SHUTDOWN"), DownloadState::Interrupted);
        assert_eq!(
            state_of(&item(DownloadItemState::InProgress, None)),
            DownloadState::Running
        );
    }

    #[test]
    fn the_final_name_is_reported() {
        let mut item = item(DownloadItemState::Complete, None);
        let stored = |item: &DownloadItem| match state_of(item) {
            DownloadState::Complete(file) => (file.id, file.name),
            other => panic!("{other:?}"),
        };
        assert_eq!(stored(&item), (5, "a (1).txt".to_owned()));
        item.filename = "C:\\Users\\a\\Downloads\\b.txt".to_owned();
        assert_eq!(stored(&item).1, "b.txt");
    }
}

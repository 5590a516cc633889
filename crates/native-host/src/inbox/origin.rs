//! The mark that a file came from elsewhere, so that the system asks before it opens a program. It knows what each system's
//! mark looks like, and not how a file is reached.
//!
//! Linux has no such mark that anything obeys.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// A system with its way of marking.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the one that this was built for is used")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    /// An alternate stream beside the file's content.
    Windows,
    /// An extended attribute.
    Mac,
    /// No mark.
    Other,
}

impl System {
    #[cfg(windows)]
    pub(super) const CURRENT: Self = Self::Windows;
    #[cfg(target_os = "macos")]
    pub(super) const CURRENT: Self = Self::Mac;
    #[cfg(not(any(windows, target_os = "macos")))]
    pub(super) const CURRENT: Self = Self::Other;
}

/// What can be put beside the content of a file that has no final name yet.
pub(super) trait MarkTarget {
    /// Writes a named stream.
    fn write_stream(&mut self, name: &str, content: &[u8]) -> io::Result<()>;
    /// Sets an extended attribute.
    fn set_attribute(&mut self, name: &str, value: &[u8]) -> io::Result<()>;
}

/// Marks a file. Some file systems have no place for a mark; the file is none the worse for that, so it is only logged.
pub(super) fn mark(system: System, target: &mut impl MarkTarget) {
    let marked = match system {
        // Zone 3 is the internet. No address: nobody but the person needs to know where a file is from.
        System::Windows => {
            target.write_stream("Zone.Identifier", b"[ZoneTransfer]\r\nZoneId=3\r\n")
        }
        System::Mac => quarantine(SystemTime::now())
            .and_then(|value| target.set_attribute("com.apple.quarantine", value.as_bytes())),
        System::Other => Ok(()),
    };
    if let Err(error) = marked {
        tracing::warn!(%error, "a received file could not be marked as received");
    }
}

/// Flags (downloaded, ask before opening), time, program, and a number for the system's list of downloads.
fn quarantine(now: SystemTime) -> io::Result<String> {
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    id[6] = id[6] & 0x0F | 0x40;
    id[8] = id[8] & 0x3F | 0x80;
    let id = format!("{:032X}", u128::from_be_bytes(id));
    Ok(format!(
        "0081;{seconds:08x};Tabferry;{}-{}-{}-{}-{}",
        &id[..8],
        &id[8..12],
        &id[12..16],
        &id[16..20],
        &id[20..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Written(Vec<(&'static str, String, Vec<u8>)>);

    impl MarkTarget for Written {
        fn write_stream(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
            self.0.push(("stream", name.to_owned(), content.to_vec()));
            Ok(())
        }

        fn set_attribute(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
            self.0.push(("attribute", name.to_owned(), value.to_vec()));
            Ok(())
        }
    }

    fn marks(system: System) -> Vec<(&'static str, String, Vec<u8>)> {
        let mut written = Written::default();
        mark(system, &mut written);
        written.0
    }

    #[test]
    fn windows_is_told_that_a_file_is_from_the_internet() {
        let expected = b"[ZoneTransfer]\r\nZoneId=3\r\n".to_vec();
        assert_eq!(
            marks(System::Windows),
            [("stream", "Zone.Identifier".to_owned(), expected)]
        );
    }

    #[test]
    fn mac_quarantines_a_file() {
        let marks = marks(System::Mac);
        let [("attribute", name, value)] = &marks[..] else {
            panic!("one attribute, not {marks:?}");
        };
        assert_eq!(name, "com.apple.quarantine");
        let value = str::from_utf8(value).unwrap();
        let fields: Vec<&str> = value.split(';').collect();
        let [flags, time, program, id] = fields[..] else {
            panic!("four fields, not {value}");
        };
        assert_eq!((flags, program), ("0081", "Tabferry"));
        assert!(u64::from_str_radix(time, 16).unwrap() > 1_700_000_000);
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }

    #[test]
    fn other_systems_get_no_mark() {
        assert_eq!(marks(System::Other), []);
    }

    #[test]
    fn a_file_that_takes_no_mark_is_no_failure() {
        struct Fat;
        impl MarkTarget for Fat {
            fn write_stream(&mut self, _: &str, _: &[u8]) -> io::Result<()> {
                Err(io::ErrorKind::Unsupported.into())
            }
            fn set_attribute(&mut self, _: &str, _: &[u8]) -> io::Result<()> {
                Err(io::ErrorKind::Unsupported.into())
            }
        }
        for system in [System::Windows, System::Mac] {
            mark(system, &mut Fat);
        }
    }
}

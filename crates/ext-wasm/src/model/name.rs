//! File names for the eye: the extension, which says what a file is, must never be what is cut off.

use tabferry_protocol::limits::RECEIVED_EXTENSION_BYTES;

/// A name in two parts, to be shown one after the other: the first may be shortened, the second not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownName {
    /// What may be shortened.
    pub stem: String,
    /// The extension with its dot; empty if there is none.
    pub extension: String,
}

impl ShownName {
    /// Splits a file's name.
    pub fn of_file(name: &str) -> Self {
        let dot = name
            .rfind('.')
            .filter(|dot| *dot > 0 && (2..=RECEIVED_EXTENSION_BYTES).contains(&(name.len() - dot)));
        let split = dot.and_then(|dot| name.split_at_checked(dot));
        let (stem, extension) = split.unwrap_or((name, ""));
        Self {
            stem: stem.to_owned(),
            extension: extension.to_owned(),
        }
    }

    /// A text that has no extension.
    pub const fn of_text(text: String) -> Self {
        Self {
            stem: text,
            extension: String::new(),
        }
    }

    /// The whole name.
    pub fn full(&self) -> String {
        [self.stem.as_str(), self.extension.as_str()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_extension_stands_apart() {
        for (name, extension) in [
            ("photo.jpg", ".jpg"),
            ("invoice.pdf.exe", ".exe"),
            ("archive.tar.gz", ".gz"),
            ("README", ""),
            (".profile", ""),
            ("ends.", ""),
            ("报告 🚢.pdf", ".pdf"),
            ("", ""),
            ("a.not really an extension", ""),
        ] {
            let shown = ShownName::of_file(name);
            assert_eq!(shown.extension, extension, "{name}");
            assert_eq!(shown.full(), name);
        }
    }
}

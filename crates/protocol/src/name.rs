//! Names of received files. A proposed name is an attacker's text; [`ReceivedName`] is the only way from it to a name
//! that a file may get, on any of the file systems a person may use. It knows no path and no folder.

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::limits::{FOLDER_DEPTH, RECEIVED_EXTENSION_BYTES, RECEIVED_NAME_BYTES};

/// A file name that is safe to create on Windows, macOS and Linux: one path component in NFC, no control, bidi,
/// invisible or reserved characters, no reserved device name, not hidden, no kind of file that a shell interprets on
/// sight, at most [`RECEIVED_NAME_BYTES`] bytes of UTF-8 and as many UTF-16 units. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceivedName(String);

/// Where a received file is to be, below the folder for received files: safe names, from the outermost folder to the innermost;
/// none for that folder itself. At most [`FOLDER_DEPTH`].
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceivedFolder(Vec<ReceivedName>);

/// What a file is called when nothing usable is left of its name.
const PLACEHOLDER: &str = "file";

/// Stems that Windows takes for devices, with any extension; COM and LPT with a digit come to them.
const RESERVED_STEMS: [&str; 7] = ["con", "prn", "aux", "nul", "clock$", "conin$", "conout$"];

/// Extensions that a shell or file manager interprets when the folder is only looked at or the file is opened.
const INTERPRETED_EXTENSIONS: [&str; 11] = [
    "lnk",
    "scf",
    "url",
    "local",
    "library-ms",
    "search-ms",
    "searchconnector-ms",
    "desktop",
    "inetloc",
    "fileloc",
    "webloc",
];

/// Extensions of what runs, installs or changes settings when it is opened, on any system: programs, scripts, packages, images
/// of disks, documents with macros.
const PROGRAM_EXTENSIONS: [&str; 72] = [
    "app",
    "appimage",
    "appinstaller",
    "application",
    "appref-ms",
    "appx",
    "bash",
    "bat",
    "chm",
    "cmd",
    "com",
    "command",
    "cpl",
    "crx",
    "deb",
    "dmg",
    "docm",
    "dotm",
    "exe",
    "flatpakref",
    "gadget",
    "hta",
    "img",
    "inf",
    "ins",
    "iso",
    "jar",
    "jnlp",
    "js",
    "jse",
    "mobileconfig",
    "mpkg",
    "msc",
    "msi",
    "msix",
    "msp",
    "mst",
    "pif",
    "pkg",
    "potm",
    "ppam",
    "ppsm",
    "pptm",
    "prf",
    "ps1",
    "psm1",
    "py",
    "pyw",
    "rb",
    "reg",
    "rpm",
    "run",
    "scr",
    "sct",
    "sh",
    "shb",
    "sldm",
    "snap",
    "terminal",
    "tool",
    "vb",
    "vbe",
    "vbs",
    "vhd",
    "vhdx",
    "workflow",
    "ws",
    "wsf",
    "wsh",
    "xlam",
    "xlsm",
    "xpi",
];

/// Whole names that give a folder its look or its rules.
const FOLDER_SETTINGS: [&str; 3] = ["desktop.ini", "thumbs.db", "autorun.inf"];

impl ReceivedName {
    /// The safe name nearest to a proposed one. Total: every text gives a name. Idempotent: a safe name stays as it is.
    pub fn from_proposed(proposed: &str) -> Self {
        let last = proposed.rsplit(['/', '\\']).next().unwrap_or_default();
        let nfc = ComposingNormalizerBorrowed::new_nfc();
        let visible: String = nfc
            .normalize_iter(last.chars())
            .filter(|c| !is_invisible(*c) || c.is_whitespace())
            .collect();
        let replaced: String = nfc
            .normalize_iter(visible.chars())
            .map(|c| match c {
                '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
                // Line and paragraph separators, tabs and no-break spaces look like a space and are not one.
                c if c.is_whitespace() => ' ',
                c => c,
            })
            .collect();
        let mut name = cut(trim(&replaced));
        // What one rule adds is cut, and what a cut leaves may break another rule. This ends: a name that begins with
        // '_' is neither hidden nor reserved, and a cut keeps ".download".
        loop {
            let safe = if name.starts_with(['.', '~']) || is_reserved(&name) {
                format!("_{name}")
            } else if is_interpreted(&name) {
                format!("{name}.download")
            } else {
                break;
            };
            name = cut(&safe);
        }
        if name.is_empty() {
            Self(PLACEHOLDER.to_owned())
        } else {
            Self(name)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether opening the file may run something of the sender's, by its extension.
    pub fn is_program(&self) -> bool {
        let (_, extension) = self.split_extension();
        let extension = extension.trim_start_matches('.').to_lowercase();
        PROGRAM_EXTENSIONS.contains(&extension.as_str())
    }

    /// Everything before the extension, and the extension with its dot (empty if there is none).
    pub fn split_extension(&self) -> (&str, &str) {
        split_extension(&self.0)
    }
}

impl ReceivedFolder {
    /// The safe folder nearest to a proposed one. Total: what lies too deep comes into the innermost one allowed.
    pub fn from_proposed(proposed: &str) -> Self {
        let names = proposed.split(['/', '\\']);
        // What says "here" or nothing is no folder of its own. What says "above" becomes an ordinary name.
        let names = names.filter(|name| !matches!(*name, "" | "."));
        let safe = names.map(ReceivedName::from_proposed);
        Self(safe.take(FOLDER_DEPTH).collect())
    }

    /// The names, from the outermost folder to the innermost.
    pub fn names(&self) -> &[ReceivedName] {
        &self.0
    }

    /// Whether one of the folders may run something when it is opened: on macOS a program is a folder.
    pub fn is_program(&self) -> bool {
        self.0.iter().any(ReceivedName::is_program)
    }
}

impl core::fmt::Display for ReceivedName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Characters that a person doesn't see, or that change how others are shown: control and format characters, bidi
/// controls, zero-width and tag characters, separators of lines, fillers and blanks drawn as nothing, private use, and what Unicode will never
/// assign.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{E0FFF}' | '\u{F0000}'..)
        || (c as u32) & 0xFFFE == 0xFFFE
}

/// The longest prefix of at most `limit` bytes that ends between characters.
pub fn cut_to_bytes(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

fn trim(name: &str) -> &str {
    name.trim_start_matches(' ').trim_end_matches([' ', '.'])
}

fn is_reserved(name: &str) -> bool {
    let lower = name.to_lowercase();
    let stem = lower
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end_matches(' ');
    // The superscript digits count as digits there (CVE-2024-51756).
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            let mut digits = rest.chars();
            matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
        })
    };
    RESERVED_STEMS.contains(&stem)
        || numbered("com")
        || numbered("lpt")
        || FOLDER_SETTINGS.contains(&lower.as_str())
}

fn is_interpreted(name: &str) -> bool {
    let (_, extension) = split_extension(name);
    let extension = extension.trim_start_matches('.').to_lowercase();
    // A GUID as extension makes Windows treat the file as that shell object.
    let guid = extension.starts_with('{') && extension.ends_with('}');
    guid || INTERPRETED_EXTENSIONS.contains(&extension.as_str())
}

fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && dot + 1 < name.len() => name.split_at(dot),
        _ => (name, ""),
    }
}

/// Cuts the stem, so that name and extension fit; an extension too long to be one is cut with it.
fn cut(name: &str) -> String {
    if fits(name) {
        return name.to_owned();
    }
    let (stem, extension) = split_extension(name);
    let (stem, extension) = if extension.len() <= RECEIVED_EXTENSION_BYTES {
        (stem, extension)
    } else {
        (name, "")
    };
    // A character takes at least as many UTF-8 bytes as UTF-16 units, so the bytes decide.
    let stem = trim(cut_to_bytes(stem, RECEIVED_NAME_BYTES - extension.len()));
    format!("{stem}{extension}")
}

fn fits(name: &str) -> bool {
    name.len() <= RECEIVED_NAME_BYTES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(proposed: &str, expected: &str) {
        assert_eq!(
            ReceivedName::from_proposed(proposed).as_str(),
            expected,
            "{proposed:?}"
        );
    }

    #[test]
    fn ordinary_names_stay() {
        for name in [
            "photo.jpg",
            "报告 🚢.pdf",
            "a b.tar.gz",
            "README",
            "café.txt",
            "комета.doc",
        ] {
            check(name, name);
        }
    }

    #[test]
    fn paths_lose_their_folders() {
        check("../../x", "x");
        check("/etc/passwd", "passwd");
        check("C:\\Windows\\x.dll", "x.dll");
        check("a/b\\c", "c");
        check("..", "file");
        check("../..", "file");
        check("a/", "file");
        check("", "file");
        check("C:x", "C_x");
    }

    #[test]
    fn reserved_names_are_prefixed() {
        check("CON", "_CON");
        check("con.txt", "_con.txt");
        check("nul .txt", "_nul .txt");
        check("COM¹.log", "_COM¹.log");
        check("lpt9", "_lpt9");
        check("CONIN$", "_CONIN$");
        check("Desktop.ini", "_Desktop.ini");
        check("console.txt", "console.txt");
        check("com10", "com10");
    }

    #[test]
    fn hidden_and_interpreted_names_are_made_plain() {
        check(".bashrc", "_.bashrc");
        check("~x", "_~x");
        check("a.lnk", "a.lnk.download");
        check("a.LNK. .", "a.LNK.download");
        check(
            "x.{20D04FE0-3AEA-1069-A2D8-08002B30309D}",
            "x.{20D04FE0-3AEA-1069-A2D8-08002B30309D}.download",
        );
    }

    #[test]
    fn programs_are_told_from_documents() {
        let is_program = |name: &str| ReceivedName::from_proposed(name).is_program();
        for name in [
            "setup.exe",
            "invoice.pdf.EXE",
            "a.exe. .",
            "x\u{202E}fdp.scr",
            "install.sh",
            "budget.xlsm",
        ] {
            assert!(is_program(name), "{name}");
        }
        for name in ["photo.jpg", "exe", "setup.exe.txt", "notes", "a.lnk"] {
            assert!(!is_program(name), "{name}");
        }
        assert!(PROGRAM_EXTENSIONS.is_sorted(), "easy to look through");
    }

    #[test]
    fn invisible_characters_go() {
        check("invoice\u{202E}fdp.exe", "invoicefdp.exe");
        check("a\u{200B}b\u{0}c\n.txt", "abc .txt");
        check("\u{FEFF}x", "x");
        check("a\u{2028}b", "a b");
    }

    #[test]
    fn the_two_spellings_of_an_accent_are_one_name() {
        check("cafe\u{301}.txt", "café.txt");
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = ReceivedName::from_proposed(&format!("{}.jpeg", "长".repeat(300)));
        assert!(name.as_str().len() <= RECEIVED_NAME_BYTES);
        assert!(name.as_str().ends_with("长.jpeg"));
        let name = ReceivedName::from_proposed(&format!("a.{}", "x".repeat(300)));
        assert_eq!(name.as_str().len(), RECEIVED_NAME_BYTES);
    }

    #[test]
    fn a_cut_makes_no_name_unsafe() {
        let tail = "x".repeat(40);
        check(
            &format!("{}.lnk{tail}", "a".repeat(196)),
            &format!("{}.download", "a".repeat(191)),
        );
        check(&format!("con{}x", " ".repeat(250)), "_con");
        check(&format!("con{}x.txt", " ".repeat(250)), "_con.txt");
        check(&format!("con{}x.lnk", " ".repeat(192)), "_con.download");
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("..".to_owned()),
            Just("/".to_owned()),
            Just("\\".to_owned()),
            Just(".".to_owned()),
            Just(" ".to_owned()),
            Just("CON".to_owned()),
            Just("com³".to_owned()),
            Just("\u{202E}".to_owned()),
            Just("\u{301}".to_owned()),
            Just(".lnk".to_owned()),
            Just("desktop.ini".to_owned()),
            Just("~".to_owned()),
            Just("{".to_owned()),
            Just("}".to_owned()),
            Just("\u{E0041}".to_owned()),
            Just("長い".to_owned()),
            "\\PC{0,80}",
            ".{0,8}",
            Just("\u{1100}\u{1161}".to_owned()),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn every_name_is_safe_and_stays_as_it_is(proposed in hostile()) {
            let name = ReceivedName::from_proposed(&proposed);
            let text = name.as_str();
            prop_assert!(!text.is_empty() && text.len() <= RECEIVED_NAME_BYTES);
            prop_assert!(text.encode_utf16().count() <= RECEIVED_NAME_BYTES);
            prop_assert!(!text.contains(['/', '\\', '<', '>', ':', '"', '|', '?', '*', '\0']), "{text:?}");
            prop_assert!(!text.chars().any(is_invisible), "{text:?}");
            prop_assert!(!text.starts_with(['.', '~', ' ']) && !text.ends_with(['.', ' ']), "{text:?}");
            prop_assert!(!is_reserved(text) && !is_interpreted(text), "{text:?}");
            let again = ReceivedName::from_proposed(text);
            prop_assert_eq!(again.as_str(), text);
        }
    }
}

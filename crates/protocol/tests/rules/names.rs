//! Names of received files: a table of hostile ones in `names.txt`, and properties over generated ones. The rules are
//! written here a second time, so that a mistake in the crate's own cannot hide.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use tabferry_protocol::limits::{FOLDER_DEPTH, RECEIVED_NAME_BYTES};
use tabferry_protocol::name::{ReceivedFolder, ReceivedName, is_invisible};
use unicode_normalization::is_nfc;

/// One row of the table: `proposed => expected`, both with escapes.
fn rows() -> Vec<(String, String)> {
    include_str!("names.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (proposed, expected) = line.split_once(" => ").expect("a row has an arrow");
            (unescape(proposed), unescape(expected))
        })
        .collect()
}

/// `\u{20AC}` is that character, `\*{200}` repeats the one before it up to that many, `\\` is a backslash.
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        if let Some(after) = escape.strip_prefix('\\') {
            plain.push('\\');
            rest = after;
            continue;
        }
        let (inner, after) = escape.split_once('}').expect("an escape ends");
        rest = after;
        if let Some(digits) = inner.strip_prefix("u{") {
            let number = u32::from_str_radix(digits, 16).expect("a hexadecimal number");
            plain.push(char::from_u32(number).expect("a character"));
        } else {
            let count = inner.strip_prefix("*{").expect("a known escape");
            let count: usize = count.parse().expect("a number");
            let last = plain.chars().next_back().expect("something to repeat");
            plain.extend(std::iter::repeat_n(last, count - 1));
        }
    }
    plain + rest
}

const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "clock$", "conin$", "conout$"];

fn is_device(stem: &str) -> bool {
    let stem = stem.trim_end().to_lowercase();
    let digits = "0123456789¹²³";
    DEVICES.contains(&stem.as_str())
        || digits
            .chars()
            .any(|digit| stem == format!("com{digit}") || stem == format!("lpt{digit}"))
}

/// Everything that must hold of a received name, on every file system.
fn check(name: &ReceivedName) {
    let text = name.as_str();
    assert!((1..=RECEIVED_NAME_BYTES).contains(&text.len()), "{text:?}");
    assert!(
        text.encode_utf16().count() <= RECEIVED_NAME_BYTES,
        "{text:?}"
    );
    assert!(is_nfc(text), "{text:?}");
    for c in text.chars() {
        assert!(!"/\\<>:\"|?*".contains(c), "{text:?}");
        assert!(!c.is_control() && !is_invisible(c), "{text:?}");
        assert!(c == ' ' || !c.is_whitespace(), "{text:?}");
    }
    assert!(!text.starts_with([' ', '.', '~']), "{text:?}");
    assert!(!text.ends_with([' ', '.']), "{text:?}");
    let lower = text.to_lowercase();
    assert!(
        !is_device(lower.split('.').next().unwrap_or_default()),
        "{text:?}"
    );
    assert!(!["desktop.ini", "thumbs.db", "autorun.inf"].contains(&lower.as_str()));
    for extension in [
        ".lnk",
        ".scf",
        ".url",
        ".local",
        ".library-ms",
        ".search-ms",
        ".searchconnector-ms",
        ".desktop",
        ".inetloc",
        ".fileloc",
        ".webloc",
    ] {
        assert!(!lower.ends_with(extension), "{text:?}");
    }
    assert!(
        !(lower.contains(".{") && lower.ends_with('}') && shell_object(&lower)),
        "{text:?}"
    );
    let (stem, extension) = name.split_extension();
    assert_eq!(format!("{stem}{extension}"), text);
    assert!(!stem.is_empty());
    assert_eq!(
        &ReceivedName::from_proposed(text),
        name,
        "a safe name stays"
    );
}

/// Whether what follows the last dot is in braces.
fn shell_object(name: &str) -> bool {
    name.rsplit('.')
        .next()
        .is_some_and(|extension| extension.starts_with('{'))
}

#[test]
fn hostile_names_become_what_the_table_says() {
    let rows = rows();
    let distinct: BTreeSet<_> = rows.iter().map(|(proposed, _)| proposed).collect();
    assert_eq!(distinct.len(), rows.len(), "a row stands twice");
    assert!(rows.len() >= 300, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for (proposed, expected) in &rows {
        let name = ReceivedName::from_proposed(proposed);
        check(&name);
        if name.as_str() != expected {
            wrong.push(format!(
                "{proposed:?}: {:?}, not {expected:?}",
                name.as_str()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A hostile name in pieces: what may be special, in any order and number.
fn pieces() -> impl Strategy<Value = String> {
    let special = proptest::sample::select(vec![
        "/",
        "\\",
        ".",
        "..",
        " ",
        "  ",
        "~",
        "_",
        ":",
        "*",
        "{",
        "}",
        "$",
        "con",
        "CON",
        "NuL",
        "com",
        "LPT",
        "1",
        "¹",
        "0",
        "desktop",
        "Thumbs",
        "autorun",
        ".ini",
        ".db",
        ".inf",
        ".lnk",
        ".LNK",
        ".scf",
        ".url",
        ".library-ms",
        ".desktop",
        ".download",
        ".txt",
        ".tar.gz",
        ".{",
        "{20D04FE0-3AEA-1069-A2D8-08002B30309D}",
        "\0",
        "\n",
        "\t",
        "\u{85}",
        "\u{A0}",
        "\u{2003}",
        "\u{2028}",
        "\u{202E}",
        "\u{200D}",
        "\u{FEFF}",
        "\u{E0041}",
        "\u{FE0F}",
        "\u{301}",
        "e",
        "\u{E9}",
        "\u{1100}",
        "\u{1161}",
        "\u{11A8}",
        "\u{AC00}",
        "\u{212A}",
        "\u{37E}",
        "\u{1FEF}",
        "\u{338}",
        "<",
        ">",
        "=",
        "👩",
        "长",
        "ß",
        "İ",
        "ﬁ",
        "\u{FF0F}",
        "\u{2215}",
        "\u{FFFF}",
        "\u{10FFFF}",
        "\u{2F800}",
        "\u{958}",
        "\u{FB1D}",
    ]);
    let piece = prop_oneof![
        6 => special.prop_map(str::to_owned),
        1 => (1..260usize).prop_map(|count| "a".repeat(count)),
        1 => (1..260usize).prop_map(|count| " ".repeat(count)),
        1 => (1..90usize).prop_map(|count| "长".repeat(count)),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

/// A name that a cut at the limit brings close to something special.
fn near_the_limit() -> impl Strategy<Value = String> {
    let filler = proptest::sample::select(vec!["a", " ", ".", "é", "长", "👩"]);
    let start = proptest::sample::select(vec![
        "",
        "con",
        "nul.",
        "com¹",
        "a",
        "a.lnk",
        "~",
        ".",
        "desktop.ini",
    ]);
    let end = proptest::sample::select(vec![
        ".lnk",
        ".url",
        ".{0}",
        ".desktop",
        ".searchconnector-ms",
        ".txt",
        "x",
        " ",
        ".",
        "con",
        ".lnk.txt",
    ]);
    (
        start,
        filler,
        0..210usize,
        end,
        0..30usize,
        "(\\.[a-z]{0,18})?",
    )
        .prop_map(|(start, filler, bytes, end, tail, extension)| {
            let middle = filler.repeat(bytes / filler.len());
            format!("{start}{middle}{end}{}{extension}", "x".repeat(tail))
        })
}

#[test]
fn a_folder_stays_below_the_one_for_received_files() {
    let names = |proposed: &str| {
        let folder = ReceivedFolder::from_proposed(proposed);
        let names = folder.names().iter().map(ReceivedName::to_string);
        names.collect::<Vec<_>>()
    };
    for (proposed, safe) in [
        ("", &[] as &[&str]),
        ("/", &[]),
        ("./.", &[]),
        ("photos/2026", &["photos", "2026"]),
        ("/etc//cron.d/", &["etc", "cron.d"]),
        ("..", &["file"]),
        ("a/../../b", &["a", "file", "file", "b"]),
        ("C:\\Windows", &["C_", "Windows"]),
        ("\\\\server\\share", &["server", "share"]),
        ("a/.ssh", &["a", "_.ssh"]),
        ("aux/con.x", &["_aux", "_con.x"]),
        ("a\u{202E}b/\u{0}", &["ab", "file"]),
    ] {
        assert_eq!(names(proposed), safe, "{proposed:?}");
    }
    assert_eq!(names(&"a/".repeat(FOLDER_DEPTH + 1)).len(), FOLDER_DEPTH);
    assert!(ReceivedFolder::from_proposed("x.app/Contents").is_program());
    assert!(!ReceivedFolder::from_proposed("x/Contents").is_program());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn names_in_pieces_become_safe(proposed in pieces()) {
        check(&ReceivedName::from_proposed(&proposed));
    }

    #[test]
    fn names_near_the_limit_become_safe(proposed in near_the_limit()) {
        check(&ReceivedName::from_proposed(&proposed));
    }

    #[test]
    fn ordinary_names_stay(stem in "[a-zA-Z0-9][a-zA-Z0-9 _()-]{0,60}[a-zA-Z0-9]", extension in "(\\.[a-z0-9]{1,5})?") {
        let proposed = format!("{stem}{extension}");
        prop_assume!(!is_device(&stem) && ![".scf", ".url", ".lnk", ".local"].contains(&extension.as_str()));
        prop_assume!(!["desktop.ini", "thumbs.db", "autorun.inf"].contains(&proposed.to_lowercase().as_str()));
        let name = ReceivedName::from_proposed(&proposed);
        prop_assert_eq!(name.as_str(), proposed);
    }

    #[test]
    fn folders_become_safe_names(proposed in vec(pieces(), 0..40)) {
        let folder = ReceivedFolder::from_proposed(&proposed.join("/"));
        prop_assert!(folder.names().len() <= FOLDER_DEPTH);
        for name in folder.names() {
            check(name);
        }
        let again: Vec<_> = folder.names().iter().map(ReceivedName::as_str).collect();
        prop_assert_eq!(ReceivedFolder::from_proposed(&again.join("/")), folder);
    }

    #[test]
    fn folders_make_no_difference(proposed in pieces(), folder in pieces()) {
        let last = proposed.rsplit(['/', '\\']).next().unwrap_or_default();
        let alone = ReceivedName::from_proposed(last);
        prop_assert_eq!(&ReceivedName::from_proposed(&format!("{folder}/{last}")), &alone);
        prop_assert_eq!(&ReceivedName::from_proposed(&format!("{folder}\\{last}")), &alone);
    }
}

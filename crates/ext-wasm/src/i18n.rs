//! Numbers in words: sizes, speeds, durations and counts as a person reads them, through the messages of `_locales`.

/// Looks up a message of `_locales` and fills in its `$1`, `$2`, …: the browser's own, or a test's.
pub type Words<'a> = &'a dyn Fn(&str, &[&str]) -> String;

const UNITS: [(u64, &str); 4] = [
    (1_000_000_000_000, "size_tb"),
    (1_000_000_000, "size_gb"),
    (1_000_000, "size_mb"),
    (1_000, "size_kb"),
];

/// A size in decimal units, with three digits where there are as many: `1 byte`, `999 bytes`, `1.23 MB`, `45.6 GB`.
/// Rounded down, so that less than all never looks like all.
pub fn size(bytes: u64, words: Words<'_>) -> String {
    for (unit, key) in UNITS {
        if bytes >= unit {
            let whole = bytes / unit;
            let decimals = match whole {
                0..10 => 2,
                10..100 => 1,
                _ => 0,
            };
            return words(key, &[&decimal(bytes, unit, decimals, words)]);
        }
    }
    match bytes {
        1 => words("size_bytes_one", &[]),
        bytes => words("size_bytes", &[&bytes.to_string()]),
    }
}

fn decimal(bytes: u64, unit: u64, decimals: u32, words: Words<'_>) -> String {
    let mut text = (bytes / unit).to_string();
    let scale = 10u64.pow(decimals);
    // unit ≤ 10^12 and scale ≤ 100: no overflow.
    let fraction = bytes % unit * scale / unit;
    if decimals > 0 {
        text.push_str(&words("decimal_separator", &[]));
        let digits = fraction.to_string();
        for _ in digits.len()..decimals as usize {
            text.push('0');
        }
        text.push_str(&digits);
    }
    text
}

/// A time span: `42 s`, `3 min`, `1 h 5 min`. From a minute on, rounded up to whole minutes.
pub fn duration(seconds: u64, words: Words<'_>) -> String {
    if seconds < 60 {
        return words("duration_seconds", &[&seconds.to_string()]);
    }
    let minutes = seconds.div_ceil(60);
    if minutes < 60 {
        return words("duration_minutes", &[&minutes.to_string()]);
    }
    let hours = (minutes / 60).to_string();
    words("duration_hours", &[&hours, &(minutes % 60).to_string()])
}

/// A number of files: `1 file`, `3 files`.
pub fn files(count: u32, words: Words<'_>) -> String {
    match count {
        1 => words("files_one", &[]),
        count => words("files_many", &[&count.to_string()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::english;

    #[test]
    fn sizes_have_three_digits_and_a_unit() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.00 kB"),
            (1_059, "1.05 kB"),
            (12_345, "12.3 kB"),
            (64 * 1024 * 1024, "67.1 MB"),
            (999_999_999, "999 MB"),
            (3 * 1024 * 1024 * 1024, "3.22 GB"),
            ((1 << 53) - 1, "9007 TB"),
        ] {
            assert_eq!(size(bytes, &english), expected, "{bytes}");
        }
    }

    #[test]
    fn durations_grow_coarser() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "2 min"),
            (3_540, "59 min"),
            (3_541, "1 h 0 min"),
            (3_900, "1 h 5 min"),
        ] {
            assert_eq!(duration(seconds, &english), expected, "{seconds}");
        }
    }

    #[test]
    fn one_file_is_no_plural() {
        assert_eq!(files(1, &english), "1 file");
        assert_eq!(files(3, &english), "3 files");
    }
}

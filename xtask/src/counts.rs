//! Counts of tests, and how other programs report theirs.

use serde::Deserialize;

/// How many tests ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Did what they promise.
    pub(crate) passed: u64,
    /// Did not.
    pub(crate) failed: u64,
    /// Did not run.
    pub(crate) skipped: u64,
}

impl core::fmt::Display for Counts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl core::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Counts {
    /// Reads the line with which each test program of `cargo test` ends.
    pub(crate) fn from_cargo_line(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count = |word: &str| {
            counts
                .split("; ")
                .find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
        };
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
            skipped: count("ignored")?,
        })
    }

    /// Reads the line with which the tests in wasm end.
    pub(crate) fn from_plain_line(line: &str) -> Option<Self> {
        let (passed, rest) = line.split_once(" passed, ")?;
        Some(Self {
            passed: passed.parse().ok()?,
            failed: rest.strip_suffix(" failed")?.parse().ok()?,
            skipped: 0,
        })
    }

    /// Reads the report of Playwright's JSON reporter.
    pub(crate) fn from_playwright(report: &str) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Report {
            stats: Stats,
            errors: Vec<serde_json::Value>,
        }
        #[derive(Deserialize)]
        struct Stats {
            expected: u64,
            unexpected: u64,
            flaky: u64,
            skipped: u64,
        }
        let Report { stats, errors } = serde_json::from_str(report)?;
        Ok(Self {
            passed: stats.expected,
            // Errors outside of any test, such as a file that does not load, count as one failure.
            failed: stats.unexpected + stats.flaky + u64::from(!errors.is_empty()),
            skipped: stats.skipped,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_test_prints() {
        let line = "test result: FAILED. 12 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        let counts = Counts {
            passed: 12,
            failed: 1,
            skipped: 3,
        };
        assert_eq!(Counts::from_cargo_line(line), Some(counts));
        assert_eq!(Counts::from_cargo_line("test result: what"), None);
        assert_eq!(Counts::from_cargo_line("test a::b ... ok"), None);
    }

    #[test]
    fn reads_what_the_wasm_tests_print() {
        let counts = Counts {
            passed: 40,
            failed: 2,
            skipped: 0,
        };
        assert_eq!(Counts::from_plain_line("40 passed, 2 failed"), Some(counts));
        assert_eq!(Counts::from_plain_line("40 passed"), None);
    }

    #[test]
    fn reads_what_playwright_writes() {
        let report = |errors: &str| {
            format!(
                r#"{{"stats":{{"expected":5,"unexpected":1,"flaky":0,"skipped":2,"x":0}},"errors":{errors},"suites":[]}}"#
            )
        };
        let counts = Counts::from_playwright(&report("[]")).unwrap();
        assert_eq!(
            counts,
            Counts {
                passed: 5,
                failed: 1,
                skipped: 2
            }
        );
        let counts = Counts::from_playwright(&report(r#"[{"message":"no tests found"}]"#)).unwrap();
        assert_eq!(counts.failed, 2);
    }
}

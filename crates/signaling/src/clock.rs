//! What time it is, on two clocks. The only file that reads the world's.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A moment.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For intervals: never goes back.
    pub steady: Instant,
    /// For clients: whole seconds since 1970 (UTC). May jump when the machine's clock is set.
    pub unix_seconds: u64,
}

impl Now {
    /// The present moment.
    pub(crate) fn read() -> Self {
        // A clock before 1970 is wrong, but no reason to serve nobody.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            steady: Instant::now(),
            unix_seconds: since_1970.map_or(0, |time| time.as_secs()),
        }
    }
}

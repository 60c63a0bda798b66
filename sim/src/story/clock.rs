//! What a wrong wall clock reads.

use super::{Clock, Ms};

/// True wall time when a run begins: 2026-01-01T00:00:00Z, in milliseconds since 1970.
pub const EPOCH_MS: u64 = 1_767_225_600_000;

/// True wall time, in milliseconds since 1970, at a moment of a run.
///
/// ```
/// use pocketsync_sim::story::{EPOCH_MS, true_wall_ms};
/// assert_eq!(true_wall_ms(1_000), EPOCH_MS + 1_000);
/// ```
pub const fn true_wall_ms(at: Ms) -> u64 {
    EPOCH_MS.saturating_add(at)
}

impl Clock {
    /// What the clock reads when true wall time is `true_ms`, both in milliseconds since 1970. It
    /// has drifted since the begin of the run, and reads nothing before 1970.
    ///
    /// ```
    /// use pocketsync_sim::story::{Clock, true_wall_ms};
    /// let clock = Clock { offset_ms: -500, drift_ppm: 100 };
    /// assert_eq!(clock.wall_ms(true_wall_ms(10_000)), true_wall_ms(9_501));
    /// ```
    pub fn wall_ms(&self, true_ms: u64) -> u64 {
        let run = i128::from(true_ms) - i128::from(EPOCH_MS);
        let drift = run * i128::from(self.drift_ppm) / 1_000_000;
        let wall = i128::from(true_ms) + i128::from(self.offset_ms) + drift;
        u64::try_from(wall.max(0)).unwrap_or(u64::MAX)
    }
}

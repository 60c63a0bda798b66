//! What no side takes, whatever the rights of the other: rows that are too large, and versions from
//! the future.

use super::{Link, SessionConfig};
use crate::change::{Changeset, RowChange};
use crate::clock::Now;
use crate::wire::ErrorCode;

/// How much and how late a change may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fitness {
    max_row_bytes: usize,
    max_drift_ms: u64,
    latest_ms: u64,
}

impl Fitness {
    pub(super) fn new(config: &SessionConfig, link: &Link, now: Now) -> Self {
        let latest_ms =
            now.wall_ms.saturating_add_signed(link.trusted_offset_ms).saturating_add(config.max_drift_ms);
        Fitness { max_row_bytes: config.max_row_bytes, max_drift_ms: config.max_drift_ms, latest_ms }
    }

    /// Says why these changes cannot be taken.
    pub(super) fn check(&self, changeset: &Changeset) -> Result<(), (ErrorCode, String)> {
        let largest = changeset.rows().map(RowChange::weight).max().unwrap_or(0);
        if largest > self.max_row_bytes {
            let message =
                format!("a row of {largest} bytes; this side takes rows of up to {}", self.max_row_bytes);
            return Err((ErrorCode::TooLarge, message));
        }
        let ahead_ms = changeset.max_hlc().ms();
        if ahead_ms > self.latest_ms {
            let by = ahead_ms.saturating_sub(self.latest_ms).saturating_add(self.max_drift_ms);
            return Err((ErrorCode::ClockAhead, format!("a version is {by} ms in the future")));
        }
        Ok(())
    }
}

//! How many rows a second somebody may bring.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::wire::{ErrorCode, WireError};

/// How many rows an identity may bring, over all its sessions.
///
/// Whoever has brought more is told to come back when it has room again. What it brought is taken, and it goes on
/// from there, so an import of any size ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// How many rows a second, in the long run.
    pub rows_per_second: u32,
    /// How many at once after a quiet time.
    pub burst: u32,
}

/// How many identities are remembered; beyond, those who have the most room are forgotten first.
const MAX_REMEMBERED: usize = 100_000;

/// Who has brought how much.
#[derive(Debug, Default)]
pub(super) struct Rates {
    limit: Option<RateLimit>,
    /// Until when each has used up its share, on the monotonic clock: a full share is now or earlier.
    spent_until: BTreeMap<String, Duration>,
}

impl Rates {
    pub(super) fn new(limit: Option<RateLimit>) -> Self {
        Rates { limit, spent_until: BTreeMap::new() }
    }

    /// Somebody has brought rows.
    pub(super) fn spend(&mut self, who: &str, rows: usize, now: Duration) {
        let Some(limit) = self.limit else { return };
        let cost = Duration::from_secs(1).saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX))
            / limit.rows_per_second.max(1);
        let until = self.spent_until.get(who).copied().unwrap_or(now).max(now);
        self.spent_until.insert(who.to_owned(), until.saturating_add(cost));
        if self.spent_until.len() > MAX_REMEMBERED {
            self.spent_until.retain(|_, until| *until > now);
        }
    }

    /// How long until there is room, where there is none.
    pub(super) fn wait(&self, who: &str, now: Duration) -> Option<Duration> {
        let limit = self.limit?;
        let burst = Duration::from_secs(1).saturating_mul(limit.burst) / limit.rows_per_second.max(1);
        let over = self.spent_until.get(who)?.checked_sub(now.saturating_add(burst))?;
        (!over.is_zero()).then_some(over)
    }
}

/// What a connection is told whose share is used up for so long.
pub(super) fn too_fast(wait: Duration) -> WireError {
    WireError {
        code: ErrorCode::Overloaded,
        message: "more rows than may come in a time; what came is taken, the rest may follow".to_owned(),
        retry_after_ms: Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { rows_per_second: 100, burst: 1_000 };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_is_free_and_more_has_to_wait() {
        let mut rates = Rates::new(Some(LIMIT));
        rates.spend("a", 1_000, at(50));
        assert_eq!(rates.wait("a", at(50)), None);
        rates.spend("a", 500, at(50));
        assert_eq!(rates.wait("a", at(50)), Some(at(5)));
        assert_eq!(rates.wait("b", at(50)), None, "everybody has a share");
        assert_eq!(rates.wait("a", at(54)), Some(at(1)));
        assert_eq!(rates.wait("a", at(55)), None);
        // After a quiet time it has a whole burst again, and no more.
        rates.spend("a", 1_001, at(1_000));
        assert_eq!(rates.wait("a", at(1_000)), Some(Duration::from_millis(10)));
    }

    #[test]
    fn without_a_limit_nothing_is_remembered() {
        let mut rates = Rates::new(None);
        rates.spend("a", usize::MAX, at(1));
        assert_eq!((rates.wait("a", at(1)), rates.spent_until.len()), (None, 0));
    }
}

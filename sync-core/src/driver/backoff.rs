//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Exponential backoff with full jitter: a thousand clients of a hub that comes back do not come
/// back at once.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Backoff { min, max: max.max(min), failures: 0 }
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The last attempt succeeded.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// One more failure: how long to wait, from a random number.
    ///
    /// Between nothing and a ceiling that doubles from `min` to `max`. What will hardly pass by
    /// itself has the largest ceiling at once. `at_least`, which the other side asked for, is
    /// kept up to ten times the ceiling; a wrong or hostile number must not silence a client for
    /// days.
    pub(super) fn next(&mut self, random: u64, hopeless: bool, at_least: Option<Duration>) -> Duration {
        let doublings = if hopeless { 31 } else { self.failures.min(31) };
        self.failures = self.failures.saturating_add(1);
        let ceiling = self.min.saturating_mul(1 << doublings).min(self.max);
        let share = (random >> 11) as f64 / (1u64 << 53) as f64;
        let jittered = ceiling.mul_f64(share);
        match at_least {
            // Spread behind the time that was asked for, not before it.
            Some(asked) => asked.min(self.max.saturating_mul(10)) + jittered,
            // Hopeless ones wait in earnest; jitter must not make them eager.
            None if hopeless => ceiling / 2 + jittered / 2,
            None => jittered,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn backoff() -> Backoff {
        Backoff::new(Duration::from_millis(500), Duration::from_secs(60))
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_largest() {
        let mut backoff = backoff();
        let waits: Vec<_> = (0..10).map(|_| backoff.next(u64::MAX, false, None).as_millis()).collect();
        let close = |a: u128, b: u128| a.abs_diff(b) <= 1;
        for (wait, ceiling) in
            waits.iter().zip([500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000])
        {
            assert!(close(*wait, ceiling), "{waits:?}");
        }
        backoff.reset();
        assert!(close(backoff.next(u64::MAX, false, None).as_millis(), 500));
    }

    proptest! {
        #[test]
        fn waits_stay_within_their_bounds(randoms in proptest::collection::vec(any::<u64>(), 1..80),
                                          hopeless: bool, asked in proptest::option::of(0u64..10_000_000)) {
            let mut backoff = backoff();
            for random in randoms {
                let at_least = asked.map(Duration::from_millis);
                let wait = backoff.next(random, hopeless, at_least);
                let floor = at_least.unwrap_or_default().min(Duration::from_secs(600));
                prop_assert!(wait >= floor && wait <= floor + Duration::from_secs(60));
                if hopeless && at_least.is_none() {
                    prop_assert!(wait >= Duration::from_secs(30));
                }
            }
        }
    }
}

//! When a client connects again: the rules of the client's driver, for virtual time.

use pocketsync_core::session::SessionEnd;
use pocketsync_core::wire::ErrorCode;

use super::draw::Draw;
use crate::story::Ms;

const MIN_MS: Ms = 500;
const MAX_MS: Ms = 60_000;
/// A session that lived this long was no failure, even if it brought nothing.
const LIVED_MS: Ms = 5_000;
/// So many sessions in a row may end in a way that asks to connect again at once.
const AT_ONCE: u32 = 3;

/// What the past says about the next attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Retry {
    failures: u32,
    at_once: u32,
}

impl Retry {
    /// A session brought something.
    pub(super) fn succeeded(&mut self) {
        *self = Retry::default();
    }

    /// There was no link to be had. How long to wait.
    pub(super) fn connect_failed(&mut self, draw: &mut Draw) -> Ms {
        let ceiling = self.ceiling();
        self.failures += 1;
        draw.below(ceiling + 1)
    }

    /// A session ended that had been connected for `lived`, if it ever was. How long to wait.
    pub(super) fn session_ended(&mut self, end: &SessionEnd, lived: Option<Ms>, draw: &mut Draw) -> Ms {
        if lived.is_some_and(|lived| lived >= LIVED_MS) {
            self.succeeded();
        }
        if matches!(end, SessionEnd::Forked { .. } | SessionEnd::ClockJumped) && self.at_once < AT_ONCE {
            self.at_once += 1;
            return 0;
        }
        let unauthorized =
            matches!(end, SessionEnd::TheyFailed(error) if error.code == ErrorCode::Unauthorized);
        let hopeless = !end.is_retryable() && !unauthorized;
        let ceiling = if hopeless { MAX_MS } else { self.ceiling() };
        self.failures += 1;
        let jittered = draw.below(ceiling + 1);
        match end.retry_after_ms().filter(|asked| *asked > 0) {
            Some(asked) => asked.min(MAX_MS * 10) + jittered,
            None if hopeless => ceiling / 2 + jittered / 2,
            None => jittered,
        }
    }

    /// The device was offline for `away`, and each attempt in that time failed at once. How long it
    /// still takes to the next. Nothing depends on those attempts but this, so they are not run.
    pub(super) fn back_after(&mut self, away: Ms, draw: &mut Draw) -> Ms {
        while self.failures < 8 && self.ceiling() < away {
            self.failures += 1;
        }
        draw.below(self.ceiling() + 1)
    }

    fn ceiling(&self) -> Ms {
        (MIN_MS << self.failures.min(16)).min(MAX_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw::Purpose;
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_begin_again_after_a_success() {
        let (mut retry, mut draw) = (Retry::default(), Draw::new(1, Purpose::Retry, 0, 0));
        assert!((0..200).all(|_| retry.connect_failed(&mut draw) <= MAX_MS));
        assert!((0..50).any(|_| retry.connect_failed(&mut draw) > MAX_MS / 2));
        retry.succeeded();
        assert!(retry.connect_failed(&mut draw) <= MIN_MS);
    }

    #[test]
    fn whoever_was_away_for_long_comes_back_within_a_minute() {
        let (mut retry, mut draw) = (Retry::default(), Draw::new(1, Purpose::Retry, 0, 0));
        let waits: Vec<Ms> = (0..50).map(|_| retry.back_after(86_400_000, &mut draw)).collect();
        assert!(waits.iter().all(|wait| *wait <= MAX_MS) && waits.iter().any(|wait| *wait > MAX_MS / 2));
    }
}

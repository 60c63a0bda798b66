//! Whether to connect again at once, soon or late.

use std::time::Duration;

use crate::driver::backoff::Backoff;
use crate::session::SessionEnd;
use crate::wire::ErrorCode;

/// A session that lived this long was no failure, even if it brought nothing.
const LIVED: Duration = Duration::from_secs(5);

/// So many sessions in a row may end in a way that asks to connect again at once; a replica
/// forks once, so more of them are a fault, and must not spin.
const AT_ONCE: u32 = 3;

/// What the past says about the next attempt.
#[derive(Clone, Debug)]
pub(super) struct Retry {
    backoff: Backoff,
    token: Option<String>,
    refused: Option<String>,
    at_once: u32,
}

impl Retry {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Retry { backoff: Backoff::new(min, max), token: None, refused: None, at_once: 0 }
    }

    pub(super) fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// The token that the last session did not get in with.
    pub(super) fn refused_token(&self) -> Option<String> {
        self.refused.clone()
    }

    /// A session begins with this token.
    pub(super) fn trying(&mut self, token: Option<String>) {
        self.token = token;
    }

    /// A session brought something, or somebody wants to start afresh. The handshake alone does
    /// not count: where every session fails right behind it, clients have to slow down too.
    pub(super) fn succeeded(&mut self) {
        self.backoff.reset();
        self.refused = None;
        self.at_once = 0;
    }

    /// There was no link to be had. How long to wait.
    pub(super) fn connect_failed(&mut self, random: u64) -> Duration {
        self.backoff.next(random, false, None)
    }

    /// A session ended that had been connected for `lived`, if it ever was. How long to wait.
    pub(super) fn session_ended(
        &mut self,
        end: &SessionEnd,
        lived: Option<Duration>,
        random: u64,
    ) -> Duration {
        if lived.is_some_and(|lived| lived >= LIVED) {
            self.succeeded();
        }
        if matches!(end, SessionEnd::Forked { .. } | SessionEnd::ClockJumped) && self.at_once < AT_ONCE {
            self.at_once += 1;
            return Duration::ZERO;
        }
        let unauthorized =
            matches!(end, SessionEnd::TheyFailed(error) if error.code == ErrorCode::Unauthorized);
        if unauthorized {
            self.refused = self.token.take();
        }
        // A refused token is not hopeless: the credentials are asked for another.
        let hopeless = !end.is_retryable() && !unauthorized;
        let asked = end.retry_after_ms().filter(|&ms| ms > 0).map(Duration::from_millis);
        self.backoff.next(random, hopeless, asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SiteId;
    use crate::wire::WireError;

    fn retry() -> Retry {
        Retry::new(Duration::from_millis(500), Duration::from_secs(60))
    }

    fn they_failed(code: ErrorCode, retry_after_ms: Option<u64>) -> SessionEnd {
        SessionEnd::TheyFailed(WireError { code, message: String::new(), retry_after_ms })
    }

    #[test]
    fn a_fork_connects_at_once_but_not_for_ever() {
        let mut retry = retry();
        let forked = SessionEnd::Forked { site: SiteId::NIL };
        for _ in 0..AT_ONCE {
            assert_eq!(retry.session_ended(&forked, None, u64::MAX), Duration::ZERO);
        }
        assert!(retry.session_ended(&forked, None, u64::MAX) > Duration::from_millis(400));
    }

    #[test]
    fn the_other_side_may_ask_for_time() {
        let mut retry = retry();
        let wait = retry.session_ended(&they_failed(ErrorCode::Overloaded, Some(7_000)), None, 0);
        assert_eq!(wait, Duration::from_secs(7));
    }

    #[test]
    fn a_refused_token_is_remembered_until_one_is_taken() {
        let mut retry = retry();
        retry.trying(Some("old".to_owned()));
        let wait = retry.session_ended(&they_failed(ErrorCode::Unauthorized, None), None, u64::MAX);
        assert!(wait <= Duration::from_millis(500));
        assert_eq!(retry.refused_token().as_deref(), Some("old"));
        retry.connect_failed(0);
        assert_eq!(retry.refused_token().as_deref(), Some("old"));
        retry.succeeded();
        assert_eq!(retry.refused_token(), None);
    }

    #[test]
    fn what_will_not_pass_is_tried_rarely() {
        let wait = retry().session_ended(&they_failed(ErrorCode::Forbidden, None), None, 0);
        assert!(wait >= Duration::from_secs(30));
    }

    #[test]
    fn failing_right_behind_the_handshake_backs_off() {
        let mut retry = retry();
        let lost = SessionEnd::Lost("reset".to_owned());
        for _ in 0..5 {
            retry.session_ended(&lost, Some(Duration::from_millis(20)), 0);
        }
        assert_eq!(retry.failures(), 5);
        retry.session_ended(&lost, Some(LIVED), 0);
        assert_eq!(retry.failures(), 1);
    }
}

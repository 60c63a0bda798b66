//! What all runtimes read from the operating system.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pocketsync_core::clock::Now;

/// The longest piece of a wait.
const PIECE: Duration = Duration::from_secs(5);

/// Reads both clocks.
pub(super) fn now() -> Now {
    // A clock before 1970 is as wrong as one that stands at 1970.
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono: mono(), wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn mono() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(target_vendor = "apple")]
    let clock = ClockId::Monotonic;
    #[cfg(not(target_vendor = "apple"))]
    let clock = ClockId::Boottime;
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn mono() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// How long to sleep towards `deadline` before looking at the clock again; `None` when it has
/// passed.
pub(super) fn next_piece(deadline: Duration) -> Option<Duration> {
    let left = deadline.saturating_sub(mono());
    (!left.is_zero()).then(|| left.min(PIECE))
}

/// Fills a buffer with random bytes.
pub(super) fn entropy(buffer: &mut [u8]) {
    getrandom::fill(buffer).expect("no supported operating system is without randomness");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_cut_and_end() {
        assert_eq!(next_piece(Duration::ZERO), None);
        assert_eq!(next_piece(mono() + Duration::from_secs(3600)), Some(PIECE));
        assert!(next_piece(mono() + Duration::from_secs(1)).unwrap() <= Duration::from_secs(1));
    }

    #[test]
    fn time_goes_forward() {
        let (first, second) = (now(), now());
        assert!(second.mono >= first.mono);
        assert!(first.wall_ms > 1_700_000_000_000, "the machine that runs the tests knows the time");
    }

    #[test]
    fn randomness_is_not_always_the_same() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        entropy(&mut one);
        entropy(&mut other);
        assert_ne!(one, other);
    }
}

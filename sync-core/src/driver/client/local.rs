//! When to look at the local store, and whether somebody set the clock.

use std::time::Duration;

use crate::clock::Now;

/// How long after the last activity looking stays frequent.
const ACTIVE_FOR: Duration = Duration::from_secs(2);

/// The least time between two counts of what is to do that nobody is in a hurry for.
const SUMMARY_EVERY: Duration = Duration::from_millis(200);

/// The wall clock may run away from the monotonic one by this much between two looks: NTP slews
/// and leap seconds stay below, whoever sets the clock by hand does not.
const JUMP_MS: u64 = 2_000;

/// When to look at the local store.
#[derive(Debug)]
pub(super) struct LookSchedule {
    active: Duration,
    idle: Duration,
    offline: Duration,
    interval: Duration,
    next_at: Duration,
    active_until: Duration,
    online: bool,
    summary_at: Option<Duration>,
    last_summary: Option<Duration>,
}

impl LookSchedule {
    pub(super) fn new(active: Duration, idle: Duration, offline: Duration, now: Now) -> Self {
        LookSchedule {
            active,
            idle: idle.max(active),
            offline,
            interval: offline,
            next_at: now.mono,
            active_until: Duration::ZERO,
            online: false,
            summary_at: Some(now.mono),
            last_summary: None,
        }
    }

    /// When the next look is due.
    pub(super) fn due_at(&self) -> Duration {
        self.summary_at.map_or(self.next_at, |at| at.min(self.next_at))
    }

    /// Connected, or not any more.
    pub(super) fn set_online(&mut self, now: Now, online: bool) {
        if self.online != online {
            self.online = online;
            self.interval = if online { self.active } else { self.offline };
            self.next_at = now.mono;
        }
    }

    /// Something happened, here or there: more will.
    pub(super) fn activity(&mut self, now: Now) {
        self.active_until = now.mono + ACTIVE_FOR;
        if self.online {
            self.interval = self.active;
            self.next_at = self.next_at.min(now.mono + self.active);
        }
    }

    /// Look at once.
    pub(super) fn look_now(&mut self, now: Now) {
        self.next_at = now.mono;
    }

    /// Count what is to do, `at_once` or when a few more changes may have come together.
    pub(super) fn want_summary(&mut self, now: Now, at_once: bool) {
        let earliest = match self.last_summary {
            Some(last) if !at_once => last + SUMMARY_EVERY,
            _ => now.mono,
        };
        self.summary_at = Some(self.summary_at.map_or(earliest, |at| at.min(earliest)));
    }

    /// If a look is due: sets the time of the next, and says whether to count as well.
    pub(super) fn take_due(&mut self, now: Now) -> Option<bool> {
        if now.mono < self.due_at() {
            return None;
        }
        let summary = self.summary_at.is_some_and(|at| at <= now.mono);
        if summary {
            self.summary_at = None;
            self.last_summary = Some(now.mono);
        }
        if !self.online {
            self.interval = self.offline;
        } else if now.mono < self.active_until {
            self.interval = self.active;
        } else {
            self.interval = (self.interval * 2).clamp(self.active, self.idle);
        }
        self.next_at = now.mono + self.interval;
        Some(summary)
    }
}

/// Notices that the wall clock was set, by comparing it with the monotonic one.
#[derive(Debug)]
pub(super) struct JumpDetector {
    last: Now,
}

impl JumpDetector {
    pub(super) fn new(now: Now) -> Self {
        JumpDetector { last: now }
    }

    /// Whether the wall clock went another way than the monotonic one since the last call.
    pub(super) fn jumped(&mut self, now: Now) -> bool {
        let elapsed = now.mono.saturating_sub(self.last.mono).as_millis();
        let expected = self.last.wall_ms.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX));
        self.last = now;
        now.wall_ms.abs_diff(expected) > JUMP_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono: Duration::from_millis(mono_ms), wall_ms: 1_700_000_000_000 + mono_ms }
    }

    /// The times of the looks in `(from, to]`.
    fn looks(schedule: &mut LookSchedule, to: u64) -> Vec<u64> {
        let mut times = Vec::new();
        while schedule.due_at() <= Duration::from_millis(to) {
            let due = u64::try_from(schedule.due_at().as_millis()).unwrap();
            assert!(schedule.take_due(at(due)).is_some());
            times.push(due);
        }
        times
    }

    fn schedule() -> LookSchedule {
        let ms = Duration::from_millis;
        LookSchedule::new(ms(10), ms(250), ms(1000), at(0))
    }

    #[test]
    fn looking_calms_down_when_nothing_happens() {
        let mut schedule = schedule();
        assert_eq!(looks(&mut schedule, 3000), [0, 1000, 2000, 3000]);
        schedule.set_online(at(3500), true);
        assert_eq!(looks(&mut schedule, 4300), [3500, 3520, 3560, 3640, 3800, 4050, 4300]);
        schedule.activity(at(4301));
        assert_eq!(looks(&mut schedule, 4340), [4311, 4321, 4331]);
        assert_eq!(looks(&mut schedule, 6301).len(), 197, "every 10 ms for two seconds");
        assert!(looks(&mut schedule, 10_000).windows(2).any(|pair| pair[1] - pair[0] == 250));
    }

    #[test]
    fn counts_that_nobody_waits_for_are_put_together() {
        let mut schedule = schedule();
        assert_eq!(schedule.take_due(at(0)), Some(true), "the first look counts");
        schedule.want_summary(at(1), false);
        assert_eq!(schedule.due_at(), Duration::from_millis(200));
        schedule.want_summary(at(2), true);
        assert_eq!(schedule.take_due(at(2)), Some(true));
        assert_eq!(schedule.take_due(at(3)), None);
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_and_a_slewed_one_is_not() {
        let mut detector = JumpDetector::new(at(0));
        assert!(!detector.jumped(at(1_000_000)));
        let slewed = Now { wall_ms: at(2_000_000).wall_ms + 1_500, ..at(2_000_000) };
        assert!(!detector.jumped(slewed));
        let ahead = Now { wall_ms: slewed.wall_ms + 5_000, ..at(2_001_000) };
        assert!(detector.jumped(ahead));
        let back = Now { wall_ms: ahead.wall_ms - 86_400_000, ..at(2_002_000) };
        assert!(detector.jumped(back));
        assert!(!detector.jumped(Now { wall_ms: back.wall_ms + 10, ..at(2_002_010) }));
    }
}

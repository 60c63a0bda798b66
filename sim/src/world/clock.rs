//! Simulated time, and the wrong clocks that tell it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pocketsync_core::clock::Now;
use tokio::sync::Notify;

use crate::determinism;
use crate::story::{Clock, Ms, true_wall_ms};

/// The time of a world: what turmoil has run, and what was skipped because nobody did anything.
#[derive(Debug, Default)]
pub(super) struct Time {
    run_us: AtomicU64,
    skipped_us: AtomicU64,
    skip: Notify,
}

impl Time {
    /// Time since the world began. A host that runs is inside of a tick, and asks turmoil.
    pub(super) fn now(&self) -> Duration {
        let run = match turmoil::sim_elapsed() {
            Some(run) => run,
            None => Duration::from_micros(self.run_us.load(Ordering::Relaxed)),
        };
        run + Duration::from_micros(self.skipped_us.load(Ordering::Relaxed))
    }

    /// The same in milliseconds.
    pub(super) fn ms(&self) -> Ms {
        u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX)
    }

    /// Turmoil has run up to here.
    pub(super) fn ran(&self, elapsed: Duration) {
        self.run_us.store(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Time passes in which nobody runs; timers that are due then ring when their hosts run again.
    pub(super) fn skip(&self, ms: Ms) {
        self.skipped_us.fetch_add(ms * 1_000, Ordering::Relaxed);
        self.skip.notify_waiters();
    }

    /// Completes at that time of the world. Only for hosts.
    pub(super) async fn sleep_until(&self, deadline: Duration) {
        loop {
            // Enlisted before looking at the clock, so that no skip is missed.
            let skipped = self.skip.notified();
            let left = deadline.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            let slept = std::pin::pin!(tokio::time::sleep(left));
            futures::future::select(slept, std::pin::pin!(skipped)).await;
        }
    }
}

/// What one replica's clocks read.
#[derive(Debug)]
pub(super) struct WrongClock {
    time: Arc<Time>,
    wall: Mutex<Clock>,
}

impl WrongClock {
    pub(super) fn new(time: &Arc<Time>, clock: Clock) -> Self {
        WrongClock { time: Arc::clone(time), wall: Mutex::new(clock) }
    }

    pub(super) fn now(&self) -> Now {
        let mono = self.time.now();
        let true_ms = true_wall_ms(u64::try_from(mono.as_millis()).unwrap_or(u64::MAX));
        let wall_ms = self.wall.lock().unwrap_or_else(PoisonError::into_inner).wall_ms(true_ms);
        Now { mono, wall_ms }
    }

    /// Somebody sets it: it is that far ahead of true time now, and drifts on from there.
    pub(super) fn set(&self, offset_ms: i64) {
        let mut clock = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        let run = i128::from(self.time.ms());
        let drifted = run * i128::from(clock.drift_ppm) / 1_000_000;
        clock.offset_ms = offset_ms.saturating_sub(i64::try_from(drifted).unwrap_or(0));
    }

    /// Lets SQLite and the C library read it as well, until somebody else's turn.
    pub(super) fn tell_thread(&self) -> Now {
        let now = self.now();
        let mono_us = u64::try_from(now.mono.as_micros()).unwrap_or(u64::MAX);
        determinism::set_clocks(now.wall_ms.saturating_mul(1_000), mono_us.saturating_add(1_000_000_000));
        now
    }
}

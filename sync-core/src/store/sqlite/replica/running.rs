//! Whether work is going on, and waiting for its end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The work that is going on now.
#[derive(Debug, Default)]
pub(super) struct Running {
    count: Mutex<u32>,
    ended: Condvar,
}

/// Counts as work until it is dropped.
#[derive(Debug)]
pub(super) struct Pass<'a>(&'a Running);

impl Running {
    pub(super) fn enter(&self) -> Pass<'_> {
        *self.lock() += 1;
        Pass(self)
    }

    /// Calls `nudge` until no work is going on, so many times at most, with this time between.
    pub(super) fn end_with(&self, nudge: impl Fn(), times: u32, between: Duration) {
        let mut count = self.lock();
        for _ in 0..times {
            if *count == 0 {
                return;
            }
            nudge();
            (count, _) = self.ended.wait_timeout(count, between).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, u32> {
        // Nothing can panic between reading and writing the count.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.ended.notify_all();
    }
}

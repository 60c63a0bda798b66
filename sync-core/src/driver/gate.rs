//! Who may work on the store now: everybody, or nobody while the client is suspended.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Counts the work that runs, and can be closed. Every piece of work enters where it runs, so
/// that once the gate is closed and empty nothing runs and nothing begins, whether or not
/// anybody polls the driver.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    closed: bool,
    running: u32,
    waiting: Vec<Waker>,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in a job cannot leave a half-written count here.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    pub(super) fn open(&self) {
        self.lock().closed = false;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Leave to work until the pass is dropped; `None` while closed.
    pub(super) fn enter(&self) -> Option<Pass> {
        let mut inner = self.lock();
        if inner.closed {
            return None;
        }
        inner.running += 1;
        Some(Pass { gate: self.clone() })
    }

    /// Completes when nobody is inside.
    pub(super) async fn empty(&self) {
        poll_fn(|cx| {
            let mut inner = self.lock();
            if inner.running == 0 {
                return Poll::Ready(());
            }
            if !inner.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                inner.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

/// Leave to work.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Gate,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inner = self.gate.lock();
        inner.running -= 1;
        if inner.running == 0 {
            let waiting = std::mem::take(&mut inner.waiting);
            drop(inner);
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn closed_and_empty_means_that_nothing_runs() {
        let gate = Gate::default();
        let pass = gate.enter().unwrap();
        gate.close();
        assert!(gate.enter().is_none());
        assert!(gate.empty().now_or_never().is_none());
        drop(pass);
        assert!(gate.empty().now_or_never().is_some());
        gate.open();
        assert!(gate.enter().is_some());
    }
}

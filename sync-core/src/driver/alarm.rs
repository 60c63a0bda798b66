//! One timer, set again and again.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::runtime::Runtime;

/// Wakes the task at one moment at a time.
pub(super) struct Alarm {
    runtime: Arc<dyn Runtime>,
    set: Option<(Duration, BoxFuture<'static, ()>)>,
}

impl Alarm {
    pub(super) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Alarm { runtime, set: None }
    }

    /// Sets the alarm to `at`. Says whether it rings already.
    pub(super) fn poll(&mut self, at: Option<Duration>, cx: &mut Context<'_>) -> bool {
        let Some(at) = at else {
            self.set = None;
            return false;
        };
        let sleep = match &mut self.set {
            Some((set, sleep)) if *set == at => sleep,
            other => &mut other.insert((at, self.runtime.sleep_until(at))).1,
        };
        let rings = sleep.poll_unpin(cx).is_ready();
        if rings {
            self.set = None;
        }
        rings
    }
}

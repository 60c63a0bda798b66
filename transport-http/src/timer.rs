//! hyper's timers, on a runtime of ours.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::rt::{Sleep, Timer};
use pocketsync_core::runtime::Runtime;

pub(crate) struct RuntimeTimer(pub(crate) Arc<dyn Runtime>);

impl Timer for RuntimeTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        let sleep = self.0.sleep_until(self.0.now().mono.saturating_add(duration));
        Box::pin(Sleeping(Mutex::new(sleep)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }
}

/// The lock is for hyper, which wants timers that threads may share; nobody else ever holds it.
struct Sleeping(Mutex<BoxFuture<'static, ()>>);

impl Future for Sleeping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).poll_unpin(cx)
    }
}

impl Sleep for Sleeping {}

//! smol, and every other executor: timers and threads are those of `async-io` and `blocking`.

use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;
use pocketsync_core::clock::Now;
use pocketsync_core::runtime::Runtime;

use super::world;

/// Timers of `async-io` and threads of `blocking`, which start by themselves: works under any
/// executor, smol's first of all.
///
/// ```
/// use pocketsync::runtime::{Runtime, SmolRuntime};
/// let runtime = SmolRuntime::new();
/// smol::block_on(runtime.sleep_until(runtime.now().mono + std::time::Duration::from_millis(1)));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SmolRuntime {}

impl SmolRuntime {
    /// The one that there is.
    pub fn new() -> Self {
        SmolRuntime {}
    }
}

impl Runtime for SmolRuntime {
    fn now(&self) -> Now {
        world::now()
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            while let Some(piece) = world::next_piece(deadline) {
                async_io::Timer::after(piece).await;
            }
        })
    }

    fn entropy(&self, buffer: &mut [u8]) {
        world::entropy(buffer);
    }

    fn unblock(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let (done, wait) = oneshot::channel();
        let work = move || {
            job();
            let _gone = done.send(());
        };
        // Detached, so that it runs to its end whether or not somebody waits.
        blocking::unblock(work).detach();
        Box::pin(async move {
            // Who waits for the job's own answer finds that it is missing.
            if wait.await.is_err() {
                tracing::error!("blocking work did not come to an end");
            }
        })
    }
}

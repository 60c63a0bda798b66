//! Tokio.

use std::time::Duration;

use futures::future::BoxFuture;
use pocketsync_core::clock::Now;
use pocketsync_core::runtime::Runtime;
use tokio::runtime::Handle;

use super::world;

/// Timers and blocking threads of a Tokio runtime, which must have its timers on.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use pocketsync::runtime::{Runtime, TokioRuntime};
///
/// let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new(tokio.handle().clone()));
/// tokio.block_on(async {
///     runtime.sleep_until(runtime.now().mono + std::time::Duration::from_millis(1)).await;
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TokioRuntime {
    handle: Handle,
}

impl TokioRuntime {
    /// The runtime behind a handle.
    pub fn new(handle: Handle) -> Self {
        TokioRuntime { handle }
    }

    /// The runtime that the caller runs in.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn current() -> Self {
        TokioRuntime { handle: Handle::current() }
    }
}

impl Runtime for TokioRuntime {
    fn now(&self) -> Now {
        world::now()
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        let handle = self.handle.clone();
        Box::pin(async move {
            while let Some(piece) = world::next_piece(deadline) {
                // Whoever polls may be outside of the runtime.
                let sleep = {
                    let _inside = handle.enter();
                    tokio::time::sleep(piece)
                };
                sleep.await;
            }
        })
    }

    fn entropy(&self, buffer: &mut [u8]) {
        world::entropy(buffer);
    }

    fn unblock(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let work = self.handle.spawn_blocking(job);
        Box::pin(async move {
            // Who waits for the job's own answer finds that it is missing.
            if let Err(error) = work.await {
                tracing::error!(%error, "blocking work did not come to an end");
            }
        })
    }
}

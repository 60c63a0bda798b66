//! Everything that touches the world, in one trait.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::clock::Now;

/// Clocks, timers, randomness and a place for blocking work: what a driver needs of the world.
///
/// One small implementation a runtime; the simulator's is driven by a seed.
pub trait Runtime: Send + Sync + 'static {
    /// Reads the clocks. [`Now::mono`] counts the time that the machine slept where the platform
    /// can tell it.
    fn now(&self) -> Now;

    /// Completes when [`Now::mono`] has reached `deadline`, not before.
    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()>;

    /// Fills `buffer` with random bytes.
    fn entropy(&self, buffer: &mut [u8]);

    /// Runs blocking work where it holds up nobody, and completes when it is done. Work that was
    /// handed over runs to its end even if the future is dropped.
    fn unblock(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
}

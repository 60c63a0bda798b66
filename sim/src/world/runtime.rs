//! What a driver's process has of the world.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use pocketsync_core::clock::Now;
use pocketsync_core::runtime::Runtime;

use super::clock::Time;
use super::process::Process;
use crate::determinism::Chance;
use crate::story::TxId;

/// How long a store's work usually takes at most.
const QUICK_US: u64 = 3_000;
/// How long it takes now and then.
const SLOW_US: u64 = 40_000;
/// One job in so many is slow.
const SLOW_ONE_IN: u64 = 32;

/// Simulated clocks and timers, seeded randomness, and a store that takes its time.
pub(super) struct SimulatedRuntime {
    time: Arc<Time>,
    process: Arc<Process>,
    chance: Mutex<Chance>,
    known: Arc<Known>,
}

/// What a driver knows of the application's writes.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Option<TxId>>);

impl Known {
    /// The last transaction that is covered by what the driver knows of the store: if nothing is
    /// pending, this one is acknowledged.
    pub(super) fn through(&self) -> Option<TxId> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimulatedRuntime {
    pub(super) fn new(time: &Arc<Time>, process: &Arc<Process>, chance: Chance) -> Arc<Self> {
        let (time, process) = (Arc::clone(time), Arc::clone(process));
        Arc::new(SimulatedRuntime { time, process, chance: Mutex::new(chance), known: Arc::default() })
    }

    /// What its driver will know.
    pub(super) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known)
    }

    fn store_takes(&self) -> Duration {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = if chance.below(SLOW_ONE_IN) == 0 { SLOW_US } else { QUICK_US };
        Duration::from_micros(chance.below(bound))
    }
}

impl Runtime for SimulatedRuntime {
    fn now(&self) -> Now {
        self.process.clock.now()
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        let time = Arc::clone(&self.time);
        Box::pin(async move { time.sleep_until(deadline).await })
    }

    fn entropy(&self, buffer: &mut [u8]) {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).fill(buffer);
    }

    /// Does the work at once, and says so only later: in between the process can be killed.
    fn unblock(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        if !self.process.run(job) {
            return Box::pin(std::future::pending());
        }
        let (time, known, counted) =
            (Arc::clone(&self.time), Arc::clone(&self.known), self.process.take_counted());
        let done_at = time.now() + self.store_takes();
        Box::pin(async move {
            time.sleep_until(done_at).await;
            if let Some(counted) = counted {
                *known.0.lock().unwrap_or_else(PoisonError::into_inner) = counted;
            }
        })
    }
}

//! What the handles and the driver share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use futures::task::AtomicWaker;

use super::SyncError;
use crate::driver::gate::Gate;
use crate::driver::status::{State, Status};
use crate::driver::watch::Watched;

/// Answers one call of `sync_now`.
pub(super) type SyncReply = oneshot::Sender<Result<(), SyncError>>;

#[derive(Debug)]
pub(super) struct Control {
    pub(super) status: Watched<Status>,
    pub(super) gate: Gate,
    /// Wakes the driver after an order.
    pub(super) driver: AtomicWaker,
    orders: Mutex<Orders>,
}

/// What the handles want of the driver.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) shutdown: bool,
    pub(super) sync: Vec<SyncReply>,
    /// The driver is no more: nobody takes orders.
    ended: bool,
}

impl Control {
    pub(super) fn new() -> Self {
        Control {
            status: Watched::new(Status::default()),
            gate: Gate::default(),
            driver: AtomicWaker::new(),
            orders: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an order; `false` when nobody takes it any more.
    pub(super) fn order(&self, order: impl FnOnce(&mut Orders)) -> bool {
        let mut orders = self.lock();
        if orders.ended {
            return false;
        }
        order(&mut orders);
        drop(orders);
        self.driver.wake();
        true
    }

    /// Takes the orders that came in.
    pub(super) fn take(&self) -> Orders {
        std::mem::take(&mut *self.lock())
    }

    /// Whether the driver is no more.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// The driver is no more.
    pub(super) fn end(&self) {
        let mut orders = self.lock();
        orders.ended = true;
        let unanswered = std::mem::take(&mut orders.sync);
        drop(orders);
        self.status.update(|status| {
            status.state = State::Stopped;
            status.peer = None;
            status.retry_at_ms = None;
        });
        self.status.end();
        let error = self.stopped();
        for reply in unanswered {
            let _gone = reply.send(Err(error.clone()));
        }
    }

    pub(super) fn stopped(&self) -> SyncError {
        SyncError::Stopped(self.status.get().last_error)
    }
}

//! What the handles and the driver share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::task::AtomicWaker;

use super::HubStatus;
use super::counters::Counters;
use crate::driver::watch::Watched;
use crate::id::Scope;

#[derive(Debug)]
pub(super) struct Control {
    pub(super) status: Watched<HubStatus>,
    pub(super) counters: Counters,
    /// Wakes the driver after an order.
    pub(super) driver: AtomicWaker,
    orders: Mutex<Orders>,
}

/// What the handles want of the driver.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) shutdown: bool,
    /// Admission is to be asked again about everyone.
    pub(super) readmit: bool,
    /// Identities.
    pub(super) revoked: Vec<String>,
    pub(super) changed: Vec<Scope>,
    /// The driver is no more: nobody takes orders.
    ended: bool,
}

impl Control {
    pub(super) fn new() -> Self {
        Control {
            status: Watched::new(HubStatus::default()),
            counters: Counters::default(),
            driver: AtomicWaker::new(),
            orders: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an order, if there is still somebody to take it.
    pub(super) fn order(&self, order: impl FnOnce(&mut Orders)) {
        let mut orders = self.lock();
        if !orders.ended {
            order(&mut orders);
            drop(orders);
            self.driver.wake();
        }
    }

    /// Takes the orders that came in.
    pub(super) fn take(&self) -> Orders {
        std::mem::take(&mut *self.lock())
    }

    /// The driver is no more.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.status.update(|status| *status = HubStatus { connections: 0, is_stopping: true });
        self.status.end();
    }
}

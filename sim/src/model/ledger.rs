//! The model, shared by the oracles that go by it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Model;
use crate::history::Event;
use crate::oracle::Case;
use crate::story::Ms;

/// The model, shared by the oracles that go by it, and written once.
#[derive(Clone)]
pub struct Ledger(Arc<Mutex<Written>>);

struct Written {
    model: Model,
    events: u64,
}

impl Ledger {
    /// Of a run that has not begun.
    pub fn new(case: &Case) -> Self {
        Ledger(Arc::new(Mutex::new(Written { model: Model::new(case), events: 0 })))
    }

    /// A reader, which must be told every event from now on.
    pub fn reader(&self) -> Reader {
        Reader { ledger: self.clone(), events: 0 }
    }
}

/// One oracle's access to the model.
///
/// Every oracle is told every event, in the same order. Whoever is told of one first writes it
/// down; so each finds the model as it is after the events that it was told itself.
pub struct Reader {
    ledger: Ledger,
    events: u64,
}

impl Reader {
    /// The model as it is after `event`.
    pub fn saw(&mut self, at: Ms, event: &Event) -> impl std::ops::Deref<Target = Model> {
        self.events += 1;
        let mut written = self.lock();
        if written.events < self.events {
            written.events = self.events;
            written.model.saw(at, event);
        }
        Open(written)
    }

    /// The model as it is now.
    pub fn model(&self) -> impl std::ops::Deref<Target = Model> {
        Open(self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        // A panic of another oracle leaves the model as it was: nothing in it is half done.
        self.ledger.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Open<'a>(MutexGuard<'a, Written>);

impl std::ops::Deref for Open<'_> {
    type Target = Model;

    fn deref(&self) -> &Model {
        &self.0.model
    }
}

//! What hosts have to tell the judge, who hears it between two ticks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::history::Event;

/// Something to tell.
#[derive(Debug)]
pub(super) enum Record {
    Event(Event),
    /// A frame: of which kind of line in the trace, and its bytes.
    Frame(u8, bytes::Bytes),
}

/// What is to be told, in the order in which it happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Records(Arc<Mutex<Vec<Record>>>);

impl Records {
    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn event(&self, event: Event) {
        self.lock().push(Record::Event(event));
    }

    pub(super) fn frame(&self, kind: u8, frame: bytes::Bytes) {
        self.lock().push(Record::Frame(kind, frame));
    }

    pub(super) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.lock())
    }
}

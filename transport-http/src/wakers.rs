//! Waking both halves of a link: whichever is polled does the work of both.

use std::sync::Arc;
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;

/// Who waits for something to happen on a link.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    pub(crate) reader: AtomicWaker,
    pub(crate) writer: AtomicWaker,
}

impl Wakers {
    /// A waker that wakes both halves.
    pub(crate) fn both(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

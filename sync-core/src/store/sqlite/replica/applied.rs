//! Telling the application what merges changed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures::Stream;

use crate::store::ShownRows;

/// What a merge did to the user's tables.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Applied {
    /// These rows look different now.
    Changes(Vec<ShownRows>),
    /// The reader was slow, and this many merges were dropped: read everything again.
    Lagged(u64),
}

/// The merges from now on, for one reader. Ends when the last handle of the replica is gone.
#[derive(Debug)]
pub struct AppliedStream {
    reader: Arc<Mutex<Reader>>,
}

#[derive(Debug, Default)]
struct Reader {
    merges: VecDeque<Vec<ShownRows>>,
    lagged: u64,
    ended: bool,
    waker: Option<Waker>,
}

/// The readers of one replica.
#[derive(Debug)]
pub(super) struct Readers {
    bound: usize,
    readers: Mutex<Vec<Weak<Mutex<Reader>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here can panic half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Readers {
    pub(super) fn new(bound: usize) -> Self {
        Readers { bound: bound.max(1), readers: Mutex::default() }
    }

    pub(super) fn subscribe(&self) -> AppliedStream {
        let reader = Arc::<Mutex<Reader>>::default();
        lock(&self.readers).push(Arc::downgrade(&reader));
        AppliedStream { reader }
    }

    /// Tells every reader of one merge.
    pub(super) fn publish(&self, shown: &[ShownRows]) {
        if shown.is_empty() {
            return;
        }
        lock(&self.readers).retain(|reader| {
            let Some(reader) = reader.upgrade() else { return false };
            let mut reader = lock(&reader);
            if reader.merges.len() == self.bound {
                // What comes out first is that something is missing.
                reader.lagged += reader.merges.len() as u64;
                reader.merges.clear();
            }
            reader.merges.push_back(shown.to_vec());
            reader.wake();
            true
        });
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        for reader in lock(&self.readers).drain(..).filter_map(|reader| reader.upgrade()) {
            let mut reader = lock(&reader);
            reader.ended = true;
            reader.wake();
        }
    }
}

impl Reader {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Stream for AppliedStream {
    type Item = Applied;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Applied>> {
        let mut reader = lock(&self.reader);
        if reader.lagged > 0 {
            return Poll::Ready(Some(Applied::Lagged(std::mem::take(&mut reader.lagged))));
        }
        match reader.merges.pop_front() {
            Some(shown) => Poll::Ready(Some(Applied::Changes(shown))),
            None if reader.ended => Poll::Ready(None),
            None => {
                reader.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    fn merge(table: &str) -> Vec<ShownRows> {
        vec![ShownRows { table: table.to_owned(), changed: Vec::new(), removed: Vec::new() }]
    }

    #[test]
    fn a_slow_reader_is_told_how_much_it_missed() {
        let readers = Readers::new(2);
        let mut stream = readers.subscribe();
        assert!(stream.next().now_or_never().is_none());
        for table in ["a", "b", "c"] {
            readers.publish(&merge(table));
        }
        assert_eq!(stream.next().now_or_never().flatten(), Some(Applied::Lagged(2)));
        assert_eq!(stream.next().now_or_never().flatten(), Some(Applied::Changes(merge("c"))));
        assert!(stream.next().now_or_never().is_none());
        drop(readers);
        assert_eq!(stream.next().now_or_never(), Some(None));
    }
}

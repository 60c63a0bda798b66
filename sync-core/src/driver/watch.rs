//! A value that many may watch: each sees the latest, nobody a queue.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::Stream;

/// One value, its version, and who waits for the next.
#[derive(Debug)]
pub(super) struct Watched<T> {
    inner: Arc<Mutex<Inner<T>>>,
}

#[derive(Debug)]
struct Inner<T> {
    value: T,
    version: u64,
    ended: bool,
    watchers: u64,
    waiting: BTreeMap<u64, Waker>,
}

impl<T> Clone for Watched<T> {
    fn clone(&self) -> Self {
        Watched { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Clone + PartialEq> Watched<T> {
    pub(super) fn new(value: T) -> Self {
        let inner = Inner { value, version: 1, ended: false, watchers: 0, waiting: BTreeMap::new() };
        Watched { inner: Arc::new(Mutex::new(inner)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // A panic elsewhere cannot leave a half-written value here.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self) -> T {
        self.lock().value.clone()
    }

    /// Changes the value, and tells the watchers if that made it another.
    pub(super) fn update(&self, change: impl FnOnce(&mut T)) {
        let mut inner = self.lock();
        let before = inner.value.clone();
        change(&mut inner.value);
        if inner.value != before {
            inner.version += 1;
            wake(inner);
        }
    }

    /// The value will not change any more: streams end once they have shown it.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        inner.ended = true;
        wake(inner);
    }

    /// The value now, and every later one unless it was overtaken by the next.
    pub(super) fn stream(&self) -> Changes<T> {
        let mut inner = self.lock();
        inner.watchers += 1;
        Changes { id: inner.watchers, seen: 0, watched: self.clone() }
    }
}

fn wake<T>(mut inner: MutexGuard<'_, Inner<T>>) {
    let waiting = std::mem::take(&mut inner.waiting);
    drop(inner);
    waiting.into_values().for_each(Waker::wake);
}

/// The stream of a value's changes: the latest each time, starting with the present one.
#[derive(Debug)]
pub(super) struct Changes<T: Clone + PartialEq> {
    watched: Watched<T>,
    id: u64,
    seen: u64,
}

impl<T: Clone + PartialEq> Stream for Changes<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        let mut inner = this.watched.lock();
        if inner.version > this.seen {
            this.seen = inner.version;
            return Poll::Ready(Some(inner.value.clone()));
        }
        if inner.ended {
            return Poll::Ready(None);
        }
        inner.waiting.insert(this.id, cx.waker().clone());
        Poll::Pending
    }
}

impl<T: Clone + PartialEq> Drop for Changes<T> {
    fn drop(&mut self) {
        self.watched.lock().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    #[test]
    fn a_slow_watcher_sees_the_latest_only() {
        let watched = Watched::new(1);
        let mut changes = watched.stream();
        assert_eq!(changes.next().now_or_never(), Some(Some(1)));
        assert_eq!(changes.next().now_or_never(), None);
        watched.update(|value| *value = 2);
        watched.update(|value| *value = 3);
        assert_eq!(changes.next().now_or_never(), Some(Some(3)));
        watched.update(|value| *value = 3);
        assert_eq!(changes.next().now_or_never(), None, "the same value is no change");
        watched.update(|value| *value = 4);
        watched.end();
        assert_eq!(changes.collect::<Vec<_>>().now_or_never(), Some(vec![4]));
    }

    #[test]
    fn a_watcher_that_left_is_forgotten() {
        let watched = Watched::new(1);
        let mut changes = watched.stream();
        let _ = changes.next().now_or_never();
        assert!(changes.next().now_or_never().is_none());
        assert_eq!(watched.lock().waiting.len(), 1);
        drop(changes);
        assert!(watched.lock().waiting.is_empty());
    }
}

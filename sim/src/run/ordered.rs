//! Puts what comes as it likes into the order of its numbers.

use std::collections::BTreeMap;

/// Keeps things back until all that come before them have come.
#[derive(Debug)]
pub struct Ordered<T> {
    next: u64,
    waiting: BTreeMap<u64, T>,
}

impl<T> Ordered<T> {
    /// Begins with the thing of that number.
    pub fn from(first: u64) -> Self {
        Ordered { next: first, waiting: BTreeMap::new() }
    }

    /// One has come.
    pub fn put(&mut self, number: u64, thing: T) {
        self.waiting.insert(number, thing);
    }

    /// The next one in order, if it is there.
    pub fn take_next(&mut self) -> Option<T> {
        let thing = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(thing)
    }

    /// What is left when no more will come, in order and with gaps.
    pub fn take_rest(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.waiting).into_values()
    }
}

//! The entries of one row put together.

use super::super::system::flag;
use super::journal::{Entry, Key, Known};
use super::mask::Mask;
use crate::id::RowId;

/// What a fold has to look at for one row.
#[derive(Debug)]
pub(super) struct Work {
    /// Where the row is now; where it was, if it is gone.
    pub(super) key: Key,
    /// The key that its clock is stored under, where that is another one.
    pub(super) stored_at: Option<Key>,
    pub(super) known: Option<Known>,
    /// Which row it is, where its key changed and it is the same under its new one.
    pub(super) goes_on: Option<RowId>,
    /// Whether the row is there now.
    pub(super) live: bool,
    /// When it was last inserted.
    pub(super) inserted: Option<u64>,
    /// When it was last deleted: what was known under the key has ended, whatever is there now.
    pub(super) deleted: Option<u64>,
    /// The columns that were written by updates, and when, in the order of the writes.
    pub(super) written: Vec<(Mask, u64)>,
    /// When the last entry was made.
    pub(super) last: u64,
}

impl Work {
    pub(super) fn new(key: Key, live: bool, known: Option<Known>) -> Self {
        Work {
            key,
            stored_at: None,
            known,
            goes_on: None,
            live,
            inserted: None,
            deleted: None,
            written: Vec::new(),
            last: 0,
        }
    }

    /// Whether this is what became of the row that was known under a key.
    pub(super) fn was_at(&self, key: &Key) -> bool {
        self.known.is_some() && self.stored_at.as_ref().unwrap_or(&self.key) == key
    }

    /// Takes one more entry in.
    pub(super) fn take(&mut self, flags: i64, mask: Mask, ms: u64) {
        self.last = ms;
        if flags & flag::DELETE != 0 {
            self.deleted = Some(ms);
        }
        if flags & flag::INSERT != 0 {
            self.inserted = Some(ms);
        }
        if flags & flag::UPDATE != 0 && !mask.is_empty() {
            self.written.push((mask, ms));
        }
    }
}

/// Puts entries together, in key order. None of them changes a key.
pub(super) fn by_key(mut entries: Vec<Entry>) -> Vec<Work> {
    // Stable, so the entries of a row stay in order; nothing to do for a run of inserts.
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    let mut works: Vec<Work> = Vec::with_capacity(entries.len());
    for entry in entries {
        match works.last_mut() {
            Some(work) if work.key == entry.key => work.take(entry.flags, entry.mask, entry.ms),
            _ => {
                let mut work = Work::new(entry.key, entry.live, entry.known);
                work.take(entry.flags, entry.mask, entry.ms);
                works.push(work);
            }
        }
    }
    works
}

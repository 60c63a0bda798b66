//! Declared keys that changed, of rows whose key refers to others: where what it means is the same as
//! before, as when a parent only has another integer, the row goes on.

use std::collections::{BTreeMap, BTreeSet};

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::refs;
use super::super::system::flag;
use super::journal::{Entry, Form, Key};
use super::work::Work;
use crate::id::RowId;
use crate::store::StoreError;

/// The rows that were known before this fold and have left their key: each with the last key that it
/// had, and what was written to it on the way. Entries are those of a whole table.
pub(super) fn follow(entries: &[Entry]) -> Vec<Work> {
    if !entries.iter().any(is_new_key) {
        return Vec::new();
    }
    let mut trail = Trail::default();
    for entry in entries {
        trail.present.entry(&entry.key).or_insert(entry);
    }
    let mut in_order: Vec<&Entry> = entries.iter().collect();
    in_order.sort_unstable_by_key(|entry| entry.n);
    let mut rest = in_order.into_iter().peekable();
    while let Some(entry) = rest.next() {
        let is_left = entry.flags == flag::DELETE;
        match rest.next_if(|next| is_left && is_new_key(next) && next.n == entry.n + 1) {
            Some(next) => trail.moves(entry, next),
            None => trail.happens(entry),
        }
    }
    trail.end()
}

/// Whether an entry is the second one of a changed key. It says what else the statement wrote; an
/// INSERT of the application's says nothing of columns.
fn is_new_key(entry: &Entry) -> bool {
    entry.flags == flag::INSERT && !entry.mask.is_empty()
}

/// Where rows are at one point of the journal.
#[derive(Default)]
struct Trail<'e> {
    rows: Vec<Work>,
    /// Which of `rows` is under a key; none: it has been left.
    under: BTreeMap<&'e Key, Option<usize>>,
    /// Those of `rows` that have left their key.
    moved: BTreeSet<usize>,
    /// An entry of each key, for what was known and what is there now.
    present: BTreeMap<&'e Key, &'e Entry>,
}

impl<'e> Trail<'e> {
    /// The row under a key, met for the first time or before.
    fn at(&mut self, key: &'e Key) -> Option<usize> {
        let (rows, present) = (&mut self.rows, &self.present);
        *self.under.entry(key).or_insert_with(|| {
            let known = present.get(key)?.known.clone()?;
            let mut row = Work::new(key.clone(), false, Some(known));
            row.stored_at = Some(key.clone());
            rows.push(row);
            Some(rows.len() - 1)
        })
    }

    fn new_row(&mut self, key: &Key) -> usize {
        self.rows.push(Work::new(key.clone(), false, None));
        self.rows.len() - 1
    }

    fn moves(&mut self, from: &'e Entry, to: &'e Entry) {
        let (moved, replaced) = (self.at(&from.key), self.at(&to.key));
        self.under.insert(&from.key, None);
        let index = moved.unwrap_or_else(|| self.new_row(&to.key));
        if let Some(replaced) = replaced.filter(|&replaced| replaced != index) {
            // A conflict clause removed it; or there was none, and a trigger wrote to this row under
            // its new key, which is in the journal before the move itself.
            let (written, inserted) = (self.rows[replaced].written.clone(), self.rows[replaced].inserted);
            self.rows[index].written.extend(written);
            self.rows[index].inserted = self.rows[index].inserted.max(inserted);
        }
        self.under.insert(&to.key, Some(index));
        self.moved.insert(index);
        self.rows[index].key = to.key.clone();
        self.rows[index].take(flag::UPDATE, to.mask.clone(), to.ms);
    }

    fn happens(&mut self, entry: &'e Entry) {
        let there = self.at(&entry.key);
        if entry.flags & (flag::DELETE | flag::TOUCH) != 0 {
            if let Some(index) = there {
                self.rows[index].take(entry.flags, entry.mask.clone(), entry.ms);
            }
            if entry.flags & flag::DELETE != 0 {
                self.under.insert(&entry.key, None);
            }
            return;
        }
        let index = there.unwrap_or_else(|| self.new_row(&entry.key));
        self.under.insert(&entry.key, Some(index));
        self.rows[index].take(entry.flags, entry.mask.clone(), entry.ms);
    }

    /// What is there in the end decides, not the order in which nested triggers wrote it down.
    fn end(mut self) -> Vec<Work> {
        for (key, index) in &self.under {
            if let (Some(index), Some(entry)) = (index, self.present.get(key)) {
                self.rows[*index].live = entry.live;
            }
        }
        let moved = self.moved;
        let rows = self.rows.into_iter().enumerate().filter(|(index, _)| moved.contains(index));
        rows.map(|(_, row)| row).filter(|row| row.known.is_some()).collect()
    }
}

/// Has those of the `followed` rows go on that are the same row under their new key. What `works` say
/// by key is of other rows then; of those that are another row now, it stays as it is.
pub(super) fn go_on(
    engine: &Engine,
    table: &Table,
    followed: Vec<Work>,
    old_ids: &BTreeMap<Key, RowId>,
    works: &mut Vec<Work>,
) -> Result<(), StoreError> {
    let mut going = Vec::new();
    for mut row in followed {
        let Some((stored, id)) = row.stored_at.as_ref().and_then(|key| Some((key, old_ids.get(key)?))) else {
            continue;
        };
        if !refs::stands_for(engine, table.no, &row.key.local(Form::Natural), id)? {
            continue;
        }
        let Some(work) = by_key(works, stored) else { continue };
        if !row.live {
            // It ended when it was deleted, and not when it got the key that it had then.
            work.deleted = Some(row.deleted.unwrap_or(row.last));
            continue;
        }
        work.known = None;
        row.goes_on = Some(id.clone());
        // The key is what it was, whatever it shows.
        for (mask, _) in &mut row.written {
            table.key.iter().for_each(|&at| mask.remove(table.columns[at].no));
        }
        going.push(row);
    }
    for row in &going {
        if let Some(work) = by_key(works, &row.key) {
            // Who was there before has gone.
            work.live = false;
        }
        if let Some(id) = &row.goes_on {
            refs::forget_alias(engine, table.no, id)?;
        }
    }
    works.retain(|work| work.live || work.known.is_some());
    for mut row in going {
        row.stored_at = row.stored_at.filter(|stored| *stored != row.key);
        works.push(row);
    }
    works.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(())
}

/// What the journal says of a key.
fn by_key<'w>(works: &'w mut [Work], key: &Key) -> Option<&'w mut Work> {
    let at = works.binary_search_by(|work| work.key.cmp(key)).ok()?;
    works.get_mut(at)
}

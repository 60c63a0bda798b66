//! Integer keys that changed: the identity goes with the row, through chains and swaps.

use std::collections::BTreeMap;

use super::super::system::flag;
use super::journal::{Entry, Key, Known};
use super::work::Work;

/// What is there under a key that entries speak of.
#[derive(Clone, Debug, Default)]
pub(super) struct Present {
    pub(super) live: bool,
    pub(super) known: Option<Known>,
}

/// Puts the entries of a table together by following them in their order. `present` tells what is
/// now under every key that they name, old keys included.
pub(super) fn follow(entries: Vec<Entry>, present: &BTreeMap<i64, Present>) -> Vec<Work> {
    let mut rows: Vec<Work> = Vec::new();
    // Which of `rows` is under a key at this point of the journal; none: it has been left.
    let mut under: BTreeMap<i64, Option<usize>> = BTreeMap::new();
    for entry in entries {
        let Key::Integer(key) = entry.key else { continue };
        if let Some(from) = entry.from.filter(|&from| from != key) {
            let moved = occupant(&mut rows, &mut under, present, from);
            let replaced = occupant(&mut rows, &mut under, present, key);
            under.insert(from, None);
            let mut written = Vec::new();
            if let Some(index) = replaced {
                // Moved onto a row that a conflict clause removed, or one that there never was: a
                // trigger or a foreign-key action wrote to the moved row under its new key, and
                // that is in the journal before the move itself.
                rows[index].deleted = Some(entry.ms);
                rows[index].live = false;
                written.clone_from(&rows[index].written);
            }
            let index = moved.unwrap_or_else(|| {
                rows.push(Work::new(Key::Integer(key), false, None));
                rows.len() - 1
            });
            rows[index].written.append(&mut written);
            rows[index].key = Key::Integer(key);
            under.insert(key, Some(index));
            rows[index].take(entry.flags, entry.mask, entry.ms);
            continue;
        }
        let there = occupant(&mut rows, &mut under, present, key);
        if entry.flags & flag::DELETE != 0 {
            if let Some(index) = there {
                rows[index].take(entry.flags, entry.mask, entry.ms);
            }
            under.insert(key, None);
            continue;
        }
        let index = there.unwrap_or_else(|| {
            rows.push(Work::new(Key::Integer(key), false, None));
            rows.len() - 1
        });
        under.insert(key, Some(index));
        rows[index].take(entry.flags, entry.mask, entry.ms);
    }
    finish(rows, &under, present)
}

/// The row under a key, met for the first time or before.
fn occupant(
    rows: &mut Vec<Work>,
    under: &mut BTreeMap<i64, Option<usize>>,
    present: &BTreeMap<i64, Present>,
    key: i64,
) -> Option<usize> {
    *under.entry(key).or_insert_with(|| {
        let known = present.get(&key).and_then(|present| present.known.clone())?;
        let mut work = Work::new(Key::Integer(key), false, Some(known));
        work.stored_at = Some(Key::Integer(key));
        rows.push(work);
        Some(rows.len() - 1)
    })
}

/// What is there in the end decides, not the order in which nested triggers wrote it down.
fn finish(
    mut rows: Vec<Work>,
    under: &BTreeMap<i64, Option<usize>>,
    present: &BTreeMap<i64, Present>,
) -> Vec<Work> {
    let last = rows.iter().map(|work| work.last).max().unwrap_or_default();
    for (&key, occupant) in under {
        let live = present.get(&key).is_some_and(|present| present.live);
        match occupant {
            Some(index) => rows[*index].live = live,
            None if live => {
                let mut work = Work::new(Key::Integer(key), true, None);
                work.inserted = Some(last);
                work.last = last;
                rows.push(work);
            }
            None => {}
        }
    }
    for work in &mut rows {
        // A row that is gone is known by where its clock is.
        if let (false, Some(stored)) = (work.live, &work.stored_at) {
            work.key = stored.clone();
        }
        if work.stored_at.as_ref() == Some(&work.key) {
            work.stored_at = None;
        }
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

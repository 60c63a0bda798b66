//! Integers that a conflict clause freed, and that were given to another row before the fold.

use std::collections::{BTreeMap, BTreeSet};

use super::super::system::flag;
use super::journal::{Entry, Key};

/// Makes a deletion of each entry that says "look whether it is still there" about a row that was
/// not, though another has its integer by now.
///
/// A row whose unique key another one claims is noted before the claim is settled. Where an entry
/// of another row follows, the statement went through; and an insert under the noted integer after
/// that is of a row that found it free. Where the insert follows at once, it is the statement's own:
/// it replaced the row under its own integer, and that is the same row. Entries are those of a whole
/// table, in their order.
pub(super) fn mark(entries: &mut [Entry]) {
    // Notes of the statement under way, and of those that went through.
    let mut noted: BTreeMap<i64, usize> = BTreeMap::new();
    let mut claimed: BTreeMap<i64, usize> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let Key::Integer(key) = entry.key else { continue };
        if entry.flags == flag::TOUCH {
            noted.insert(key, index);
            continue;
        }
        noted.remove(&key);
        claimed.append(&mut noted);
        // Whatever else happens under the integer, happens to the row that was noted.
        if let Some(note) = claimed.remove(&key).filter(|_| entry.flags & flag::INSERT != 0) {
            gone.insert(note);
        }
        if let Some(from) = entry.from {
            claimed.remove(&from);
        }
    }
    for index in gone {
        entries[index].flags = flag::DELETE;
    }
}

//! Who wrote what, over what, and who has heard of it: kept from what applications saw before and
//! after their own transactions, and from who talked with whom. The engine is not asked.
//!
//! Two people of one name (or tags, but for case) are one to an application that has heard of both: it sees the older, what
//! belongs to the other is shown as hers, and what it does to her it does to both.

use std::collections::{BTreeMap, BTreeSet};

use super::tables::{Name, Shown};

/// A note of a row.
type Note = (Name, String);

/// What one transaction did to one row.
#[derive(Clone, Debug)]
struct Deed {
    row: Name,
    died: bool,
    wrote: Option<String>,
    /// What it put aside, seeing it.
    over: BTreeSet<Note>,
    /// The rows that went with it, as they were one with it there.
    along: BTreeSet<Name>,
}

/// What a file holds, or has held and put aside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    sure: BTreeSet<usize>,
    /// Of these a link that was lost may have brought some.
    maybe: BTreeSet<usize>,
}

impl Heard {
    /// Both have told each other everything.
    pub(crate) fn exchange(&mut self, other: &mut Heard) {
        self.sure.extend(&other.sure);
        self.maybe.extend(&other.maybe);
        *other = self.clone();
    }

    /// They have begun to.
    pub(crate) fn exchange_some(&mut self, other: &mut Heard) {
        let theirs: BTreeSet<usize> = other.sure.union(&other.maybe).copied().collect();
        other.maybe.extend(self.sure.union(&self.maybe));
        self.maybe.extend(theirs);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    deeds: Vec<Deed>,
    parents: BTreeMap<Name, BTreeSet<Name>>,
    /// The unique keys that rows ever had.
    keys: BTreeMap<Name, BTreeSet<String>>,
}

impl Ledger {
    /// A transaction of somebody's application.
    pub(crate) fn write(&mut self, heard: &mut Heard, before: &Shown, after: &Shown) {
        let names: BTreeSet<&Name> = before.keys().chain(after.keys()).collect();
        for name in names {
            let note = |shown: &Shown| shown.get(name).and_then(|rows| rows[0].note.clone());
            let was = note(before);
            let is = note(after);
            let born = !before.contains_key(name);
            let died = !after.contains_key(name);
            if !born && !died && was == is {
                continue;
            }
            let over = was.into_iter().map(|was| (name.clone(), was)).collect();
            let along = if died { self.behind(heard, name, before) } else { BTreeSet::new() };
            heard.sure.insert(self.deeds.len());
            self.deeds.push(Deed { row: name.clone(), died, wrote: is, over, along });
        }
        for (name, rows) in after {
            let Some(key) = rows[0].key.clone().filter(|_| before.contains_key(name)) else { continue };
            if before[name][0].key.as_ref() != Some(&key) {
                for other in self.behind(heard, name, before) {
                    self.keys.entry(other).or_default().insert(key.clone());
                }
            }
        }
        self.see(after);
    }

    /// The rows that an application has heard of and that are hidden as they are one with this row.
    fn behind(&self, heard: &Heard, row: &Name, shown: &Shown) -> BTreeSet<Name> {
        let known = heard.sure.union(&heard.maybe).map(|at| &self.deeds[*at].row);
        known.filter(|other| !shown.contains_key(*other) && self.alike(row, other)).cloned().collect()
    }

    /// Whether one of two rows may be shown as the other: both had one unique key, or belong to people
    /// who had.
    fn alike(&self, one: &Name, other: &Name) -> bool {
        if let (Some(one), Some(other)) = (one.strip_prefix("member "), other.strip_prefix("member ")) {
            let (Some(one), Some(other)) = (one.split_once('>'), other.split_once('>')) else { return false };
            let person = |mark: &str| format!("person {mark}>");
            return one.1 == other.1 && one.0 != other.0 && self.alike(&person(one.0), &person(other.0));
        }
        let keys = self.keys.get(one).zip(self.keys.get(other));
        one != other && keys.is_some_and(|(one, other)| !one.is_disjoint(other))
    }

    /// Remembers which rows would take which with them.
    pub(crate) fn see(&mut self, shown: &Shown) {
        for (name, rows) in shown {
            let parents = rows.iter().flat_map(|row| row.parents.clone());
            self.parents.entry(name.clone()).or_default().extend(parents);
            let keys = rows.iter().filter_map(|row| row.key.clone());
            self.keys.entry(name.clone()).or_default().extend(keys);
        }
    }

    /// Nothing is shown that somebody put aside, and of whom this one has heard.
    pub(crate) fn nothing_came_back(&self, heard: &Heard, shown: &Shown) {
        for deed in heard.sure.iter().map(|at| &self.deeds[*at]) {
            if deed.died && deed.row.contains("<r") && !deed.row.starts_with("member") {
                assert!(!shown.contains_key(&deed.row), "{} was deleted, and is shown again", deed.row);
            }
            for (row, note) in &deed.over {
                let mut shows = shown.get(row).into_iter().flatten();
                let again = shows.any(|row| row.note.as_ref() == Some(note));
                assert!(
                    !again || self.writes(row, note) > 1,
                    "{note} of {row} was put aside by {deed:?}, and is shown again"
                );
            }
        }
    }

    /// A key that is renamed and back takes its note with it.
    fn writes(&self, row: &Name, note: &String) -> usize {
        self.deeds.iter().filter(|deed| deed.row == *row && deed.wrote.as_ref() == Some(note)).count()
    }

    /// Every row that somebody still holds is shown or parked, unless it was deleted.
    pub(crate) fn nothing_is_lost(&self, held: &[Heard], shown: &Shown, parked: &BTreeSet<String>) {
        let sure: BTreeSet<usize> = held.iter().flat_map(|heard| heard.sure.clone()).collect();
        let possible: BTreeSet<usize> =
            sure.iter().copied().chain(held.iter().flat_map(|heard| heard.maybe.clone())).collect();
        let done = || possible.iter().map(|at| &self.deeds[*at]);
        let died = done().filter(|deed| deed.died);
        let dead: BTreeSet<&Name> =
            died.flat_map(|deed| std::iter::once(&deed.row).chain(&deed.along)).collect();
        for deed in sure.iter().map(|at| &self.deeds[*at]).filter(|deed| !deed.died) {
            if let Some(rows) = shown.get(&deed.row) {
                // Another's note may have won over this one, but there is one.
                assert!(
                    rows.iter().all(|row| row.note.is_some()),
                    "{} has no note, after {deed:?}",
                    deed.row
                );
                self.somebody_wrote(&possible, &deed.row, shown);
            } else if !self.is_gone(&deed.row, &dead) {
                let notes = self
                    .deeds
                    .iter()
                    .filter(|other| other.row == deed.row)
                    .filter_map(|other| other.wrote.clone());
                let mark = deed.row.split_once(' ').map(|(_, mark)| mark.to_owned());
                let waits = notes.chain(mark).any(|text| parked.contains(&text))
                    || self.is_member_of_another(&deed.row, &dead, shown);
                assert!(waits, "{} is neither shown nor parked, and nobody deleted it: {deed:?}", deed.row);
            }
        }
    }

    /// Whether a member belongs to somebody who is shown as another person, under whose name it is
    /// shown then, or was deleted.
    fn is_member_of_another(&self, row: &Name, dead: &BTreeSet<&Name>, shown: &Shown) -> bool {
        let is_other = |other: &Name| row.starts_with("member ") && self.alike(row, other);
        let notes: BTreeSet<&String> = self
            .deeds
            .iter()
            .filter(|deed| deed.row == *row || is_other(&deed.row))
            .filter_map(|deed| deed.wrote.as_ref())
            .collect();
        let mut others = shown.iter().filter(|(other, _)| is_other(other)).flat_map(|(_, rows)| rows);
        dead.iter().any(|other| is_other(other))
            || others.any(|row| row.note.as_ref().is_some_and(|note| notes.contains(note)))
    }

    fn somebody_wrote(&self, possible: &BTreeSet<usize>, row: &Name, shown: &Shown) {
        let is_its = |of: &Name| of == row || row.starts_with("member ") && self.alike(row, of);
        for note in shown[row].iter().filter_map(|row| row.note.as_ref()) {
            let wrote =
                |at: &usize| self.deeds[*at].wrote.as_ref() == Some(note) && is_its(&self.deeds[*at].row);
            assert!(possible.iter().any(wrote), "nobody wrote {note} of {row}");
        }
    }

    /// Whether it was deleted, or what it refers to was.
    fn is_gone(&self, row: &Name, dead: &BTreeSet<&Name>) -> bool {
        dead.contains(row)
            || self.parents.get(row).is_some_and(|parents| parents.iter().any(|parent| dead.contains(parent)))
    }
}

//! Who wrote what, over what, and who has heard of it: kept from what applications saw before and
//! after their own transactions, and from who talked with whom. The engine is not asked.

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
            heard.sure.insert(self.deeds.len());
            self.deeds.push(Deed { row: name.clone(), died, wrote: is, over });
        }
        self.see(after);
    }

    /// Remembers which rows would take which with them.
    pub(crate) fn see(&mut self, shown: &Shown) {
        for (name, rows) in shown {
            let parents = rows.iter().flat_map(|row| row.parents.clone());
            self.parents.entry(name.clone()).or_default().extend(parents);
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
        let dead: BTreeSet<&Name> = done().filter(|deed| deed.died).map(|deed| &deed.row).collect();
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
                let waits = notes.chain(mark).any(|text| parked.contains(&text));
                assert!(waits, "{} is neither shown nor parked, and nobody deleted it: {deed:?}", deed.row);
            }
        }
    }

    fn somebody_wrote(&self, possible: &BTreeSet<usize>, row: &Name, shown: &Shown) {
        for note in shown[row].iter().filter_map(|row| row.note.as_ref()) {
            let wrote =
                |at: &usize| self.deeds[*at].row == *row && self.deeds[*at].wrote.as_ref() == Some(note);
            assert!(possible.iter().any(wrote), "nobody wrote {note} of {row}");
        }
    }

    /// Whether it was deleted, or what it refers to was.
    fn is_gone(&self, row: &Name, dead: &BTreeSet<&Name>) -> bool {
        dead.contains(row)
            || self.parents.get(row).is_some_and(|parents| parents.iter().any(|parent| dead.contains(parent)))
    }
}

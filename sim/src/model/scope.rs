//! Rows and commits of one logical database.

use std::collections::{BTreeMap, BTreeSet};

use pocketsync_core::value::Value;

use super::template::NOBODY;
use super::{Change, Death, Mark, NodeNo, Row, Rules};
use crate::history::{Commit, Did, RowView, is_absent};
use crate::shape::{Role, RowTag, Shape};
use crate::story::{DeviceNo, Ms, TxId};

/// The number of a row in its scope.
pub type RowNo = u32;

/// The number of a commit in its scope, in the order of true time.
pub type CommitNo = u32;

/// When the story's time began, in milliseconds since 1970.
pub(super) const EPOCH_MS: u64 = 1_767_225_600_000;

/// A transaction that was committed.
#[derive(Clone, Debug)]
pub struct Commitment {
    /// Its name.
    pub tx: TxId,
    /// Where.
    pub device: DeviceNo,
    /// In which life of the device's file: it begins a new one whenever it is restored.
    pub life: u32,
    /// How many the device had committed before.
    pub place: usize,
    /// When, in true time.
    pub at: Ms,
    /// What it did.
    pub wrote: Box<[(RowNo, Wrote)]>,
}

impl Commitment {
    /// Which, whose and when, in words.
    pub fn told(&self) -> String {
        match self.device {
            NOBODY => "the schema".to_owned(),
            device => format!("{} of {device} at {} ms", self.tx, self.at),
        }
    }

    /// Whether both were committed to one file, between the same two times that it was restored.
    pub fn same_file(&self, other: &Commitment) -> bool {
        (self.device, self.life) == (other.device, other.life)
    }
}

/// What a transaction did to a row.
#[derive(Clone, Debug)]
pub enum Wrote {
    /// Inserted it.
    Row,
    /// Wrote these cells, as far as they say whose they are.
    Cells(Box<[(usize, NodeNo)]>),
    /// Deleted it.
    Death,
}

/// Rows and commits of one logical database.
#[derive(Default)]
pub struct Scope {
    names: BTreeMap<RowTag, RowNo>,
    rows: Vec<Row>,
    commits: Vec<Commitment>,
    /// What was ever written into a column whose values do not say whose they are.
    pooled: BTreeMap<(usize, usize), BTreeSet<Value>>,
    /// Unique values that a row gave up: rows that had stood behind it may have gone with it.
    released: BTreeSet<(usize, usize, Value)>,
    /// By table and column, unique values that were changed into others: rows that stood behind went
    /// along.
    renamed: BTreeMap<(usize, usize), BTreeSet<(Value, Value)>>,
    /// Cells into which somebody wrote what they show unwritten.
    defaulted: BTreeSet<(RowNo, usize)>,
    /// What was written into columns that merge.
    changes: BTreeMap<(RowNo, usize), Vec<Change>>,
    clock_error_ms: u64,
}

impl Scope {
    /// The row of that name, once somebody has inserted it.
    pub fn find(&self, tag: &RowTag) -> Option<RowNo> {
        self.names.get(tag).copied()
    }

    /// A row by its number.
    pub fn row(&self, row: RowNo) -> &Row {
        &self.rows[row as usize]
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = (RowNo, &Row)> {
        self.rows.iter().enumerate().map(|(number, row)| (number as RowNo, row))
    }

    /// A commit by its number.
    pub fn commitment(&self, commit: CommitNo) -> &Commitment {
        &self.commits[commit as usize]
    }

    /// All commits, in the order of true time.
    pub fn commits(&self) -> impl DoubleEndedIterator<Item = (CommitNo, &Commitment)> {
        self.commits.iter().enumerate().map(|(number, commit)| (number as CommitNo, commit))
    }

    /// Whether somebody wrote into a cell what it shows where nobody wrote.
    pub fn is_defaulted(&self, row: &Row, column: usize) -> bool {
        self.find(&row.tag).is_some_and(|number| self.defaulted.contains(&(number, column)))
    }

    /// What was written into a column that merges, in the order of true time.
    pub fn changes(&self, row: RowNo, column: usize) -> &[Change] {
        self.changes.get(&(row, column)).map_or(&[], Vec::as_slice)
    }

    /// How wrong the worst clock was at any commit.
    pub fn clock_error_ms(&self) -> u64 {
        self.clock_error_ms
    }

    /// Whether anyone ever wrote that value into that column of any row.
    pub fn pooled(&self, table: usize, column: usize, value: &Value) -> bool {
        self.pooled.get(&(table, column)).is_some_and(|values| values.contains(value))
    }

    /// The write that a device shows in a column.
    pub fn shown(&self, shape: &Shape, row: &Row, column: usize, view: &RowView) -> Option<NodeNo> {
        let role = &shape.tables[row.tag.table].columns[column].role;
        row.cells[column].find(&Mark::of(role, view.cells.get(column)?))
    }

    /// Whether the schema itself may have taken a row away that nobody deleted: it refers to a row
    /// that somebody deleted or that is gone itself, or it stood behind another row with the same
    /// unique value and went with it.
    pub fn may_be_gone(
        &self,
        shape: &Shape,
        rules: &Rules,
        row: &Row,
        is_visible: &impl Fn(&RowTag) -> bool,
    ) -> bool {
        self.is_taken_along(shape, rules, row, None, is_visible)
    }

    /// The same, whatever became of one of the rows that it refers to.
    pub fn may_be_gone_but_for(
        &self,
        shape: &Shape,
        rules: &Rules,
        row: &Row,
        but_for: &RowTag,
        is_visible: &impl Fn(&RowTag) -> bool,
    ) -> bool {
        self.is_taken_along(shape, rules, row, Some(but_for), is_visible)
    }

    fn is_taken_along(
        &self,
        shape: &Shape,
        rules: &Rules,
        row: &Row,
        but_for: Option<&RowTag>,
        is_visible: &impl Fn(&RowTag) -> bool,
    ) -> bool {
        let table = row.tag.table;
        let values = |column: usize| {
            row.cells[column].nodes().iter().filter_map(|node| match &node.mark {
                Mark::Plain(Value::Null) | Mark::Stamp(..) => None,
                Mark::Plain(value) => Some(value),
            })
        };
        let orphaned = |&column: &usize| {
            let Role::Reference { table, .. } = shape.tables[table].columns[column].role else {
                return false;
            };
            let besides = |value: &&Value| {
                but_for.is_none_or(|tag| tag.table != table || **value != Value::text(&tag.name))
            };
            values(column).filter(besides).any(|value| self.is_gone(table, value, is_visible))
        };
        let released = |&column: &usize| {
            values(column).any(|value| self.released.contains(&(table, column, folded(value))))
        };
        rules.references(table).iter().any(orphaned) || rules.unique(table).iter().any(released)
    }

    /// What a row may ever have had in a unique column: what was written to it, and what that was
    /// changed into where another row was shown in its place.
    pub(super) fn unique_values(&self, row: &Row, column: usize) -> BTreeSet<Value> {
        let plain = row.cells[column].nodes().iter().filter_map(|node| match &node.mark {
            Mark::Stamp(..) => None,
            Mark::Plain(value) => Some(folded(value)),
        });
        let mut values: BTreeSet<Value> = plain.filter(|value| *value != Value::Null).collect();
        let mut ahead: Vec<Value> = values.iter().cloned().collect();
        let renamed = self.renamed.get(&(row.tag.table, column));
        while let Some(value) = ahead.pop() {
            for (_, after) in renamed.into_iter().flatten().filter(|(before, _)| *before == value) {
                if *after != Value::Null && values.insert(after.clone()) {
                    ahead.push(after.clone());
                }
            }
        }
        values
    }

    fn is_gone(&self, table: usize, value: &Value, is_visible: &impl Fn(&RowTag) -> bool) -> bool {
        let Value::Text(name) = value else { return true };
        let Ok(name) = std::str::from_utf8(name) else { return true };
        let found = self.find(&RowTag { table, name: name.to_owned() });
        found.is_none_or(|row| {
            let row = self.row(row);
            !row.deaths.is_empty() || !is_visible(&row.tag)
        })
    }

    pub(super) fn commit(
        &mut self,
        shape: &Shape,
        rules: &Rules,
        at: Ms,
        life: u32,
        place: usize,
        commit: &Commit,
    ) {
        self.clock_error_ms = self.clock_error_ms.max(commit.wall_ms.abs_diff(EPOCH_MS + at));
        let number = self.commits.len() as CommitNo;
        let (tx, device) = (commit.tx, commit.device);
        self.commits.push(Commitment { tx, device, life, place, at, wrote: Box::default() });
        let mut wrote = Vec::with_capacity(commit.effects.len());
        for effect in &commit.effects {
            let row = self.named(&effect.row, shape);
            wrote.push((row, self.effect(shape, rules, number, row, &effect.did)));
        }
        self.commits[number as usize].wrote = wrote.into_boxed_slice();
    }

    fn named(&mut self, tag: &RowTag, shape: &Shape) -> RowNo {
        if let Some(row) = self.find(tag) {
            return row;
        }
        let row = self.rows.len() as RowNo;
        self.rows.push(Row::new(tag.clone(), shape.tables[tag.table].columns.len()));
        self.names.insert(tag.clone(), row);
        row
    }

    fn effect(&mut self, shape: &Shape, rules: &Rules, commit: CommitNo, row: RowNo, did: &Did) -> Wrote {
        let table = self.row(row).tag.table;
        match did {
            Did::Inserted { cells } => {
                for (column, value) in cells.iter().enumerate() {
                    self.write(shape, commit, row, column, value, None);
                }
                self.rows[row as usize].inserts.push(commit);
                Wrote::Row
            }
            Did::Updated { cells } => {
                let mut written = Vec::with_capacity(cells.len());
                for cell in cells {
                    self.release(rules, table, cell.column, &cell.before);
                    if rules.unique(table).contains(&cell.column) {
                        let renamed = self.renamed.entry((table, cell.column)).or_default();
                        renamed.insert((folded(&cell.before), folded(&cell.after)));
                    }
                    let node = self.write(shape, commit, row, cell.column, &cell.after, Some(&cell.before));
                    written.extend(node.map(|node| (cell.column, node)));
                }
                self.rows[row as usize].updates.push(commit);
                Wrote::Cells(written.into_boxed_slice())
            }
            Did::Deleted { cells } => {
                for (column, value) in cells.iter().enumerate() {
                    self.release(rules, table, column, value);
                }
                let row = &mut self.rows[row as usize];
                row.deaths.push(Death { commit, after_inserts: row.inserts.len() });
                Wrote::Death
            }
        }
    }

    fn write(
        &mut self,
        shape: &Shape,
        commit: CommitNo,
        row: RowNo,
        column: usize,
        value: &Value,
        before: Option<&Value>,
    ) -> Option<NodeNo> {
        let number = row;
        let row = &mut self.rows[row as usize];
        let table = row.tag.table;
        let role = &shape.tables[table].columns[column].role;
        if matches!(role, Role::RowKey | Role::Tag) || is_absent(value) {
            return None;
        }
        // What was not sent when a device dropped the column is lost by right.
        if shape.is_dropped(table, column) {
            return None;
        }
        // It shows what is shown where nobody wrote: whoever sees it has not seen this.
        if shape.default_of(table, column) == Some(value) {
            self.defaulted.insert((number, column));
            return None;
        }
        if let Role::Merges { .. } = role {
            let change = Change { commit, before: before.cloned(), after: value.clone() };
            self.changes.entry((number, column)).or_default().push(change);
            return None;
        }
        if !matches!(role, Role::Free(_)) {
            self.pooled.entry((table, column)).or_default().insert(value.clone());
        }
        let before = before.map(|before| Mark::of(role, before));
        let commits = &self.commits;
        let own =
            |other: CommitNo| other != commit && commits[other as usize].same_file(&commits[commit as usize]);
        let node = row.cells[column].write(Mark::of(role, value), commit, before.as_ref(), own);
        matches!(role, Role::Free(_)).then_some(node)
    }

    fn release(&mut self, rules: &Rules, table: usize, column: usize, value: &Value) {
        if *value != Value::Null && !is_absent(value) && rules.unique(table).contains(&column) {
            self.released.insert((table, column, folded(value)));
        }
    }
}

/// The same for texts that some collation takes for the same.
pub(super) fn folded(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.trim_ascii_end().to_ascii_lowercase()),
        other => other.clone(),
    }
}

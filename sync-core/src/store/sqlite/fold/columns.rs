//! Versions given to the columns of one row.

use std::collections::BTreeSet;

use super::super::catalog::Table;
use super::super::merging::SHARES_FROM;
use super::super::row_clock::{ColumnClock, RowClock};
use super::journal::Form;
use crate::clock::Version;

/// Which columns of a table are cells here, and which are not.
#[derive(Debug)]
pub(super) struct Cells {
    /// The numbers of the local columns whose values are cells: all, but a natural key.
    pub(super) local: Vec<u32>,
    /// The numbers of columns that the table does not have here.
    unknown: Vec<u32>,
    /// One more than the largest number.
    count: u32,
    /// The column of an integer key.
    pub(super) integer_key: Option<u32>,
    /// The columns that are written together.
    registers: Vec<Vec<u32>>,
    /// The columns that merge, whose versions are not given here.
    merged: BTreeSet<u32>,
}

impl Cells {
    pub(super) fn of(table: &Table, form: Form) -> Self {
        // A key is no cell where it is the identity.
        let is_cell = |position: &usize| form != Form::Natural || !table.key.contains(position);
        let mut unknown: Vec<u32> = table
            .numbers
            .values()
            .copied()
            .filter(|&no| no < SHARES_FROM && table.position(no).is_none())
            .collect();
        unknown.sort_unstable();
        Cells {
            local: (0..table.columns.len()).filter(is_cell).map(|at| table.columns[at].no).collect(),
            unknown,
            count: table.column_count(),
            integer_key: table.integer_key().map(|at| table.columns[at].no),
            registers: table.registers.clone(),
            merged: table.merges.keys().copied().collect(),
        }
    }

    /// Whether an update of these columns is a write of a column: of one of them, or of one that
    /// changes with them.
    pub(super) fn is_written(&self, written: &impl Fn(u32) -> bool, column: u32) -> bool {
        let mut registers = self.registers.iter().filter(|register| register.contains(&column));
        written(column) || registers.any(|register| register.iter().any(|&other| written(other)))
    }

    /// The clock of a row born now, with all its columns. What the table does not have here was
    /// not written by whoever inserted the row.
    pub(super) fn born(&self, version: Version, seq: u64) -> RowClock {
        let mut clock = RowClock::inserted(version, seq, self.count);
        clock.exceptions = self
            .unknown
            .iter()
            .map(|&column| ColumnClock { column, version: Version::GENESIS, seq: 0 })
            .collect();
        clock
    }

    /// All local columns were written at once, under an identity that stays.
    pub(super) fn rewrite(&self, clock: &mut RowClock, version: Version, seq: u64) {
        self.rebase(clock, version, seq, |column| (!self.merged.contains(&column)).then_some((version, seq)));
        clock.hint = None;
    }

    /// Some columns were written. A column that was given a larger version already keeps it.
    pub(super) fn write(
        &self,
        clock: &mut RowClock,
        written: impl Fn(u32) -> bool,
        version: Version,
        seq: u64,
    ) {
        let plain = self.local.iter().filter(|column| !self.merged.contains(column));
        for &column in plain.filter(|&&column| self.is_written(&written, column)) {
            if version > clock.column(column).0 {
                clock.set_column(column, version, seq);
            }
            if Some(column) == self.integer_key {
                clock.hint = None;
            }
        }
        let most = clock.exceptions.iter().filter(|held| (held.version, held.seq) == (version, seq)).count();
        if most * 2 > self.local.len() {
            self.rebase(clock, version, seq, |_| None);
        }
    }

    /// Makes a version the one of all columns that are not said to have another.
    fn rebase(
        &self,
        clock: &mut RowClock,
        version: Version,
        seq: u64,
        local: impl Fn(u32) -> Option<(Version, u64)>,
    ) {
        let of = |column: &u32| local(*column).unwrap_or_else(|| clock.column(*column));
        let shares = clock.exceptions.iter().filter(|held| held.column >= SHARES_FROM);
        let mut exceptions: Vec<ColumnClock> = self
            .local
            .iter()
            .map(|column| (*column, of(column)))
            .chain(self.unknown.iter().map(|column| (*column, clock.column(*column))))
            .chain(shares.map(|held| (held.column, (held.version, held.seq))))
            .filter(|(column, held)| *column >= SHARES_FROM || *held != (version, seq))
            .map(|(column, (version, seq))| ColumnClock { column, version, seq })
            .collect();
        exceptions.sort_by_key(|held| held.column);
        clock.base = version;
        clock.base_seq = seq;
        clock.base_columns = self.count;
        clock.exceptions = exceptions;
    }
}

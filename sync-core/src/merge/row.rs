//! The state of one row, and the join of two.

use std::collections::BTreeMap;

use super::Life;
use crate::clock::Version;
use crate::value::Value;

/// A last-writer-wins register. The order *is* the merge: the larger cell wins.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cell {
    /// When and by whom the value was written.
    pub version: Version,
    /// The value; decides between equal versions.
    pub value: Value,
}

/// Everything the lattice knows of one row. `C` names a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowState<C: Ord> {
    /// Births and deaths.
    pub life: Life,
    /// The cells that were ever written, those of past lives included.
    pub cells: BTreeMap<C, Cell>,
}

/// What a join changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Joined<C> {
    /// Whether births or deaths changed.
    pub life: bool,
    /// The columns whose cell changed, in order.
    pub cells: Vec<C>,
}

impl<C> Joined<C> {
    /// Whether the join changed anything.
    pub fn changed(&self) -> bool {
        self.life || !self.cells.is_empty()
    }
}

impl<C: Ord> Default for RowState<C> {
    fn default() -> Self {
        RowState { life: Life::default(), cells: BTreeMap::new() }
    }
}

impl<C: Ord + Clone> RowState<C> {
    /// Joins one cell. Says whether it won.
    pub fn join_cell(&mut self, column: &C, cell: Cell) -> bool {
        match self.cells.get_mut(column) {
            Some(held) if *held >= cell => false,
            Some(held) => {
                *held = cell;
                true
            }
            None => {
                self.cells.insert(column.clone(), cell);
                true
            }
        }
    }

    /// Joins another state of the same row into this one.
    pub fn join(&mut self, other: RowState<C>) -> Joined<C> {
        let life = self.life.join(&other.life);
        let cells = other
            .cells
            .into_iter()
            .filter_map(|(column, cell)| self.join_cell(&column, cell).then_some(column))
            .collect();
        Joined { life, cells }
    }

    /// The cells to show: none of a dead row, and of a row alive those of its present life.
    /// Columns that are missing here have their declared default.
    pub fn visible(&self) -> Option<impl Iterator<Item = (&C, &Value)>> {
        self.life.is_alive().then(|| {
            self.cells
                .iter()
                .filter(|(_, cell)| self.life.covers(cell.version))
                .map(|(column, cell)| (column, &cell.value))
        })
    }
}

//! How the devices look at some moment.

use std::collections::BTreeMap;

use pocketsync_core::value::Value;

use super::StatusView;
use crate::shape::RowTag;
use crate::story::DeviceNo;

/// Rows by tag.
pub type Rows = BTreeMap<RowTag, RowView>;

/// A row that a device shows.
///
/// Two that are equal [show the same](RowView::shows_same), but not the other way around.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RowView {
    /// Its cells, in the order of the table's columns in the shape. A reference is the tag of the
    /// row that it points at, as text; the row's own integer key is NULL, since it differs between
    /// devices by right. What the device's version of the schema has no column for is [absent](super::absent).
    pub cells: Vec<Value>,
    /// How many rows with this tag there are: more than one is a row twice.
    pub copies: u32,
    /// By column, what the table itself holds in references that are not NULL and that no foreign key
    /// holds in this row, because another column of the key is NULL.
    pub unheld: BTreeMap<usize, Value>,
}

impl RowView {
    /// Whether a cell shows the same in two views of a row.
    ///
    /// A reference that no foreign key holds may point at nothing. It is the plain integer then that the
    /// table holds, the same on every device. Integers are each device's own, so here or there a row may
    /// have it, and nothing that is visible tells such a stranger from what a cell refers to. So cells
    /// are the same too if no foreign key holds either of them and their tables hold the same value.
    pub fn shows_same(&self, other: &RowView, column: usize) -> bool {
        let unheld = self.unheld.get(&column);
        self.cells.get(column) == other.cells.get(column)
            || unheld.is_some() && unheld == other.unheld.get(&column)
    }
}

/// How a device looks.
#[derive(Clone, PartialEq, Debug)]
pub struct DeviceView {
    /// Which.
    pub device: DeviceNo,
    /// Its scope.
    pub scope: u32,
    /// The version of the schema that it is on.
    pub version: usize,
    /// The rows that the application sees.
    pub rows: Rows,
    /// The rows that are parked, each in words that are the same on every device; `None` where the
    /// engine has no such thing.
    pub parked: Option<Vec<String>>,
    /// The merged state, row clocks included, by table and row, each in words that are the same on
    /// every device that has merged the same.
    pub clocks: BTreeMap<String, String>,
    /// How many entries of the journal are not folded; `None` where the engine has no journal.
    pub journal: Option<u64>,
    /// What `integrity_check`, `foreign_key_check` and the schema's own rules complain about;
    /// `None` where the engine has no tables.
    pub complaints: Option<Vec<String>>,
    /// What is wrong with what triggers derive from the tables; `None` where it was not looked at.
    pub derived: Option<Vec<String>>,
    /// Its conflict log, where it was looked at.
    pub conflicts: Option<Vec<ConflictView>>,
    /// Bytes that are kept aside until their group is complete.
    pub staged_bytes: u64,
    /// What its client says.
    pub status: StatusView,
    /// Whether it shows whole transactions only: it has caught up, and is not in the middle of a
    /// group that is too large to be applied at once.
    pub whole: bool,
}

/// How the hub looks, in one scope.
#[derive(Clone, PartialEq, Debug)]
pub struct HubView {
    /// The scope.
    pub scope: u32,
    /// The merged state, in the words of [`DeviceView::clocks`].
    pub clocks: BTreeMap<String, String>,
    /// Its conflict log, where it was looked at.
    pub conflicts: Option<Vec<ConflictView>>,
}

/// An entry of a conflict log.
#[derive(Clone, PartialEq, Debug)]
pub struct ConflictView {
    /// The table.
    pub table: String,
    /// What either side wrote, by column.
    pub values: Vec<(String, Value)>,
}

/// Everyone at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Look {
    /// In which phase of the run.
    pub phase: Phase,
    /// The devices that run, by number.
    pub devices: Vec<DeviceView>,
    /// The hub's scopes; empty while it is down, or where looking costs too much.
    pub hub: Vec<HubView>,
}

/// When a look was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// In the middle of everything.
    During,
    /// In the quiet period: the replicas are on their way to each other.
    Quieting,
    /// At the end of the quiet period: everything must have been exchanged.
    Settled,
}

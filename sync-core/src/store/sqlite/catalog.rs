//! What the user's schema says about the tracked tables.

use std::collections::BTreeMap;

use super::merging::{Merging, SHARES_FROM};
use super::renames::Renames;

/// The tracked tables by number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Catalog {
    /// By table number.
    pub tables: BTreeMap<u32, Table>,
    /// Every table name that has a number, tracked here or not, as others know it.
    pub numbers: BTreeMap<String, u32>,
    /// Other names that mean the same.
    pub renames: Renames,
}

/// How the rows of a table are identified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdentityKind {
    /// By the values of the declared primary key.
    Natural,
    /// By a global id, since the key is an integer that each replica hands out by itself.
    Surrogate,
}

/// A tracked table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// Its number.
    pub no: u32,
    /// Its name here.
    pub name: String,
    /// The name that others know it by.
    pub wire_name: String,
    /// How its rows are identified.
    pub identity: IdentityKind,
    /// Whether it was made WITHOUT ROWID.
    pub without_rowid: bool,
    /// A name that reaches the rowid: `rowid`, `oid` or `_rowid_`, whichever no column has. `None`
    /// WITHOUT ROWID.
    pub rowid: Option<&'static str>,
    /// Whether a part of its natural key can be NULL, in which case such rows are surrogate.
    pub nullable_key: bool,
    /// The synced columns (all but generated ones), by column number ascending.
    pub columns: Vec<Column>,
    /// The names of the generated columns, which are not synced.
    pub generated: Vec<String>,
    /// The primary key, as positions in `columns`, in key order.
    pub key: Vec<usize>,
    /// Declared foreign keys to tracked tables.
    pub foreign_keys: Vec<ForeignKey>,
    /// Declared UNIQUE constraints and indexes beyond the primary key whose parts are plain
    /// columns, of all rows; and the key itself where its collation is not BINARY.
    pub unique_keys: Vec<UniqueKey>,
    /// The key itself, where a part of it is a reference: a row that refers to a row which lost its
    /// own unique key is shown under the key of another row.
    pub identity_key: Option<UniqueKey>,
    /// Whether a part of its natural key refers to a row by another column than the integer key, so
    /// that which row it is cannot be told from the key once the other row has another value or none.
    pub named_key: bool,
    /// Unique indexes over expressions or a part of the rows.
    pub evaluated_keys: Vec<UniqueKey>,
    /// Columns (numbers) that a CHECK or a composite foreign key names together: they change
    /// together, and win together.
    pub registers: Vec<Vec<u32>>,
    /// Column numbers by the names that others know, those of columns that the table does not have
    /// here included.
    pub numbers: BTreeMap<String, u32>,
    /// The columns (numbers) that merge here, or have shares. None in most tables.
    pub merges: BTreeMap<u32, Merging>,
}

/// A synced column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its number: never reused, also the bit in the journal's mask.
    pub no: u32,
    /// Its name.
    pub name: String,
    /// Its declared type, upper case, maybe empty.
    pub declared_type: String,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// The DEFAULT as SQL.
    pub default: Option<String>,
    /// Where it refers to, if it is the only column of a foreign key whose values are, in the end,
    /// those of a surrogate table's column: it travels as that row's global id.
    pub reference: Option<Reference>,
}

/// The surrogate row that a column refers to, directly or through the key of another table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    /// The surrogate table's number.
    pub table: u32,
    /// The column of that table whose value is in the referring column: its integer key, or
    /// another unique column.
    pub column: String,
}

/// A declared foreign key to a tracked table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignKey {
    /// The referring columns, as positions in [`Table::columns`].
    pub columns: Vec<usize>,
    /// The parent table's number.
    pub parent: u32,
    /// The parent's columns, by name, in the same order.
    pub parent_columns: Vec<String>,
    /// What becomes of the child when the parent is deleted.
    pub on_delete: FkAction,
    /// What becomes of the child when the parent's key changes.
    pub on_update: FkAction,
}

/// The declared action of a foreign key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FkAction {
    /// Refused when the transaction ends.
    NoAction,
    /// Refused at once.
    Restrict,
    /// The child's columns become NULL.
    SetNull,
    /// The child's columns take their defaults.
    SetDefault,
    /// The child goes, or follows, with its parent.
    Cascade,
}

impl FkAction {
    /// The action that `PRAGMA foreign_key_list` spells like this.
    pub fn from_sql(sql: &str) -> Self {
        match sql.to_ascii_uppercase().as_str() {
            "RESTRICT" => FkAction::Restrict,
            "SET NULL" => FkAction::SetNull,
            "SET DEFAULT" => FkAction::SetDefault,
            "CASCADE" => FkAction::Cascade,
            _ => FkAction::NoAction,
        }
    }
}

/// A unique claim of plain columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UniqueKey {
    /// The index's name, for messages.
    pub index: String,
    /// The columns, as positions in [`Table::columns`], each with its collation.
    pub columns: Vec<(usize, Collation)>,
    /// What it says besides; `None` of most.
    pub evaluated: Option<Evaluated>,
}

/// What a unique index over expressions, or over a part of the rows, says besides columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evaluated {
    /// The expressions, as SQL, each with its collation.
    pub parts: Vec<(String, Collation)>,
    /// Which rows it is about, as SQL; `None`: all.
    pub condition: Option<String>,
    /// The columns, as positions, that either may name.
    pub mentions: Vec<usize>,
}

impl UniqueKey {
    /// The columns that a row's claim on this key depends on.
    pub fn depends_on(&self) -> impl Iterator<Item = usize> {
        let mentions = self.evaluated.iter().flat_map(|evaluated| evaluated.mentions.iter().copied());
        self.columns.iter().map(|(position, _)| *position).chain(mentions)
    }
}

/// The collation of a unique key's column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Collation {
    /// Bytes.
    Binary,
    /// ASCII letters without case.
    NoCase,
    /// Trailing spaces do not count.
    RTrim,
    /// The application's own, by name: compared by SQLite only.
    Custom(String),
}

impl Collation {
    /// The collation with this name.
    pub fn from_name(name: &str) -> Self {
        match name.to_ascii_uppercase().as_str() {
            "BINARY" => Collation::Binary,
            "NOCASE" => Collation::NoCase,
            "RTRIM" => Collation::RTrim,
            _ => Collation::Custom(name.to_owned()),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Collation::Binary => "BINARY",
            Collation::NoCase => "NOCASE",
            Collation::RTrim => "RTRIM",
            Collation::Custom(name) => name,
        }
    }
}

impl IdentityKind {
    /// The kind's stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            IdentityKind::Natural => "natural",
            IdentityKind::Surrogate => "surrogate",
        }
    }

    /// The kind with this stored name.
    pub fn from_name(name: &str) -> Self {
        if name == "natural" { IdentityKind::Natural } else { IdentityKind::Surrogate }
    }
}

impl Catalog {
    /// A tracked table by name, as SQLite compares names.
    pub fn by_name(&self, name: &str) -> Option<&Table> {
        self.tables.values().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// The number of the table that others call so.
    pub(crate) fn number(&self, wire_name: &str) -> Option<u32> {
        let tracked = self.tables.values().find(|table| table.wire_name.eq_ignore_ascii_case(wire_name));
        tracked.map(|table| table.no).or_else(|| self.numbers.get(wire_name).copied())
    }
}

impl Table {
    /// Whether rows are identified by global ids.
    pub fn is_surrogate(&self) -> bool {
        self.identity == IdentityKind::Surrogate
    }

    /// The position of the column with this number.
    pub fn position(&self, column_no: u32) -> Option<usize> {
        self.columns.binary_search_by_key(&column_no, |column| column.no).ok()
    }

    /// The column whose value is a surrogate row's integer.
    pub fn integer_key(&self) -> Option<usize> {
        self.is_surrogate().then(|| self.key[0])
    }

    /// Whether a natural key has a part that is a reference, and so means what other rows are.
    pub fn has_reference_key(&self) -> bool {
        !self.is_surrogate() && self.key.iter().any(|&at| self.columns[at].reference.is_some())
    }

    /// The keys that two rows cannot both show, by the number that claims on them have.
    pub fn claim_keys(&self) -> impl Iterator<Item = (usize, &UniqueKey)> {
        self.unique_keys.iter().chain(&self.identity_key).chain(&self.evaluated_keys).enumerate()
    }

    /// The key with this number.
    pub fn claim_key(&self, index: usize) -> Option<&UniqueKey> {
        self.claim_keys().nth(index).map(|(_, key)| key)
    }

    /// Whether there are any.
    pub fn has_claim_keys(&self) -> bool {
        self.claim_keys().next().is_some()
    }

    /// Whether this is the number of [`Table::identity_key`].
    pub fn is_identity_key(&self, index: usize) -> bool {
        self.identity_key.is_some() && index == self.unique_keys.len()
    }

    /// One more than the largest column number in use here; shares do not count.
    pub fn column_count(&self) -> u32 {
        self.numbers.values().filter(|no| **no < SHARES_FROM).max().map_or(0, |no| no + 1)
    }

    /// The column that another one holds shares of.
    pub(crate) fn shared_by(&self, share: u32) -> Option<u32> {
        if share < SHARES_FROM {
            return None;
        }
        self.merges.iter().find(|(_, merging)| merging.shares.contains_key(&share)).map(|(no, _)| *no)
    }
}

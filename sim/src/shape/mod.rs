//! What a schema looks like to whoever writes to it at random and to whoever judges the result.
//!
//! A shape is read off the schema by SQLite itself (`Shape::of_sql`), so a user's own `.sql` file
//! is simulated like a built-in one. Every column has a [role](Role), which says what a random
//! writer may put there and what an oracle may conclude from finding it.

mod builtin;
mod catalog;
mod derived;
mod error;
mod introspect;
mod probe;
mod roles;
mod rule;
mod stamp;
mod values;
mod version;

pub use builtin::{builtin, builtin_names};
pub use derived::Derived;
pub use error::ShapeError;
pub use rule::{Merge, OnDelete, Rule, Strategy};
pub use stamp::{WriteId, stamp_of, stamped};
pub use values::key_part;
pub use version::{Step, Version};

use std::collections::BTreeMap;
use std::fmt;

use pocketsync_core::value::Value;

/// A schema, as the simulator sees it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Shape {
    /// The statements that create it, in its last version.
    pub sql: String,
    /// Its tables: a table that others reference comes before them, where there is no cycle. Where it has several versions, those
    /// of all, by their last names.
    pub tables: Vec<TableShape>,
    /// What the application says about conflicts.
    pub rules: Vec<Rule>,
    /// Tables that are not synced, and not among `tables`.
    pub untracked: Vec<String>,
    /// What triggers keep that follows from the tables.
    pub derived: Vec<Derived>,
    /// Its versions, where it has several: the first, and what migrations make of it.
    pub versions: Vec<Version>,
    /// What is shown in columns that not every version has where nobody wrote.
    pub defaults: BTreeMap<(usize, usize), Value>,
}

/// A table, as the simulator sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct TableShape {
    /// Its name.
    pub name: String,
    /// What identifies its rows.
    pub key: Key,
    /// Its columns, in the order of the table; generated ones are left out.
    pub columns: Vec<Column>,
}

/// What identifies a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Key {
    /// An integer that every device counts for itself: two devices that both insert 7 mean two rows.
    Surrogate {
        /// The index of the column in [`TableShape::columns`].
        column: usize,
    },
    /// The key is the row.
    Natural {
        /// The indexes of the columns in [`TableShape::columns`].
        columns: Vec<usize>,
    },
}

/// A column, as the simulator sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Whether NULL may stand there.
    pub nullable: bool,
}

/// What a random writer may put into a column.
#[derive(Clone, PartialEq, Debug)]
pub enum Role {
    /// The row's own integer, given by SQLite.
    RowKey,
    /// Part of a natural key that is drawn from a pool small enough that devices collide: text, one
    /// of [`key_part`]. Parts of other types, or that compare without case, are a [`Role::Pool`].
    KeyPart {
        /// How many different values are drawn from.
        pool: u32,
    },
    /// Says which row this is: written when the row is inserted, with a value that no other row
    /// has, and never again. Rows of a table with a surrogate key are known by it.
    Tag,
    /// Takes any value of its type, so every write puts one there that no other write has:
    /// [`stamped`]. What a replica shows there says whose write it shows.
    Free(Kind),
    /// Refers to a row of another table, or of this one.
    Reference {
        /// The index of the table in [`Shape::tables`].
        table: usize,
        /// The columns, by their indexes, without which no foreign key says anything of this one: SQLite
        /// lets a composite key be where a part of it is NULL. None where a key is of this column alone.
        with: Vec<usize>,
    },
    /// This version of the schema does not have it.
    Absent,
    /// Takes only some values: a CHECK, a UNIQUE index or a trigger is in the way of others.
    Pool(Vec<Value>),
    /// Shows what all writes make together, by a [rule](Rule::merge).
    Merges {
        /// How.
        merge: Merge,
        /// What it holds.
        kind: Kind,
        /// What a new row begins with, where the table does not take every value.
        begin: Vec<Value>,
    },
}

/// What a free column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `w12`, with padding after a space where a scenario wants large values.
    Text,
    /// 12.
    Integer,
    /// 12.5.
    Real,
    /// The number in eight bytes, most significant first, and padding.
    Blob,
}

/// A row, named independently of how the engine identifies it, and the same on every device.
///
/// In a table with a surrogate key it is the value of the [tag](Role::Tag); in one with a natural
/// key it is the key, with references written as the tags of the rows they point at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowTag {
    /// The index of the table in [`Shape::tables`].
    pub table: usize,
    /// The tag, or the key.
    pub name: String,
}

impl fmt::Display for RowTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.table, self.name)
    }
}

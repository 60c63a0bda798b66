//! Which tables to track, with which identity, and what to warn of.

use std::collections::BTreeSet;
use std::fmt;

use rusqlite::Connection;

use super::super::catalog::IdentityKind;
use super::super::introspect::{self, RawKey, RawTable};
use crate::store::StoreError;

/// Which tables to track.
///
/// ```
/// use pocketsync_core::store::sqlite::Tables;
/// // Every table of the user; the integers of `events` are the same everywhere (snowflakes, say).
/// let tables = Tables::all().natural_key("events");
/// // These two only; more can follow later.
/// let tables = Tables::only(["notes", "tags"]);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tables {
    names: Option<Vec<String>>,
    natural: Vec<String>,
}

impl Tables {
    /// Every ordinary table of the file.
    pub fn all() -> Self {
        Tables::default()
    }

    /// These tables, besides those that are tracked already.
    pub fn only<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Tables { names: Some(names.into_iter().map(Into::into).collect()), natural: Vec::new() }
    }

    /// Takes the integer key of this table for what it says: equal integers mean the same row on
    /// every replica.
    #[must_use]
    pub fn natural_key(mut self, table: impl Into<String>) -> Self {
        self.natural.push(table.into());
        self
    }
}

/// What `track` did with one table.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TrackedTable {
    /// Its name.
    pub name: String,
    /// How its rows are identified.
    pub identity: IdentityKind,
    /// How many rows it has.
    pub rows: u64,
    /// What to look at.
    pub warnings: Vec<Warning>,
}

/// Something in a table that syncs, but maybe not as expected.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Warning {
    /// An integer column looks like a reference to a row whose integer is handed out by each
    /// replica, and is not declared as a foreign key: it is not translated.
    UndeclaredReference {
        /// The column.
        column: String,
        /// The table that it may mean.
        parent: Option<String>,
    },
    /// A foreign key leads to a table that is not tracked.
    UntrackedParent {
        /// The referring columns.
        columns: Vec<String>,
        /// The table.
        parent: String,
    },
    /// A unique index with a WHERE or an expression: a conflict between replicas over it is not
    /// settled beforehand, and rows that OR REPLACE removes through it are noticed late.
    UnsupportedUnique {
        /// The index.
        index: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::UndeclaredReference { column, parent: Some(parent) } => write!(
                f,
                "column {column} looks like a reference to {parent}, but is not declared as one; its integers \
                 are not translated: declare it with REFERENCES {parent}"
            ),
            Warning::UndeclaredReference { column, parent: None } => write!(
                f,
                "column {column} looks like a reference, but is not declared as one; if it holds keys of \
                 another table, declare it with REFERENCES"
            ),
            Warning::UntrackedParent { columns, parent } => write!(
                f,
                "{columns} refers to {parent}, which is not tracked; its keys travel as plain values",
                columns = columns.join(", ")
            ),
            Warning::UnsupportedUnique { index } => write!(
                f,
                "unique index {index} has a WHERE or an expression; rows of two replicas that conflict over it \
                 are parked as refused, and OR REPLACE through it is noticed late"
            ),
        }
    }
}

/// Why tables could not be tracked. Nothing has happened then.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// There is no such table.
    #[error("there is no table {name}{}", near_names(.near))]
    UnknownTable {
        /// The name.
        name: String,
        /// Tables with similar names.
        near: Vec<String>,
    },
    /// A table has no primary key, so nothing says which row is which: VACUUM may renumber them.
    #[error(
        "table {name} has no primary key, and SQLite may renumber its rows: rebuild it with one, for example \
         \"id INTEGER PRIMARY KEY\", or leave it out"
    )]
    NoPrimaryKey {
        /// The table.
        name: String,
    },
    /// A part of the primary key is computed.
    #[error("table {name}: the key column {column} is a generated column, which cannot identify a row")]
    GeneratedKey {
        /// The table.
        name: String,
        /// The column.
        column: String,
    },
    /// A key can be NULL, and columns hide every name of the rowid.
    #[error(
        "table {name}: its key can be NULL, and columns named rowid, oid and _rowid_ hide the rowid: declare the key NOT NULL"
    )]
    HiddenRowid {
        /// The table.
        name: String,
    },
    /// The identity of a table's rows cannot change while it is tracked.
    #[error("table {name} is tracked with a {identity} identity already: untrack first", identity = .identity.as_str())]
    IdentityFixed {
        /// The table.
        name: String,
        /// What it is tracked with.
        identity: IdentityKind,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TrackError {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            TrackError::UnknownTable { .. } => "unknown_table",
            TrackError::NoPrimaryKey { .. } => "no_primary_key",
            TrackError::GeneratedKey { .. } => "generated_key",
            TrackError::HiddenRowid { .. } => "hidden_rowid",
            TrackError::IdentityFixed { .. } => "identity_fixed",
            TrackError::Store(error) => error.code(),
        }
    }

    /// Whether trying again later may succeed without anyone doing anything.
    pub const fn is_retryable(&self) -> bool {
        match self {
            TrackError::Store(error) => error.is_retryable(),
            _ => false,
        }
    }
}

fn near_names(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) }
}

/// One table that is to be tracked.
pub(super) struct Planned {
    pub(super) raw: RawTable,
    pub(super) identity: IdentityKind,
}

/// Settles which tables are asked for; `known` are those that are tracked already.
pub(super) fn plan(
    conn: &Connection,
    tables: &Tables,
    known: &[(String, IdentityKind)],
) -> Result<Vec<Planned>, TrackError> {
    let present = introspect::table_names(conn).map_err(StoreError::from)?;
    let find = |name: &String| {
        present
            .iter()
            .find(|here| here.eq_ignore_ascii_case(name))
            .ok_or_else(|| TrackError::UnknownTable { name: name.clone(), near: near(name, &present) })
    };
    let natural = tables.natural.iter().map(find).collect::<Result<BTreeSet<_>, _>>()?;
    let wanted: BTreeSet<&String> = match &tables.names {
        None => present.iter().collect(),
        Some(names) => {
            names.iter().map(find).chain(natural.iter().map(|name| Ok(*name))).collect::<Result<_, _>>()?
        }
    };
    let is_tracked = |name: &str| {
        wanted.iter().any(|here| here.eq_ignore_ascii_case(name))
            || known.iter().any(|(here, _)| here.eq_ignore_ascii_case(name))
    };
    let mut planned = Vec::new();
    for name in &wanted {
        let raw = introspect::read_table(conn, name).map_err(StoreError::from)?;
        check_key(&raw)?;
        let identity = match &raw.key {
            RawKey::Rowid(column) if !natural.contains(*name) && !shares_key(&raw, column, &is_tracked) => {
                IdentityKind::Surrogate
            }
            _ => IdentityKind::Natural,
        };
        let fixed =
            known.iter().find(|(here, _)| here.eq_ignore_ascii_case(name)).map(|(_, identity)| *identity);
        match fixed {
            // Tracked before its parent was: it stays what it is.
            Some(fixed) if fixed != identity && natural.contains(*name) => {
                return Err(TrackError::IdentityFixed { name: raw.name, identity: fixed });
            }
            _ => planned.push(Planned { identity: fixed.unwrap_or(identity), raw }),
        }
    }
    Ok(planned)
}

fn check_key(raw: &RawTable) -> Result<(), TrackError> {
    let names = raw.key.names();
    if names.is_empty() {
        return Err(TrackError::NoPrimaryKey { name: raw.name.clone() });
    }
    let of_key = |name: &&str| raw.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
    let parts: Vec<_> = names.iter().filter_map(of_key).collect();
    if let Some(column) = parts.iter().find(|column| column.generated) {
        return Err(TrackError::GeneratedKey { name: raw.name.clone(), column: column.name.clone() });
    }
    let nullable = !raw.without_rowid
        && matches!(raw.key, RawKey::Declared(_))
        && parts.iter().any(|column| !column.not_null);
    if nullable && raw.rowid_name().is_none() {
        return Err(TrackError::HiddenRowid { name: raw.name.clone() });
    }
    Ok(())
}

/// Whether the integer key is another table's: the row is that row's companion, and has no
/// identity of its own.
fn shares_key(raw: &RawTable, column: &str, is_tracked: &impl Fn(&str) -> bool) -> bool {
    raw.foreign_keys.iter().any(|key| {
        key.columns.len() == 1
            && key.columns[0].0.eq_ignore_ascii_case(column)
            && !key.parent.eq_ignore_ascii_case(&raw.name)
            && is_tracked(&key.parent)
    })
}

/// What to warn of in a table, among these tracked ones.
pub(super) fn warnings(raw: &RawTable, tracked: &[String]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let is_tracked = |name: &str| tracked.iter().any(|known| known.eq_ignore_ascii_case(name));
    let key = raw.key.names();
    for column in &raw.columns {
        let declared = raw.foreign_keys.iter().flat_map(|key| &key.columns);
        let is_reference = declared.clone().any(|(from, _)| from.eq_ignore_ascii_case(&column.name));
        let is_whole_key = key.len() == 1 && key[0].eq_ignore_ascii_case(&column.name);
        let integer = column.declared_type.contains("INT") || column.declared_type.is_empty();
        let Some(stem) = reference_stem(&column.name) else { continue };
        if integer && !is_reference && !is_whole_key && !column.generated {
            let parent = tracked.iter().find(|table| names_alike(table, stem)).cloned();
            warnings.push(Warning::UndeclaredReference { column: column.name.clone(), parent });
        }
    }
    for key in raw.foreign_keys.iter().filter(|key| !is_tracked(&key.parent)) {
        let columns = key.columns.iter().map(|(from, _)| from.clone()).collect();
        warnings.push(Warning::UntrackedParent { columns, parent: key.parent.clone() });
    }
    let generated = |name: &Option<String>| {
        name.as_ref().is_none_or(|name| {
            raw.columns.iter().any(|column| column.generated && column.name.eq_ignore_ascii_case(name))
        })
    };
    for index in &raw.unique {
        if index.partial || index.columns.iter().any(|(name, _)| generated(name)) {
            warnings.push(Warning::UnsupportedUnique { index: index.name.clone() });
        }
    }
    warnings
}

/// `user` of `user_id`, `userId`, `user_fk`.
fn reference_stem(column: &str) -> Option<&str> {
    let stem =
        ["_id", "_ID", "Id", "ID", "_fk", "_ref"].iter().find_map(|suffix| column.strip_suffix(suffix))?;
    (!stem.is_empty()).then_some(stem)
}

fn names_alike(table: &str, stem: &str) -> bool {
    let (table, stem) = (table.to_lowercase(), stem.to_lowercase());
    let plural_y = stem.strip_suffix('y').map(|stem| format!("{stem}ies"));
    table == stem || table == format!("{stem}s") || table == format!("{stem}es") || Some(table) == plural_y
}

/// The names closest to a misspelt one.
fn near(name: &str, present: &[String]) -> Vec<String> {
    let mut scored: Vec<_> = present
        .iter()
        .map(|here| (distance(&name.to_lowercase(), &here.to_lowercase()), here))
        .filter(|(distance, here)| *distance <= 1 + here.chars().count() / 3)
        .collect();
    scored.sort();
    scored.into_iter().take(3).map(|(_, here)| here.clone()).collect()
}

/// How many letters to put in, take out or exchange to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

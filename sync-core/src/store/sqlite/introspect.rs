//! What SQLite's pragmas say about the user's tables, as it is.
//!
//! Only pragmas and `sqlite_schema` columns that SQLite 3.24 has are needed; newer ones are used
//! where they are there.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row};

use super::schema_sql;
use super::system::{PREFIX, literal, quote};
use crate::conflict::RULES_TABLE;

/// A user's table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RawTable {
    /// Its name.
    pub(crate) name: String,
    /// Its columns, generated and hidden ones included, in declared order.
    pub(crate) columns: Vec<RawColumn>,
    /// What the primary key is.
    pub(crate) key: RawKey,
    /// Whether it was made WITHOUT ROWID.
    pub(crate) without_rowid: bool,
    /// Declared foreign keys, in declared order.
    pub(crate) foreign_keys: Vec<RawForeignKey>,
    /// UNIQUE constraints and indexes beyond the primary key.
    pub(crate) unique: Vec<RawIndex>,
    /// The expressions of its CHECK clauses.
    pub(crate) checks: Vec<String>,
}

/// A column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RawColumn {
    /// Its name.
    pub(crate) name: String,
    /// Its declared type, upper case, maybe empty.
    pub(crate) declared_type: String,
    /// Whether NULL is refused.
    pub(crate) not_null: bool,
    /// The DEFAULT as SQL.
    pub(crate) default: Option<String>,
    /// Whether its value is computed from other columns.
    pub(crate) generated: bool,
}

/// A primary key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RawKey {
    /// There is none.
    None,
    /// An `INTEGER PRIMARY KEY` that is the rowid, by column name.
    Rowid(String),
    /// Any other: column names and collations, in key order.
    Declared(Vec<(String, String)>),
}

impl RawTable {
    /// A name that reaches the rowid, if there is one.
    pub(crate) fn rowid_name(&self) -> Option<&'static str> {
        let taken = |name: &str| self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        ["rowid", "oid", "_rowid_"].into_iter().find(|name| !self.without_rowid && !taken(name))
    }
}

impl RawKey {
    /// The names of its columns, in key order.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            RawKey::None => Vec::new(),
            RawKey::Rowid(name) => vec![name],
            RawKey::Declared(parts) => parts.iter().map(|(name, _)| name.as_str()).collect(),
        }
    }
}

/// A foreign key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RawForeignKey {
    /// The parent's name as declared.
    pub(crate) parent: String,
    /// Referring column and, unless it is the parent's primary key, the parent's column.
    pub(crate) columns: Vec<(String, Option<String>)>,
    /// ON UPDATE, as SQLite spells it.
    pub(crate) on_update: String,
    /// ON DELETE, as SQLite spells it.
    pub(crate) on_delete: String,
}

/// A unique index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RawIndex {
    /// Its name.
    pub(crate) name: String,
    /// Whether it has a WHERE.
    pub(crate) partial: bool,
    /// Column names and collations; `None` for an expression.
    pub(crate) columns: Vec<(Option<String>, String)>,
    /// The statement that made it, where it has a WHERE or an expression.
    pub(crate) sql: Option<String>,
}

/// The user's ordinary tables, by name: no views, no virtual tables, no shadow tables, none of
/// SQLite's own and none of ours.
///
/// # Errors
/// When the schema cannot be read.
pub(crate) fn table_names(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let hidden = virtual_and_shadow_tables(conn)?;
    let mut statement =
        conn.prepare_cached("SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY name")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names
        .filter(|name| {
            name.as_ref().map_or(true, |name| {
                !starts_with_ignore_case(name, "sqlite_")
                    && !starts_with_ignore_case(name, PREFIX)
                    && !hidden.contains(name)
            })
        })
        .collect()
}

/// The tables that may be tracked: the user's, and the rules and renames where the file has some.
///
/// # Errors
/// When the schema cannot be read.
pub(crate) fn synced_table_names(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names = table_names(conn)?;
    if has_table(conn, super::renames::TABLE)? {
        names.push(super::renames::TABLE.to_owned());
    }
    if super::rules::exists(conn)? {
        names.push(RULES_TABLE.to_owned());
    }
    Ok(names)
}

/// Whether the file has this table.
///
/// # Errors
/// When the schema cannot be read.
pub(crate) fn has_table(conn: &Connection, name: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?1")?.exists([name])
}

fn starts_with_ignore_case(name: &str, prefix: &str) -> bool {
    name.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Virtual tables and the tables that they keep their data in.
fn virtual_and_shadow_tables(conn: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut hidden = BTreeSet::new();
    let mut listed = false;
    // Since SQLite 3.37; an unknown pragma answers nothing.
    let mut statement = conn.prepare_cached("PRAGMA main.table_list")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        listed = true;
        let kind: String = row.get("type")?;
        if kind == "virtual" || kind == "shadow" {
            hidden.insert(row.get("name")?);
        }
    }
    let mut statement = conn.prepare_cached(
        "SELECT name, sql FROM main.sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, sql): (String, String) = (row.get(0)?, row.get(1)?);
        if !listed {
            hidden.extend(shadow_suffixes(&sql).iter().map(|suffix| format!("{name}_{suffix}")));
        }
        hidden.insert(name);
    }
    Ok(hidden)
}

/// The shadow tables of SQLite's own modules, for versions that do not list them.
fn shadow_suffixes(sql: &str) -> &'static [&'static str] {
    let sql = sql.to_ascii_lowercase();
    let module = sql.split_once(" using ").map_or("", |(_, rest)| rest.trim_start());
    if module.starts_with("fts5") {
        &["data", "idx", "content", "docsize", "config"]
    } else if module.starts_with("fts3") || module.starts_with("fts4") {
        &["content", "segments", "segdir", "docsize", "stat"]
    } else if module.starts_with("rtree") || module.starts_with("geopoly") {
        &["node", "rowid", "parent"]
    } else {
        &[]
    }
}

/// Reads one table.
///
/// # Errors
/// When the schema cannot be read.
pub(crate) fn read_table(conn: &Connection, name: &str) -> rusqlite::Result<RawTable> {
    let (columns, key_columns) = read_columns(conn, name)?;
    let mut key = match key_columns.as_slice() {
        [] => RawKey::None,
        // Without an index of its own the key is the rowid. `INTEGER PRIMARY KEY DESC` has one.
        [column] => RawKey::Rowid(column.clone()),
        _ => RawKey::None,
    };
    let mut without_rowid = false;
    let mut unique = Vec::new();
    let list = query(conn, &format!("PRAGMA main.index_list({})", quote(name)), |row| {
        Ok((
            row.get::<_, String>("name")?,
            row.get::<_, bool>("unique")?,
            row.get::<_, String>("origin")?,
            row.get::<_, bool>("partial")?,
        ))
    })?;
    for (index, is_unique, origin, partial) in list {
        if !is_unique {
            continue;
        }
        let parts = query(conn, &format!("PRAGMA main.index_xinfo({})", quote(&index)), |row| {
            Ok((
                row.get::<_, i64>("cid")?,
                row.get::<_, Option<String>>("name")?,
                row.get::<_, Option<String>>("coll")?.unwrap_or_else(|| "BINARY".to_owned()),
                row.get::<_, bool>("key")?,
            ))
        })?;
        if origin == "pk" {
            // The key's index is the table itself where it does not lead to a rowid.
            without_rowid = !parts.iter().any(|(cid, ..)| *cid == -1);
            let declared = parts.into_iter().filter(|part| part.3);
            key = RawKey::Declared(declared.filter_map(|(_, name, coll, _)| Some((name?, coll))).collect());
        } else {
            let columns = parts.into_iter().filter(|part| part.3);
            let columns: Vec<_> = columns.map(|(_, name, coll, _)| (name, coll)).collect();
            let sql = if partial || columns.iter().any(|(name, _)| name.is_none()) {
                let sql = "SELECT sql FROM main.sqlite_master WHERE type = 'index' AND name = ?1";
                conn.query_row(sql, [&index], |row| row.get(0))?
            } else {
                None
            };
            unique.push(RawIndex { name: index, partial, columns, sql });
        }
    }
    // SQLite lists the newest first.
    unique.reverse();
    let sql: Option<String> = conn
        .query_row("SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ?1", [name], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(RawTable {
        name: name.to_owned(),
        columns,
        key,
        without_rowid,
        foreign_keys: read_foreign_keys(conn, name)?,
        unique,
        checks: sql.iter().flat_map(|sql| schema_sql::checks(sql)).map(str::to_owned).collect(),
    })
}

fn read_columns(conn: &Connection, name: &str) -> rusqlite::Result<(Vec<RawColumn>, Vec<String>)> {
    let read = |row: &Row<'_>| {
        let column = RawColumn {
            name: row.get("name")?,
            declared_type: row.get::<_, Option<String>>("type")?.unwrap_or_default().to_ascii_uppercase(),
            not_null: row.get("notnull")?,
            default: row.get::<_, Option<String>>("dflt_value")?.map(|text| expression(&text)),
            generated: row.get("hidden").unwrap_or(0) > 1,
        };
        Ok((column, row.get::<_, i64>("pk")?))
    };
    let mut columns = query(conn, &format!("PRAGMA main.table_xinfo({})", quote(name)), read)?;
    if columns.is_empty() {
        // Before SQLite 3.26; there are no generated columns then.
        columns = query(conn, &format!("PRAGMA main.table_info({})", quote(name)), read)?;
    }
    let mut key: Vec<_> =
        columns.iter().filter(|(_, pk)| *pk > 0).map(|(column, pk)| (*pk, column.name.clone())).collect();
    key.sort();
    let columns = columns.into_iter().map(|(column, _)| column).collect();
    Ok((columns, key.into_iter().map(|(_, name)| name).collect()))
}

fn read_foreign_keys(conn: &Connection, name: &str) -> rusqlite::Result<Vec<RawForeignKey>> {
    let mut keys: Vec<(i64, RawForeignKey)> = Vec::new();
    let parts = query(conn, &format!("PRAGMA main.foreign_key_list({})", quote(name)), |row| {
        let key = RawForeignKey {
            parent: row.get("table")?,
            columns: vec![(row.get("from")?, row.get("to")?)],
            on_update: row.get("on_update")?,
            on_delete: row.get("on_delete")?,
        };
        Ok((row.get::<_, i64>("id")?, key))
    })?;
    for (id, mut part) in parts {
        match keys.iter_mut().find(|(known, _)| *known == id) {
            Some((_, key)) => key.columns.append(&mut part.columns),
            None => keys.push((id, part)),
        }
    }
    // SQLite lists the newest first.
    keys.reverse();
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

fn query<T>(
    conn: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    conn.prepare(sql)?.query_map([], read)?.collect()
}

/// What a DEFAULT clause says, as an expression that means the same elsewhere: a name there is a
/// string, and would be a column anywhere else.
fn expression(default: &str) -> String {
    let bare = default.trim();
    let unquoted = |quote: char| {
        Some(
            bare.strip_prefix(quote)?
                .strip_suffix(quote)?
                .replace(&format!("{quote}{quote}"), &quote.to_string()),
        )
    };
    if let Some(name) = unquoted('"').or_else(|| unquoted('`')) {
        return literal(&name);
    }
    if let Some(name) = bare.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return literal(name);
    }
    let is_name = bare.starts_with(|first: char| first.is_alphabetic() || first == '_' || !first.is_ascii())
        && bare.chars().all(|char| char.is_alphanumeric() || "_$".contains(char) || !char.is_ascii());
    const WORDS: [&str; 6] = ["NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"];
    let is_word = WORDS.iter().any(|word| word.eq_ignore_ascii_case(bare));
    if is_name && !is_word { literal(bare) } else { default.to_owned() }
}

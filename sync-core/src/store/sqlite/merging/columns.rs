//! Which columns merge here.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::affinity::{Affinity, affinity};
use super::super::catalog::{Catalog, Table, UniqueKey};
use super::super::park::defaults::literal;
use super::super::renames::Renames;
use crate::conflict::{MergeType, Rule, Rules};
use crate::id::SiteId;
use crate::merge::share::ShareName;
use crate::value::Value;

/// Columns that hold shares have numbers from here on, so that those of the application's columns
/// stay small.
pub(crate) const SHARES_FROM: u32 = 1 << 16;

/// How a column merges.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Merging {
    /// The type in force for local writes; `None`: none, but there are shares.
    pub merge: Option<MergeType>,
    /// The columns that hold its shares.
    pub shares: BTreeMap<u32, (MergeType, SiteId)>,
    /// What the column shows where it was never written, if that is the same everywhere.
    pub default: Option<Value>,
}

/// The columns of a table that merge, or have shares; `words` are the types in force.
pub(in super::super) fn find(
    conn: &Connection,
    table: &Table,
    renames: &Renames,
    words: &BTreeMap<(u32, u32), MergeType>,
) -> rusqlite::Result<BTreeMap<u32, Merging>> {
    let mut merges: BTreeMap<u32, Merging> = BTreeMap::new();
    let range = (table.no, 0)..=(table.no, u32::MAX);
    for (&(_, column), &merge) in words.range(range) {
        if applies(table, column, merge) {
            merges.entry(column).or_default().merge = Some(merge);
        }
    }
    let locals = || table.numbers.iter().filter(|(_, no)| table.position(**no).is_some());
    let locals: BTreeMap<String, u32> = locals().map(|(name, &no)| (name.to_ascii_lowercase(), no)).collect();
    for (name, &no) in &table.numbers {
        let Some(share) = ShareName::parse(name).filter(|_| no >= SHARES_FROM) else { continue };
        let renamed = renames.column(&table.wire_name, share.column);
        let of = renamed.as_deref().unwrap_or(share.column).to_ascii_lowercase();
        if let Some(&column) = locals.get(&of)
            && applies(table, column, share.merge)
        {
            merges.entry(column).or_default().shares.insert(no, (share.merge, share.site));
        }
    }
    for (&column, merging) in &mut merges {
        merging.default = default(conn, table, column)?;
    }
    Ok(merges)
}

/// Takes in that a column, which is new here, holds shares of another one.
pub(in super::super) fn learn(
    conn: &Connection,
    table: &mut Table,
    renames: &Renames,
    share: &ShareName<'_>,
    no: u32,
) -> rusqlite::Result<()> {
    let renamed = renames.column(&table.wire_name, share.column);
    let of = renamed.as_deref().unwrap_or(share.column);
    let here = table.columns.iter().map(|column| column.no);
    let numbered = |no: &u32| table.numbers.get(of) == Some(no);
    let named = || {
        let known = table.numbers.iter().find(|(known, _)| known.eq_ignore_ascii_case(of));
        known.map(|(_, no)| *no)
    };
    let Some(column) = here.clone().find(numbered).or_else(named) else { return Ok(()) };
    if !applies(table, column, share.merge) {
        return Ok(());
    }
    if !table.merges.contains_key(&column) {
        let default = default(conn, table, column)?;
        table.merges.insert(column, Merging { default, ..Merging::default() });
    }
    let merging = table.merges.entry(column).or_default();
    merging.shares.insert(no, (share.merge, share.site));
    Ok(())
}

fn default(conn: &Connection, table: &Table, column: u32) -> rusqlite::Result<Option<Value>> {
    match table.position(column).and_then(|at| table.columns[at].default.as_deref()) {
        Some(sql) => literal(conn, sql),
        None => Ok(None),
    }
}

fn applies(table: &Table, column: u32, merge: MergeType) -> bool {
    table.position(column).is_some_and(|position| refusal(table, position, merge).is_none())
}

/// Why a column cannot merge.
fn refusal(table: &Table, position: usize, merge: MergeType) -> Option<String> {
    let column = &table.columns[position];
    let unique = table.unique_keys.iter().chain(&table.evaluated_keys);
    let is_unique = unique.flat_map(UniqueKey::depends_on).any(|at| at == position);
    let refers = table.foreign_keys.iter().any(|key| key.columns.contains(&position));
    let part = if table.key.contains(&position) {
        "a part of the primary key"
    } else if is_unique {
        "a part of a UNIQUE index"
    } else if refers || column.reference.is_some() {
        "a foreign key"
    } else if merge == MergeType::Counter && affinity(&column.declared_type) == Affinity::Text {
        return Some(format!(
            "{}.{} holds text, and a counter counts numbers: declare the column as INTEGER or REAL",
            table.name, column.name
        ));
    } else {
        return None;
    };
    Some(format!(
        "{}.{} is {part}, whose value means one thing and cannot be made of several: keep what merges in a column of \
         its own",
        table.name, column.name
    ))
}

/// The types that rules set for the columns of a schema, by the numbers of table and column, and what
/// is said about columns that cannot have them.
pub(in super::super) fn wanted(
    catalog: &Catalog,
    rules: &Rules,
) -> (BTreeMap<(u32, u32), MergeType>, Vec<String>) {
    let (mut words, mut refused) = (BTreeMap::new(), Vec::new());
    for rule in rules.iter() {
        let (Some(name), Some(merge)) = (&rule.column, rule.merge) else { continue };
        let Some(table) = table(catalog, &rule.table) else { continue };
        let Some(position) = position(catalog, table, name) else { continue };
        match refusal(table, position, merge) {
            Some(why) => refused.push(why),
            None => drop(words.insert((table.no, table.columns[position].no), merge)),
        }
    }
    (words, refused)
}

/// Why a rule cannot be set for the column that it names. A table or column that is not here yet may be
/// elsewhere, and take it.
pub(in super::super) fn refused(catalog: &Catalog, rule: &Rule) -> Option<String> {
    let (name, merge) = (rule.column.as_ref()?, rule.merge?);
    let table = table(catalog, &rule.table)?;
    match position(catalog, table, name) {
        Some(position) => refusal(table, position, merge),
        None if table.generated.iter().any(|generated| generated.eq_ignore_ascii_case(name)) => {
            Some(format!(
                "{}.{name} is generated from other columns, and is computed on every device: set the rule for those",
                table.name
            ))
        }
        None => None,
    }
}

/// What is said about rules for columns that cannot merge.
pub(in super::super) fn inapplicable(catalog: &Catalog, rules: &Rules) -> Vec<String> {
    wanted(catalog, rules).1
}

/// The table with this name, here or among replicas.
fn table<'c>(catalog: &'c Catalog, name: &str) -> Option<&'c Table> {
    let called = |name: &str| {
        let mut tables = catalog.tables.values();
        tables.find(|table| table.wire_name.eq_ignore_ascii_case(name))
    };
    // Whoever set the rule may have renamed it.
    let renamed = || called(&catalog.renames.table(name)?);
    catalog.by_name(name).or_else(|| called(name)).or_else(renamed)
}

/// The column with this name, here or among replicas.
fn position(catalog: &Catalog, table: &Table, name: &str) -> Option<usize> {
    let here = table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let called = |name: &str| {
        let known = table.numbers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        table.position(*known?.1)
    };
    let renamed = || called(&catalog.renames.column(&table.wire_name, name)?);
    here.or_else(|| called(name)).or_else(renamed)
}

/// The types in force, by the numbers of table and column.
pub(in super::super) fn words(conn: &Connection) -> rusqlite::Result<BTreeMap<(u32, u32), MergeType>> {
    let exists = conn
        .prepare_cached(
            "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = '__pocketsync_merge'",
        )?
        .exists([])?;
    if !exists {
        return Ok(BTreeMap::new());
    }
    let mut statement = conn.prepare_cached("SELECT tbl, col, word FROM __pocketsync_merge")?;
    let words = statement.query_map([], |row| {
        let merge = MergeType::named(row.get_ref(2)?.as_str().unwrap_or_default());
        Ok(merge.map(|merge| Ok(((row.get(0)?, row.get(1)?), merge))))
    })?;
    words.filter_map(Result::transpose).map(|word| word?).collect()
}

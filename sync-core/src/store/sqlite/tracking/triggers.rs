//! The SQL of the triggers of one table. Nothing in it is newer than SQLite 3.24.
//!
//! They are made to do little: each change of a row appends one narrow row to the journal. No
//! value is copied but the key, and nothing in them can fail by itself.

use super::super::catalog::{Collation, Column, Table, UniqueKey};
use super::super::system::{PREFIX, flag, key_column, literal, quote};

/// Which triggers these are: raised with their SQL, so that files which an earlier build tracked get the new ones.
pub(in super::super) const TRIGGERS: i64 = 1;

/// The largest column number that an integer mask has a bit for.
pub(super) const MAX_BIT: u32 = 62;

/// A trigger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The statement that makes it.
    pub sql: String,
}

/// The triggers of a table.
pub fn table_triggers(table: &Table) -> Vec<Trigger> {
    let mut triggers = vec![
        trigger(table, "insert", "AFTER INSERT", "", &[entry(table, flag::INSERT, "NEW")]),
        trigger(table, "delete", "AFTER DELETE", "", &[entry(table, flag::DELETE, "OLD")]),
    ];
    if table.is_surrogate() {
        let update = update_entry(table);
        triggers.push(trigger(table, "update", "AFTER UPDATE", "", &[update]));
    } else {
        let same = same_identity(table);
        let when = format!("WHEN {same}");
        triggers.push(trigger(table, "update", "AFTER UPDATE", &when, &[update_entry(table)]));
        // Another key is another row; where it refers to rows that are found by their integers, maybe not.
        let when = format!("WHEN NOT ({same})");
        let now = if table.has_reference_key() {
            masked_entry(table, flag::INSERT, key_parts(table, "NEW"))
        } else {
            entry(table, flag::INSERT, "NEW")
        };
        let rekey = [entry(table, flag::DELETE, "OLD"), now];
        triggers.push(trigger(table, "rekey", "AFTER UPDATE", &when, &rekey));
    }
    if !table.unique_keys.is_empty() {
        let body: Vec<_> = table.unique_keys.iter().map(|key| touch_on_insert(table, key)).collect();
        triggers.push(trigger(table, "touch_insert", "BEFORE INSERT", "", &body));
        let body: Vec<_> = table.unique_keys.iter().map(|key| touch_on_update(table, key)).collect();
        let mut columns: Vec<usize> =
            table.unique_keys.iter().flat_map(|key| key.columns.iter().map(|(column, _)| *column)).collect();
        columns.sort_unstable();
        columns.dedup();
        let when = format!("WHEN {}", any_differs(table, &columns));
        triggers.push(trigger(table, "touch_update", "BEFORE UPDATE", &when, &body));
    }
    triggers
}

fn trigger(table: &Table, purpose: &str, event: &str, when: &str, body: &[String]) -> Trigger {
    let name = format!("{PREFIX}{}_{purpose}", table.no);
    let on = quote(&table.name);
    let body: String = body.iter().map(|statement| format!("  {statement};\n")).collect();
    let when = if when.is_empty() { String::new() } else { format!("\n{when}") };
    let sql = format!("CREATE TRIGGER {name} {event} ON {on}{when}\nBEGIN\n{body}END");
    Trigger { name, sql }
}

/// Appends an entry for the row as `side` (NEW or OLD) has it.
fn entry(table: &Table, flag: i64, side: &str) -> String {
    let (columns, values) = key_parts(table, side);
    format!(
        "INSERT INTO {PREFIX}journal(t, f, at, {columns}) VALUES({no}, {flag}, julianday('now'), {values})",
        no = table.no
    )
}

fn update_entry(table: &Table) -> String {
    let (mut columns, mut values) = key_parts(table, "NEW");
    if let Some(key) = table.integer_key() {
        let key = quote(&table.columns[key].name);
        columns.push_str(", o");
        values.push_str(&format!(", CASE WHEN NEW.{key} IS NOT OLD.{key} THEN OLD.{key} END"));
    }
    masked_entry(table, flag::UPDATE, (columns, values))
}

/// Appends an entry for the row as it is now, with the columns that were written.
fn masked_entry(table: &Table, flag: i64, (columns, values): (String, String)) -> String {
    let gone = stand_ins(table);
    format!(
        "INSERT INTO {PREFIX}journal(t, f, m, at, {columns})\n  VALUES({no}, {flag},\n    \
         (SELECT (SELECT (SELECT {mask})\n      FROM (SELECT {gone}) AS new)\n      FROM (SELECT {gone}) AS old),\n    \
         julianday('now'), {values})",
        no = table.no,
        mask = mask(table)
    )
}

/// What `NEW.column` and `OLD.column` mean where the table has no such column any more.
///
/// SQLite refuses to drop a column that a trigger names. But it looks a name up from the inside
/// out: a column of the changed row first, and where there is none, one of the subqueries around
/// it that are called `new` and `old` here. So a column can be dropped by any program; what is
/// left of it in the trigger is a constant, which does not change. The subqueries are nested, not
/// joined: each is a co-routine of one row (0.2 µs an update at most), where a join would make
/// a temporary table for every row.
fn stand_ins(table: &Table) -> String {
    let names = table.columns.iter().map(|column| format!("0 AS {}", quote(&column.name)));
    names.collect::<Vec<_>>().join(", ")
}

/// The journal columns that hold a row's key, and the row's values for them; with the rowid in
/// `o` where a part of the key is NULL.
fn key_parts(table: &Table, side: &str) -> (String, String) {
    let mut columns: Vec<String> = (1..=table.key.len()).map(key_column).collect();
    let mut values: Vec<String> = table.key.iter().map(|&at| column(table, side, at)).collect();
    if let Some(rowid) = null_key_rowid(table) {
        columns.push("o".to_owned());
        values.push(format!("CASE WHEN {} THEN {side}.{rowid} END", has_null_key(table, side)));
    }
    (columns.join(", "), values.join(", "))
}

fn column(table: &Table, side: &str, at: usize) -> String {
    format!("{side}.{}", quote(&table.columns[at].name))
}

/// How to reach the rowid, in tables that identify some rows by it.
fn null_key_rowid(table: &Table) -> Option<&str> {
    if table.nullable_key { table.rowid } else { None }
}

fn has_null_key(table: &Table, side: &str) -> String {
    let nullable = table.key.iter().filter(|&&at| !table.columns[at].not_null);
    let parts: Vec<_> = nullable.map(|&at| format!("{} IS NULL", column(table, side, at))).collect();
    parts.join(" OR ")
}

/// Whether OLD and NEW are the same row of a table with natural keys.
fn same_identity(table: &Table) -> String {
    let equal: Vec<_> = table
        .key
        .iter()
        .map(|&at| format!("{} IS {} COLLATE BINARY", column(table, "NEW", at), column(table, "OLD", at)))
        .collect();
    let equal = equal.join(" AND ");
    match null_key_rowid(table) {
        Some(rowid) => format!(
            "CASE WHEN ({}) AND ({}) THEN NEW.{rowid} = OLD.{rowid} ELSE {equal} END",
            has_null_key(table, "NEW"),
            has_null_key(table, "OLD")
        ),
        None => equal,
    }
}

/// The changed columns: bits by column number, or text where there are not enough bits.
fn mask(table: &Table) -> String {
    let last = table.columns.last().map_or(0, |column| column.no);
    if last <= MAX_BIT {
        let bits: Vec<_> =
            table.columns.iter().map(|column| bit(column.no, &column_differs(column))).collect();
        return if bits.is_empty() { "0".to_owned() } else { bits.join(" | ") };
    }
    let letters: Vec<_> = (0..=last)
        .map(|no| {
            table
                .position(no)
                .map_or_else(|| "'0'".to_owned(), |at| format!("({})", column_differs(&table.columns[at])))
        })
        .collect();
    letters.join(" || ")
}

/// A column's place in an integer mask.
pub(super) fn bit(no: u32, differs: &str) -> String {
    if no == 0 { format!("({differs})") } else { format!("(({differs}) << {no})") }
}

fn column_differs(column: &Column) -> String {
    differs(&column.name, &column.declared_type)
}

/// Whether a column of NEW is anything else than it was in OLD.
pub(super) fn differs(name: &str, declared_type: &str) -> String {
    let name = quote(name);
    let value = format!("NEW.{name} IS NOT OLD.{name} COLLATE BINARY");
    if may_vary_in_type(declared_type) {
        format!("{value} OR typeof(NEW.{name}) <> typeof(OLD.{name})")
    } else {
        value
    }
}

/// Whether a column keeps both 1 and 1.0, which compare as equal: those without an affinity do.
fn may_vary_in_type(declared: &str) -> bool {
    let has = |part: &str| declared.contains(part);
    // ANY is without affinity in STRICT tables only; the comparison costs little elsewhere.
    declared.is_empty()
        || declared == "ANY"
        || (has("BLOB") && !has("INT") && !has("CHAR") && !has("CLOB") && !has("TEXT"))
}

fn any_differs(table: &Table, columns: &[usize]) -> String {
    columns.iter().map(|&at| column_differs(&table.columns[at])).collect::<Vec<_>>().join(" OR ")
}

/// Notes the rows that a conflict clause would remove for the new row's sake, without a trigger.
fn touch_on_insert(table: &Table, key: &UniqueKey) -> String {
    let own_key = key.columns.iter().map(|(at, _)| *at).eq(table.key.iter().copied());
    // The row with this very key is replaced under the same identity.
    let besides = if own_key { format!(" AND ({})", other_key(table, "NEW")) } else { String::new() };
    format!("{} WHERE {}{besides}", touch(table), claims(table, key))
}

fn touch_on_update(table: &Table, key: &UniqueKey) -> String {
    let columns: Vec<usize> = key.columns.iter().map(|(at, _)| *at).collect();
    let changed = any_differs(table, &columns);
    let besides = match null_key_rowid(table) {
        Some(rowid) => format!("x.{rowid} <> OLD.{rowid}"),
        None => other_key(table, "OLD"),
    };
    format!("{} WHERE {} AND ({besides}) AND ({changed})", touch(table), claims(table, key))
}

fn touch(table: &Table) -> String {
    let (columns, values) = key_parts(table, "x");
    format!(
        "INSERT INTO {PREFIX}journal(t, f, at, {columns})\n  SELECT {no}, {flag}, julianday('now'), {values} FROM {name} AS x",
        no = table.no,
        flag = flag::TOUCH,
        name = quote(&table.name)
    )
}

/// Whether a row `x` has the unique key of the new row. NULL claims nothing, but where REPLACE puts the
/// default in its place.
fn claims(table: &Table, key: &UniqueKey) -> String {
    let part = |(at, collation): &(usize, Collation)| {
        let collation = match collation {
            Collation::Custom(name) => quote(name),
            known => known.name().to_owned(),
        };
        let declared = &table.columns[*at];
        let new = match &declared.default {
            Some(default) if declared.not_null => {
                format!("ifnull({}, ({default}))", column(table, "NEW", *at))
            }
            _ => column(table, "NEW", *at),
        };
        format!("{} = {new} COLLATE {collation}", column(table, "x", *at))
    };
    key.columns.iter().map(part).collect::<Vec<_>>().join(" AND ")
}

/// Whether a row `x` has another primary key than `side`.
fn other_key(table: &Table, side: &str) -> String {
    let part =
        |&at: &usize| format!("{} IS NOT {} COLLATE BINARY", column(table, "x", at), column(table, side, at));
    table.key.iter().map(part).collect::<Vec<_>>().join(" OR ")
}

/// Every name that a trigger of this table can have.
pub(super) fn names_of(table_no: u32) -> [String; 6] {
    ["insert", "delete", "update", "rekey", "touch_insert", "touch_update"]
        .map(|purpose| format!("{PREFIX}{table_no}_{purpose}"))
}

/// A list of names as SQL literals.
pub(super) fn literals(names: &[String]) -> String {
    names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ")
}

//! What each column of a table is for.

use pocketsync_core::value::Value;
use rusqlite::Connection;

use super::catalog::{CatalogKey, ForeignKey, Table};
use super::probe::Probe;
use super::values::{claims, guesses, key_part};
use super::{Column, Key, Kind, Role, TableShape, WriteId, stamped};

/// How many values a UNIQUE column alone draws from: devices collide, but not all the time.
const UNIQUE_POOL: u32 = 24;
/// The same for a column that is unique together with others, or is part of a key.
const PART_POOL: u32 = 8;
/// How many values a CHECK pool keeps.
const CHECK_POOL: usize = 12;

/// The shape of a table; `parents` are those of the tables before it.
pub(super) fn table_shape(
    connection: &Connection,
    table: &Table,
    names: &[&str],
    parents: &[TableShape],
) -> rusqlite::Result<TableShape> {
    let sql: String = connection.query_row(
        "SELECT coalesce(sql, '') FROM sqlite_schema WHERE type = 'table' AND name = ?1",
        [&table.name],
        |row| row.get(0),
    )?;
    let roles: Vec<Role> =
        (0..table.columns.len()).map(|column| wish(table, column, names, parents)).collect();
    let probe = Probe::new(connection, table);
    let roles = tried(&probe, table, roles, &sql);
    let mut columns: Vec<Column> = table
        .columns
        .iter()
        .zip(roles)
        .map(|(column, role)| {
            let nullable = !column.not_null && role != Role::RowKey;
            Column { name: column.name.clone(), role, nullable }
        })
        .collect();
    let key = match &table.key {
        CatalogKey::Rowid(column) => {
            if let Some(tag) = choose_tag(table, &columns) {
                columns[tag].role = Role::Tag;
            }
            Key::Surrogate { column: *column }
        }
        CatalogKey::Declared(key) => Key::Natural { columns: key.columns.clone() },
        CatalogKey::Absent => Key::Natural { columns: Vec::new() },
    };
    Ok(TableShape { name: table.name.clone(), key, columns })
}

/// What a column would be for if no CHECK were in the way.
fn wish(table: &Table, column: usize, names: &[&str], parents: &[TableShape]) -> Role {
    let affinity = table.columns[column].affinity;
    if let CatalogKey::Rowid(key) = table.key
        && key == column
    {
        return Role::RowKey;
    }
    match table.references.iter().find_map(|key| reference(key, column, names, parents)) {
        Some(Role::Reference { table: parent, .. }) => {
            return Role::Reference { table: parent, with: always_with(table, column) };
        }
        Some(role) => return role,
        None => {}
    }
    if let CatalogKey::Declared(key) = &table.key
        && let Some(part) = key.columns.iter().position(|part| *part == column)
    {
        let pool = if key.columns.len() == 1 { UNIQUE_POOL } else { PART_POOL };
        return match affinity.kind() {
            Kind::Text if !key.nocase[part] => Role::KeyPart { pool },
            _ => Role::Pool(claims(affinity, key.nocase[part], pool)),
        };
    }
    let claim = table.unique.iter().find_map(|unique| {
        let part = unique.columns.iter().position(|part| *part == column)?;
        let pool = if unique.columns.len() == 1 { UNIQUE_POOL } else { PART_POOL };
        Some(Role::Pool(claims(affinity, unique.nocase[part], pool)))
    });
    claim.unwrap_or(Role::Free(affinity.kind()))
}

/// What a column is for that a foreign key covers: it refers to a row where it holds that row's
/// whole key; else it draws from the same values as the column that it refers to.
fn reference(key: &ForeignKey, column: usize, names: &[&str], parents: &[TableShape]) -> Option<Role> {
    let part = key.columns.iter().position(|(here, _)| *here == column)?;
    let parent = names.iter().position(|name| name.eq_ignore_ascii_case(&key.parent))?;
    // A table that refers to itself, or comes later in a cycle, has no shape yet.
    let Some(shape) = parents.get(parent) else {
        return (key.columns.len() == 1).then_some(Role::Reference { table: parent, with: Vec::new() });
    };
    let parent_key: &[usize] = match &shape.key {
        Key::Surrogate { column } => std::slice::from_ref(column),
        Key::Natural { columns } => columns,
    };
    let there = match &key.columns[part].1 {
        Some(name) => shape.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))?,
        None => *parent_key.get(part)?,
    };
    if parent_key == [there] && key.columns.len() == 1 {
        return Some(Role::Reference { table: parent, with: Vec::new() });
    }
    match &shape.columns[there].role {
        Role::KeyPart { pool } => Some(Role::Pool((0..*pool).map(key_part).collect())),
        role @ (Role::Pool(_) | Role::Reference { .. }) => Some(role.clone()),
        _ => None,
    }
}

/// The other columns of all foreign keys that cover a column.
fn always_with(table: &Table, column: usize) -> Vec<usize> {
    let covers = |key: &ForeignKey, column: usize| key.columns.iter().any(|(here, _)| *here == column);
    let others = (0..table.columns.len()).filter(|other| *other != column);
    others
        .filter(|other| {
            table.references.iter().filter(|key| covers(key, column)).all(|key| covers(key, *other))
        })
        .collect()
}

/// Tries the wishes on the table itself. Where a CHECK, a type or a trigger refuses some values, the
/// column becomes a pool of those that pass; an empty pool says that no row was found at all.
fn tried(probe: &Probe<'_>, table: &Table, wishes: Vec<Role>, sql: &str) -> Vec<Role> {
    let choices: Vec<Vec<Value>> = (0..wishes.len())
        .map(|column| {
            let mut values = Vec::new();
            for value in
                wished_values(&wishes[column]).into_iter().chain(guesses(table.columns[column].affinity, sql))
            {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            if !table.columns[column].not_null {
                values.push(Value::Null);
            }
            values
        })
        .collect();
    let Ok(bases) = probe.bases(&choices) else {
        return wishes
            .into_iter()
            .map(|role| if role == Role::RowKey { role } else { Role::Pool(Vec::new()) })
            .collect();
    };
    let passes = |column: usize, value: &Value, base: &[Value]| {
        let mut row = base.to_vec();
        row[column] = value.clone();
        probe.takes(&row).is_ok()
    };
    let role = |(column, wish): (usize, Role)| {
        let always = |value: &Value| bases.iter().all(|base| passes(column, value, base));
        let ever = |value: &&Value| bases.iter().any(|base| passes(column, value, base));
        match wish {
            // Which integers a reference holds is not known before there are rows.
            Role::RowKey | Role::Reference { .. } | Role::Tag => wish,
            Role::KeyPart { .. } | Role::Free(_) if wished_values(&wish).iter().all(always) => wish,
            Role::Pool(values) if values.iter().all(|value| ever(&value)) => Role::Pool(values),
            _ => Role::Pool(choices[column].iter().filter(ever).take(CHECK_POOL).cloned().collect()),
        }
    };
    wishes.into_iter().enumerate().map(role).collect()
}

/// Values that stand for all that a role puts into its column.
fn wished_values(role: &Role) -> Vec<Value> {
    match role {
        Role::RowKey => vec![Value::Null],
        Role::KeyPart { pool } => (0..*pool).map(key_part).collect(),
        Role::Tag => vec![Value::text("r1")],
        Role::Free(kind) => {
            let small = [1, 12, 1_000_000, 1_000_000_000_000].map(|id| stamped(*kind, WriteId(id), 0));
            small.into_iter().chain([stamped(*kind, WriteId(1), 600)]).collect()
        }
        Role::Reference { .. } => vec![Value::Integer(1), Value::text("k1")],
        Role::Pool(values) | Role::Merges { begin: values, .. } => values.clone(),
        Role::Absent => Vec::new(),
    }
}

/// The column that says which row this is: free text that is always there, else free text, else
/// text that is unique anyhow.
fn choose_tag(table: &Table, columns: &[Column]) -> Option<usize> {
    let free = |column: &Column| column.role == Role::Free(Kind::Text);
    let claimed_alone = |column: usize| {
        table.unique.iter().any(|unique| unique.columns == [column])
            && table.columns[column].affinity.kind() == Kind::Text
            && matches!(&columns[column].role, Role::Pool(values) if values.len() == UNIQUE_POOL as usize)
    };
    let always = columns.iter().position(|column| free(column) && !column.nullable);
    always
        .or_else(|| columns.iter().position(free))
        .or_else(|| (0..columns.len()).find(|column| claimed_alone(*column)))
}

//! Edits that fit any schema: a text cell changed, a row copied, a row deleted.

use pocketsync::rusqlite::Connection;

use crate::failure::{Context, Result};

/// What an edit leaves behind to look at.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    /// Which device makes it.
    pub(crate) device: usize,
    /// What it runs.
    pub(crate) sql: String,
    /// What makes it interesting.
    pub(crate) why: &'static str,
    /// A query for the text to show in the end; one value.
    pub(crate) look: String,
}

/// A table as far as edits need to know it.
struct Editable {
    name: String,
    /// Text columns that no key, reference or index contains.
    texts: Vec<String>,
    /// What an INSERT of a copy names; empty where the key is not an integer that SQLite gives.
    copied: Vec<String>,
    /// Conditions that choose one row each, the first rows and the last.
    rows: Vec<String>,
}

/// Edits of the tables with these names, for three devices, as far as the schema has room.
pub(crate) fn plan(conn: &Connection, tables: &[String]) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    let mut changed = 0;
    for name in tables {
        let table = editable(conn, name)?;
        if table.rows.len() >= 3 && !table.texts.is_empty() && changed < 2 {
            changed += 1;
            update(&table, &mut edits);
        }
        if !table.copied.is_empty() && table.rows.len() >= 2 && changed < 3 {
            copy(&table, &mut edits);
        }
        if table.rows.len() >= 4 {
            delete(&table, &mut edits);
        }
    }
    Ok(edits)
}

fn update(table: &Editable, edits: &mut Vec<Edit>) {
    let name = quoted(&table.name);
    let mut set = |device: usize, by: &str, text: &str, row: &str, why| {
        let column = quoted(text);
        edits.push(Edit {
            device,
            sql: format!("UPDATE {name} SET {column} = 'from the {by}' WHERE {row}"),
            why,
            look: format!("SELECT {column} FROM {name} WHERE {row}"),
        });
    };
    set(0, "phone", &table.texts[0], &table.rows[0], "a cell");
    set(1, "laptop", &table.texts[0], &table.rows[0], "the same cell, later");
    if let [first, second, ..] = table.texts.as_slice() {
        set(1, "laptop", first, &table.rows[1], "one column of a row");
        set(2, "tablet", second, &table.rows[1], "another column of that row");
    }
}

fn copy(table: &Editable, edits: &mut Vec<Edit>) {
    let name = quoted(&table.name);
    let columns = table.copied.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    for (device, why) in [(0, "takes the next integer"), (2, "takes the same integer")] {
        edits.push(Edit {
            device,
            sql: format!(
                "INSERT INTO {name}({columns}) SELECT {columns} FROM {name} WHERE {}",
                table.rows[0]
            ),
            why,
            look: format!("SELECT count(*) || ' rows' FROM {name}"),
        });
    }
}

fn delete(table: &Editable, edits: &mut Vec<Edit>) {
    let name = quoted(&table.name);
    let last = table.rows.last().expect("there are four");
    edits.push(Edit {
        device: 1,
        sql: format!("DELETE FROM {name} WHERE {last}"),
        why: "a row goes",
        look: format!("SELECT count(*) || ' such rows' FROM {name} WHERE {last}"),
    });
    if let Some(text) = table.texts.first() {
        edits.push(Edit {
            device: 2,
            sql: format!("UPDATE {name} SET {} = 'from the tablet' WHERE {last}", quoted(text)),
            why: "a row that the laptop may have deleted",
            look: format!("SELECT count(*) || ' such rows' FROM {name} WHERE {last}"),
        });
    }
}

fn editable(conn: &Connection, name: &str) -> Result<Editable> {
    let columns: Vec<(String, String, i64)> = rows(
        conn,
        "SELECT name, upper(type), pk FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid",
        name,
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let bound: Vec<String> = rows(
        conn,
        "SELECT \"from\" FROM pragma_foreign_key_list(?1)
         UNION SELECT i.name FROM pragma_index_list(?1) AS l, pragma_index_info(l.name) AS i WHERE i.name IS NOT NULL",
        name,
        |row| row.get(0),
    )?;
    let mut key: Vec<&(String, String, i64)> = columns.iter().filter(|(_, _, pk)| *pk > 0).collect();
    key.sort_by_key(|(_, _, pk)| *pk);
    let integer_key = matches!(key.as_slice(), [(_, kind, _)] if kind == "INTEGER");
    let is_text = |kind: &str| ["CHAR", "TEXT", "CLOB"].iter().any(|part| kind.contains(part));
    let texts = columns
        .iter()
        .filter(|(column, kind, pk)| *pk == 0 && is_text(kind) && !bound.contains(column))
        .map(|(column, ..)| column.clone())
        .collect();
    let copied = match integer_key {
        true => columns.iter().filter(|(_, _, pk)| *pk == 0).map(|(column, ..)| column.clone()).collect(),
        false => Vec::new(),
    };
    Ok(Editable { name: name.to_owned(), texts, copied, rows: conditions(conn, name, &key)? })
}

/// Conditions for the first three rows and the last.
fn conditions(conn: &Connection, name: &str, key: &[&(String, String, i64)]) -> Result<Vec<String>> {
    if key.is_empty() {
        return Ok(Vec::new());
    }
    let condition = key
        .iter()
        .map(|(column, ..)| {
            format!("'{} = ' || quote({})", quoted(column).replace('\'', "''"), quoted(column))
        })
        .collect::<Vec<_>>()
        .join(" || ' AND ' || ");
    let order = |direction: &str| {
        key.iter()
            .map(|(column, ..)| format!("{} {direction}", quoted(column)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let table = quoted(name);
    let select = format!(
        "SELECT * FROM (SELECT {condition} FROM {table} ORDER BY {} LIMIT 3)
         UNION ALL SELECT * FROM (SELECT {condition} FROM {table} ORDER BY {} LIMIT 1)",
        order("ASC"),
        order("DESC")
    );
    let mut select = conn.prepare(&select).context(format!("cannot read {name}"))?;
    let found = select.query_map((), |row| row.get::<_, String>(0)).and_then(Iterator::collect);
    let mut found: Vec<String> = found.context(format!("cannot read {name}"))?;
    if found.len() < 4 || found[..3].contains(&found[3]) {
        found.pop();
    }
    Ok(found)
}

fn rows<T>(
    conn: &Connection,
    sql: &str,
    table: &str,
    read: impl FnMut(&pocketsync::rusqlite::Row<'_>) -> pocketsync::rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut select = conn.prepare(sql).context(format!("cannot read the schema of {table}"))?;
    let found = select.query_map([table], read).and_then(Iterator::collect);
    found.context(format!("cannot read the schema of {table}"))
}

/// A name as SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_fit_the_schema_that_they_were_planned_for() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE \"odd \"\"name\" (\"k'1\" TEXT, k2 BLOB, note TEXT, more VARCHAR(9), PRIMARY KEY (\"k'1\", k2)) WITHOUT ROWID;
             CREATE TABLE plain (id INTEGER PRIMARY KEY, label TEXT, up INTEGER REFERENCES plain(id));
             CREATE TABLE empty (id INTEGER PRIMARY KEY, label TEXT);
             INSERT INTO \"odd \"\"name\" VALUES ('it''s', x'00', 'a', 'b'), ('b', 1, 'a', 'b'), ('c', 1.5, 'a', 'b'), ('d', 'x', 'a', 'b');
             INSERT INTO plain(label) VALUES ('a'), ('b'), ('c'), ('d'), ('e');",
        )
        .unwrap();
        let tables = ["odd \"name", "plain", "empty"].map(str::to_owned);
        let edits = plan(&conn, &tables).unwrap();
        assert!(edits.iter().any(|edit| edit.sql.starts_with("INSERT INTO \"plain\"")));
        assert!(edits.iter().any(|edit| edit.sql.starts_with("DELETE FROM \"odd")));
        assert!(edits.iter().all(|edit| !edit.sql.contains("\"empty\"")));
        for edit in edits {
            let changed = conn.execute(&edit.sql, ()).unwrap();
            let after_delete = edit.why.contains("may have deleted");
            assert!(changed == 1 || after_delete, "{}", edit.sql);
            if !after_delete {
                conn.query_row(&edit.look, (), |row| row.get::<_, String>(0)).unwrap();
            }
        }
    }
}

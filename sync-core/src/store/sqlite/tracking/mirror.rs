//! The application's triggers that keep derived data, run for remote changes too.
//!
//! The engine writes with the schema's triggers switched off, since their effects on tracked tables
//! come from the origin. What a trigger does to tables that are not tracked (a full-text index,
//! say) does not come from anywhere, so such triggers are mirrored as TEMP triggers of the engine's
//! connection, which fire all the same (since SQLite 3.35).

use rusqlite::Connection;

use super::super::catalog::Catalog;
use super::super::system::{PREFIX, literal, quote};

/// Mirrors the triggers that write only tables that are not tracked, in place of those that were
/// mirrored before. One that this connection cannot run, for want of a function or a module, is
/// left out.
pub(in super::super) fn mirror(conn: &Connection, catalog: &Catalog) -> rusqlite::Result<()> {
    let old: Vec<String> = conn
        .prepare("SELECT name FROM sqlite_temp_master WHERE type = 'trigger' AND name LIKE '\\_\\_pocketsync\\_%' ESCAPE '\\'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for name in old {
        conn.execute_batch(&format!("DROP TRIGGER temp.{}", quote(&name)))?;
    }
    for table in catalog.tables.values() {
        let triggers: Vec<String> = conn
            .prepare(&format!(
                "SELECT sql FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = {} COLLATE NOCASE
                 AND name NOT LIKE '\\_\\_pocketsync\\_%' ESCAPE '\\' ORDER BY name",
                literal(&table.name)
            ))?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for (n, sql) in triggers.iter().enumerate() {
            let Some(rest) = derived_only(sql, catalog) else { continue };
            let name = format!("{PREFIX}mirror_{}_{n}", table.no);
            if conn.execute_batch(&format!("CREATE TEMP TRIGGER {name} {rest}")).is_ok()
                && !runs(conn, &table.name, &quote(&table.columns[0].name))
            {
                conn.execute_batch(&format!("DROP TRIGGER temp.{name}"))?;
            }
        }
    }
    Ok(())
}

/// Whether statements on the table can be compiled with its triggers.
fn runs(conn: &Connection, table: &str, column: &str) -> bool {
    let table = quote(table);
    [
        format!("EXPLAIN INSERT INTO main.{table}({column}) VALUES(NULL)"),
        format!("EXPLAIN UPDATE main.{table} SET {column} = NULL"),
        format!("EXPLAIN DELETE FROM main.{table}"),
    ]
    .iter()
    .all(|sql| conn.prepare(sql).is_ok())
}

/// What follows the name in the statement of a trigger that writes, raises nothing, and writes no
/// tracked table.
fn derived_only<'a>(sql: &'a str, catalog: &Catalog) -> Option<&'a str> {
    let tokens = tokens(sql);
    // SQLite stores `CREATE TRIGGER`, and then what was written from the name on.
    let name = 2 + if tokens.get(3)?.is(".") { 2 } else { 0 };
    let rest = &sql[tokens.get(name + 1)?.start..];
    let body = tokens.iter().position(|token| token.is("BEGIN"))?;
    let mut writes = false;
    for (at, token) in tokens.iter().enumerate().skip(body) {
        let next = |n: usize| tokens.get(at + n);
        let target = if token.is("INTO") || token.is("FROM") && tokens[at - 1].is("DELETE") {
            next(1)
        } else if token.is("UPDATE") && !tokens[at - 1].is("DO") {
            next(if next(1)?.is("OR") { 3 } else { 1 })
        } else if token.is("RAISE") {
            return None;
        } else {
            continue;
        };
        if catalog.by_name(&target?.name()).is_some() {
            return None;
        }
        writes = true;
    }
    writes.then_some(rest)
}

/// A word, a quoted name or string, or one sign.
struct Token<'a> {
    start: usize,
    text: &'a str,
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    /// The name that it is, without its quotes.
    fn name(&self) -> String {
        let close = match self.text.chars().next() {
            Some('[') => ']',
            Some(quote @ ('"' | '`' | '\'')) => quote,
            _ => return self.text.to_owned(),
        };
        self.text[1..]
            .strip_suffix(close)
            .unwrap_or_default()
            .replace(&format!("{close}{close}"), &close.to_string())
    }
}

fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
        let len = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if rest.starts_with("--") {
            at += rest.find('\n').map_or(rest.len(), |end| end + 1);
            continue;
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            continue;
        } else if matches!(first, '"' | '`' | '\'') {
            quoted(rest, first)
        } else if first == '[' {
            rest.find(']').map_or(rest.len(), |end| end + 1)
        } else if word(first) {
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        tokens.push(Token { start: at, text: &rest[..len] });
        at += len;
    }
    tokens
}

/// The length of a quoted part, in which the quote is written twice.
fn quoted(rest: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(end) = rest[at..].find(quote) {
        at += end + 1;
        if !rest[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    rest.len()
}

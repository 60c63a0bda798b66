//! The rows of a table before and after a rebuild that the engine runs itself.

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::system::{PREFIX, flag, key_column, quote};
use super::triggers::{MAX_BIT, bit, differs};
use crate::store::StoreError;

fn before(no: u32) -> String {
    format!("temp.{PREFIX}before_{no}")
}

/// Keeps a copy of the rows as they are now, with its columns called by their numbers.
pub(in super::super) fn remember(engine: &Engine, no: u32) -> Result<(), StoreError> {
    let Some(table) = engine.catalog.tables.get(&no) else { return Ok(()) };
    let columns = table.columns.iter().map(|column| format!("{} AS c{}", quote(&column.name), column.no));
    let columns = columns.collect::<Vec<_>>().join(", ");
    let key = table.key.iter().map(|&at| format!("c{}", table.columns[at].no)).collect::<Vec<_>>().join(", ");
    let copy = before(no);
    engine.conn.execute_batch(&format!(
        "CREATE TABLE {copy} AS SELECT {columns} FROM main.{};
         CREATE INDEX {copy}_key ON {PREFIX}before_{no}({key});",
        quote(&table.name)
    ))?;
    Ok(())
}

/// Forgets the copy.
pub(in super::super) fn forget(engine: &Engine, no: u32) -> Result<(), StoreError> {
    Ok(engine.conn.execute_batch(&format!("DROP TABLE IF EXISTS {}", before(no)))?)
}

/// Journals an update for each row whose values are others now than before. Answers how many;
/// `None` where the rows cannot be found again, since their key is another one.
pub(in super::super) fn journal(engine: &Engine, table: &Table) -> Result<Option<u64>, StoreError> {
    let copy = before(table.no);
    let present: Vec<String> = engine
        .conn
        .prepare(&format!("PRAGMA temp.table_info({PREFIX}before_{})", table.no))?
        .query_map([], |row| row.get("name"))?
        .collect::<Result<_, _>>()?;
    let is_present = |no: u32| present.contains(&format!("c{no}"));
    if table.key.iter().any(|&at| !is_present(table.columns[at].no)) {
        return Ok(None);
    }
    let old: Vec<String> = table
        .columns
        .iter()
        .filter(|column| is_present(column.no))
        .map(|column| format!("c{} AS {}", column.no, quote(&column.name)))
        .collect();
    let compared: Vec<(u32, String)> = table
        .columns
        .iter()
        .enumerate()
        .filter(|(at, column)| is_present(column.no) && !table.key.contains(at))
        .map(|(_, column)| (column.no, differs(&column.name, &column.declared_type)))
        .collect();
    if compared.is_empty() {
        return Ok(Some(0));
    }
    let last = table.columns.last().map_or(0, |column| column.no);
    let mask = if last <= MAX_BIT {
        compared.iter().map(|(no, differs)| bit(*no, differs)).collect::<Vec<_>>().join(" | ")
    } else {
        let letter = |no: u32| {
            let differs = compared.iter().find(|(column, _)| *column == no).map(|(_, differs)| differs);
            differs.map_or_else(|| "'0'".to_owned(), |differs| format!("({differs})"))
        };
        (0..=last).map(letter).collect::<Vec<_>>().join(" || ")
    };
    let key = |side: &str, at: usize| format!("{side}.{}", quote(&table.columns[at].name));
    let same: Vec<_> = table
        .key
        .iter()
        .map(|&at| {
            format!(
                "{new} = {old} AND {new} COLLATE BINARY = {old}",
                new = key("NEW", at),
                old = key("OLD", at)
            )
        })
        .collect();
    let journal_keys = (1..=table.key.len()).map(key_column).collect::<Vec<_>>().join(", ");
    let keys = table.key.iter().map(|&at| key("NEW", at)).collect::<Vec<_>>().join(", ");
    let any = compared.iter().map(|(_, differs)| format!("({differs})")).collect::<Vec<_>>().join(" OR ");
    let rows = engine.conn.execute(
        &format!(
            "INSERT INTO {PREFIX}journal(t, f, m, at, {journal_keys})
             SELECT {no}, {update}, {mask}, julianday('now'), {keys}
             FROM main.{name} AS NEW JOIN (SELECT {old} FROM {copy}) AS OLD ON {same} WHERE {any}",
            no = table.no,
            update = flag::UPDATE,
            name = quote(&table.name),
            old = old.join(", "),
            same = same.join(" AND "),
        ),
        [],
    )?;
    Ok(Some(rows as u64))
}

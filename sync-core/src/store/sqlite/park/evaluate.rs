//! Unique keys over expressions or a part of the rows: SQLite itself says what a row has there.

use rusqlite::params_from_iter;

use super::super::catalog::{Evaluated, Table};
use super::super::engine::Engine;
use super::super::refs::{Bound, value};
use super::super::system::quote;
use crate::store::StoreError;
use crate::value::Value;

/// What a row with these values, one for each column, has in the expressions of a key. `None`: the
/// key is not about this row, or what it says cannot be computed here (a function that the
/// application has not given to this connection), so that SQLite's word decides when the row is
/// written.
pub(super) fn evaluate(
    engine: &Engine,
    table: &Table,
    key: &Evaluated,
    values: &[Value],
) -> Result<Option<Vec<Value>>, StoreError> {
    let columns = table.columns.iter().enumerate();
    let columns: Vec<String> =
        columns.map(|(n, column)| format!("?{} AS {}", n + 1, quote(&column.name))).collect();
    let condition = key.condition.as_deref().unwrap_or("1");
    let mut selected = vec![format!("CASE WHEN {condition}\n THEN 1 ELSE 0 END")];
    selected.extend(key.parts.iter().map(|(part, _)| format!("{part}\n")));
    // The line ends close a comment.
    let sql = format!("SELECT {} FROM (SELECT {})", selected.join(", "), columns.join(", "));
    let Ok(mut statement) = engine.conn.prepare_cached(&sql) else { return Ok(None) };
    let answer = statement.query_row(params_from_iter(values.iter().map(Bound)), |row| {
        let is_in: bool = row.get(0)?;
        let parts = (1..=key.parts.len()).map(|n| row.get_ref(n).map(value));
        let parts = parts.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok((is_in && !parts.contains(&Value::Null)).then_some(parts))
    });
    match answer {
        Ok(parts) => Ok(parts),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => {
            Err(error.into())
        }
        Err(_) => Ok(None),
    }
}

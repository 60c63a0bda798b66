//! One statement for many rows: what SQLite does once a statement costs more than what it does once a row.

use rusqlite::{Connection, Statement};

/// The most rows of one statement; more save little. So few in debug builds that tests with few rows come to it.
const MOST: usize = if cfg!(debug_assertions) { FEWEST } else { 32 };

/// The fewest that are worth a statement of their own.
const FEWEST: usize = 4;

/// The most parameters; every SQLite takes as many.
const PARAMETERS: usize = 999;

/// How many rows of so many values one statement takes; `None` where one for many is not worth it.
pub(crate) fn rows_at_once(values: usize) -> Option<usize> {
    Some((PARAMETERS / values.max(1)).min(MOST)).filter(|&rows| rows >= FEWEST)
}

/// `(?, ?), (?, ?)`: the values of so many rows.
pub(crate) fn marks(rows: usize, values: usize) -> String {
    let row = format!("({})", vec!["?"; values].join(", "));
    vec![row; rows].join(", ")
}

/// A statement that puts rows into a table: for one, and for many of them.
#[derive(Debug)]
pub struct Rows {
    /// For one row.
    pub one: String,
    many: Option<(usize, String)>,
}

impl Rows {
    /// `INSERT INTO … VALUES` and what comes after the values, of rows of so many.
    pub(super) fn new(begin: &str, values: usize, end: &str) -> Self {
        let sql = |rows| format!("{begin} {}{end}", marks(rows, values));
        Rows { one: sql(1), many: rows_at_once(values).map(|rows| (rows, sql(rows))) }
    }

    /// Puts rows in, in order. `bind` binds one from the parameter with this number on, and answers with the number
    /// of the next one.
    ///
    /// # Errors
    /// What `bind` fails with, and when the table does not take a row.
    pub(crate) fn put<T>(
        &self,
        conn: &Connection,
        rows: &[T],
        mut bind: impl FnMut(&mut Statement<'_>, usize, &T) -> rusqlite::Result<usize>,
    ) -> rusqlite::Result<()> {
        let mut put = |sql: &str, at_once: usize, rows: &[T]| {
            if rows.is_empty() {
                return Ok(());
            }
            let mut statement = conn.prepare_cached(sql)?;
            for rows in rows.chunks(at_once) {
                rows.iter().try_fold(1, |first, row| bind(&mut statement, first, row))?;
                statement.raw_execute()?;
            }
            Ok(())
        };
        let Some((at_once, sql)) = &self.many else { return put(&self.one, 1, rows) };
        let (many, rest) = rows.split_at(rows.len() - rows.len() % at_once);
        put(sql, *at_once, many)?;
        put(&self.one, 1, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_are_put_in_whatever_their_number() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b)").unwrap();
        let rows = Rows::new("INSERT INTO t(a, b) VALUES", 2, " ON CONFLICT(a) DO UPDATE SET b = excluded.b");
        for count in [0_i64, 1, 31, 32, 33, 64, 100] {
            let put: Vec<(i64, i64)> = (0..count).map(|n| (n, n + count)).collect();
            rows.put(&conn, &put, |statement, first, (a, b)| {
                statement.raw_bind_parameter(first, a)?;
                statement.raw_bind_parameter(first + 1, b)?;
                Ok(first + 2)
            })
            .unwrap();
            let sql = "SELECT count(*) FROM t WHERE b = a + ?1";
            assert_eq!(conn.query_row(sql, [count], |row| row.get::<_, i64>(0)).unwrap(), count);
        }
    }

    #[test]
    fn a_row_of_many_values_has_a_statement_to_itself() {
        assert_eq!(rows_at_once(0), Some(MOST));
        assert_eq!(rows_at_once(6), Some(MOST));
        assert_eq!(rows_at_once(100), Some(MOST.min(9)));
        assert_eq!(rows_at_once(300), None);
    }
}

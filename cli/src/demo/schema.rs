//! The demo's own database: shopping lists, with integer keys and foreign keys, as an ordinary
//! application would have made it.

use pocketsync::rusqlite::Connection;

use super::view::Row;
use crate::failure::{Context, Result};

/// The tables, and what every device begins with.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE shop (
        id   INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    );
    CREATE TABLE item (
        id   INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        qty  INTEGER NOT NULL DEFAULT 1,
        done INTEGER NOT NULL DEFAULT 0,
        shop INTEGER REFERENCES shop(id)
    );";

/// The first rows, written on the first device.
pub(crate) const ROWS: &str = "
    INSERT INTO shop(name) VALUES ('Dairy');
    INSERT INTO item(name, qty, shop) VALUES ('Milk', 1, 1), ('Bread', 1, NULL), ('Eggs', 6, 1), ('Soap', 2, NULL);";

/// The items as the application's screen would show them, the shop by its name, in an order that
/// does not depend on the integers.
pub(crate) fn rows(conn: &Connection) -> Result<Vec<Row>> {
    let mut select = conn
        .prepare(
            "SELECT item.id, item.name, qty, CASE done WHEN 0 THEN '' ELSE 'yes' END, coalesce(shop.name, '')
             FROM item LEFT JOIN shop ON shop.id = item.shop ORDER BY item.name, item.id",
        )
        .context("cannot read the demo's tables")?;
    let rows = select.query_map((), |row| {
        Ok(Row {
            id: row.get(0)?,
            name: row.get(1)?,
            qty: row.get::<_, i64>(2)?.to_string(),
            done: row.get(3)?,
            shop: row.get(4)?,
        })
    });
    rows.and_then(Iterator::collect).context("cannot read the demo's tables")
}

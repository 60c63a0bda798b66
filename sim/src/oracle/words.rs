//! How oracles name things.

use crate::shape::{RowTag, Shape};
use crate::story::DeviceNo;

/// A row: `tasks r7`.
pub(super) fn row(shape: &Shape, tag: &RowTag) -> String {
    let table = shape.tables.get(tag.table).map_or("?", |table| table.name.as_str());
    format!("{table} {}", tag.name)
}

/// A cell: `tasks r7.title`.
pub(super) fn cell(shape: &Shape, tag: &RowTag, column: usize) -> String {
    let columns = shape.tables.get(tag.table).map_or(&[][..], |table| &table.columns);
    let name = columns.get(column).map_or("?", |column| column.name.as_str());
    format!("{}.{name}", row(shape, tag))
}

/// A replica: `d3`, `the hub`.
pub(super) fn replica(device: Option<DeviceNo>) -> String {
    device.map_or_else(|| "the hub".to_owned(), |device| device.to_string())
}

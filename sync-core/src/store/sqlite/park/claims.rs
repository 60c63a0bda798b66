//! The unique keys that a row claims, in a form in which equal keys have equal bytes.

use super::super::catalog::{Collation, Table, UniqueKey};
use super::super::refs::key_value;
use super::defaults::Defaults;
use crate::codec::Writer;
use crate::id::RowId;
use crate::store::Record;
use crate::value::Value;

/// One unique key's value in one index.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Claim {
    /// The table's number.
    pub(crate) table: u32,
    /// The position in [`Table::unique_keys`].
    pub(crate) index: usize,
    /// The columns' values, normalised.
    pub(crate) key: Vec<u8>,
}

/// The merged value of a column: a part of a natural id, or a cell. `None` where it was never
/// written.
pub(crate) fn merged<'a>(
    table: &Table,
    id: &'a RowId,
    record: &'a Record,
    position: usize,
) -> Option<&'a Value> {
    if let RowId::Natural(parts) = id
        && let Some(part) = table.key.iter().position(|&key| key == position)
    {
        return parts.get(part);
    }
    record.cells.get(&table.columns[position].no).map(|held| &held.cell.value)
}

/// Whether claims on this key can be compared without SQLite.
///
/// A collation of the application's own cannot; SQLite's word decides there when a row is
/// written. A key that contains the integer key of a surrogate table never collides.
pub(crate) fn is_comparable(table: &Table, key: &UniqueKey) -> bool {
    key.columns.iter().all(|(position, collation)| {
        !matches!(collation, Collation::Custom(_)) && table.integer_key() != Some(*position)
    })
}

/// Everything that a row with these values claims. A key with a NULL claims nothing.
pub(crate) fn claims(table: &Table, id: &RowId, record: &Record, defaults: &Defaults) -> Vec<Claim> {
    let keys = table.unique_keys.iter().enumerate().filter(|(_, key)| is_comparable(table, key));
    keys.filter_map(|(index, key)| {
        let mut writer = Writer::new();
        for (position, collation) in &key.columns {
            let value = merged(table, id, record, *position).or_else(|| defaults.get(table.no, *position));
            match value {
                None | Some(Value::Null) => return None,
                Some(value) => key_part(value, collation, &mut writer),
            }
        }
        Some(Claim { table: table.no, index, key: writer.into_bytes() })
    })
    .collect()
}

/// Appends a value so that two values which are equal under the collation have equal bytes:
/// numbers by value, text without what the collation ignores, references by id.
pub(crate) fn key_part(value: &Value, collation: &Collation, writer: &mut Writer) {
    match (value, collation) {
        (Value::Text(bytes), Collation::NoCase) => Value::Text(bytes.to_ascii_lowercase()).encode(writer),
        (Value::Text(bytes), Collation::RTrim) => {
            let end = bytes.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
            Value::Text(bytes[..end].to_vec()).encode(writer);
        }
        (Value::Dangling(shown), collation) => key_part(shown, collation, writer),
        (Value::Real(_), _) => key_value(value.clone()).encode(writer),
        (other, _) => other.encode(writer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_sqlite_takes_for_equal_are_equal() {
        let part = |value: &Value, collation: &Collation| {
            let mut writer = Writer::new();
            key_part(value, collation, &mut writer);
            writer.into_bytes()
        };
        let equal = [
            (Value::Integer(1), Value::Real(1.0), Collation::Binary),
            (Value::Real(0.0), Value::Real(-0.0), Collation::Binary),
            (Value::text("Bob"), Value::text("bOB"), Collation::NoCase),
            (Value::text("a  "), Value::text("a"), Collation::RTrim),
            (Value::text("  "), Value::text(""), Collation::RTrim),
        ];
        for (a, b, collation) in equal {
            assert_eq!(part(&a, &collation), part(&b, &collation), "{a} {b} {collation:?}");
        }
        let different = [
            (Value::Integer(1), Value::text("1"), Collation::Binary),
            (Value::Integer(1), Value::Real(1.5), Collation::Binary),
            (Value::text("Bob"), Value::text("bob"), Collation::Binary),
            (Value::text("Ä"), Value::text("ä"), Collation::NoCase),
            (Value::text(" a"), Value::text("a"), Collation::RTrim),
            (Value::text("a"), Value::Blob(b"a".to_vec()), Collation::NoCase),
        ];
        for (a, b, collation) in different {
            assert_ne!(part(&a, &collation), part(&b, &collation), "{a} {b} {collation:?}");
        }
    }
}

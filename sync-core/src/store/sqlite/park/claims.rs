//! The unique keys that a row claims, in a form in which equal keys have equal bytes.

use super::super::catalog::{Collation, Evaluated, Table, UniqueKey};
use super::super::refs::key_value;
use super::defaults::Defaults;
use crate::codec::Writer;
use crate::id::RowId;
use crate::store::{Record, StoreError};
use crate::value::Value;

/// One unique key's value in one index.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Claim {
    /// The table's number.
    pub(crate) table: u32,
    /// The number among [`Table::claim_keys`].
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
    let parts = key.evaluated.iter().flat_map(|evaluated| &evaluated.parts);
    let mut collations =
        key.columns.iter().map(|(_, collation)| collation).chain(parts.map(|(_, collation)| collation));
    !collations.any(|collation| matches!(collation, Collation::Custom(_)))
        && !key.depends_on().any(|position| table.integer_key() == Some(position))
}

/// Everything that a row with these values claims. A key with a NULL claims nothing. `shown_as`
/// says which row is shown where a column refers to one, `evaluate` what the row has in the
/// expressions of a key.
pub(crate) fn claims(
    table: &Table,
    id: &RowId,
    record: &Record,
    defaults: &Defaults,
    shown_as: impl Fn(usize, &RowId) -> Result<Option<RowId>, StoreError>,
    evaluate: impl Fn(&Evaluated) -> Result<Option<Vec<Value>>, StoreError>,
) -> Result<Vec<Claim>, StoreError> {
    let mut found = Vec::new();
    'keys: for (index, key) in table.claim_keys().filter(|(_, key)| is_comparable(table, key)) {
        let mut writer = Writer::new();
        for (position, collation) in &key.columns {
            let value = merged(table, id, record, *position).or_else(|| defaults.get(table.no, *position));
            match value {
                None | Some(Value::Null) => continue 'keys,
                Some(Value::Ref(id)) => match shown_as(*position, id)? {
                    Some(other) => Value::Ref(Box::new(other)).encode(&mut writer),
                    None => Value::Ref(id.clone()).encode(&mut writer),
                },
                Some(value) => key_part(value, collation, &mut writer),
            }
        }
        if let Some(evaluated) = &key.evaluated {
            let Some(parts) = evaluate(evaluated)? else { continue };
            for (part, (_, collation)) in parts.iter().zip(&evaluated.parts) {
                key_part(part, collation, &mut writer);
            }
        }
        found.push(Claim { table: table.no, index, key: writer.into_bytes() });
    }
    Ok(found)
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

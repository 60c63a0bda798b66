//! Where a table may show something else than it was given.

use std::borrow::Cow;

use super::refs::key_value;
use crate::value::Value;

/// Whether a column may store this value as another one, by its affinity or
/// because SQLite has no such value. A table that is not changed by this reads back what was
/// written, to the bit.
pub(crate) fn may_change(affinity: Affinity, value: &Value) -> bool {
    match value {
        Value::Null | Value::Blob(_) => false,
        Value::Integer(_) => matches!(affinity, Affinity::Text | Affinity::Real),
        // Whole numbers are stored as integers where that is shorter, which loses the sign of
        // zero; a NaN is stored as NULL.
        Value::Real(real) => {
            real.is_nan()
                || real.fract() == 0.0 && (affinity != Affinity::None || *real == 0.0)
                || affinity == Affinity::Text
        }
        Value::Text(_) => !matches!(affinity, Affinity::Text | Affinity::None),
        // Checked on what it is shown as.
        Value::Ref(_) | Value::Dangling(_) => true,
    }
}

/// What a column of this declared type holds once it is given a value that it takes.
pub(crate) fn stored<'v>(declared_type: &str, value: &'v Value) -> Cow<'v, Value> {
    let affinity = affinity(declared_type);
    // Without an affinity in STRICT tables; elsewhere no number is declared so.
    if affinity == Affinity::None || declared_type == "ANY" {
        return Cow::Borrowed(value);
    }
    let converted = match value {
        Value::Integer(integer) if affinity == Affinity::Text => Some(Value::text(&integer.to_string())),
        Value::Integer(integer) if affinity == Affinity::Real => Some(Value::Real(*integer as f64)),
        // Which digits is SQLite's own business: enough that it is no number any more.
        Value::Real(real) if affinity == Affinity::Text => Some(Value::text(&format!("{real:?}"))),
        Value::Real(_) if affinity != Affinity::Real => Some(key_value(value.clone())),
        Value::Text(text) if affinity != Affinity::Text => number(text).map(|number| match number {
            Value::Integer(integer) if affinity == Affinity::Real => Value::Real(integer as f64),
            Value::Real(_) if affinity != Affinity::Real => key_value(number),
            _ => number,
        }),
        _ => None,
    };
    converted.map_or(Cow::Borrowed(value), Cow::Owned)
}

/// Whether a column of this declared type that is a part of a key shows this part of an id.
pub(crate) fn keeps(declared_type: &str, part: &Value) -> bool {
    match part {
        Value::Dangling(shown) => keeps(declared_type, shown),
        plain => match stored(declared_type, plain) {
            Cow::Borrowed(_) => true,
            Cow::Owned(stored) => key_value(stored) == key_value(plain.clone()),
        },
    }
}

/// The number that a text is for a column of numbers: all of it, but for spaces around it.
fn number(text: &[u8]) -> Option<Value> {
    let text = str::from_utf8(text).ok()?.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    if let Ok(integer) = text.parse() {
        return Some(Value::Integer(integer));
    }
    // Rust reads "inf" and "nan", too.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|_| is_plain).map(Value::Real)
}

/// What a column makes of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Affinity {
    /// Whole numbers.
    Integer,
    /// Text.
    Text,
    /// Nothing: they stay what they are.
    None,
    /// Reals.
    Real,
    /// Numbers.
    Numeric,
}

/// As SQLite determines it from the declared type, in upper case.
pub(crate) fn affinity(declared_type: &str) -> Affinity {
    let has = |part: &str| declared_type.contains(part);
    if has("INT") {
        Affinity::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Affinity::Text
    } else if has("BLOB") || declared_type.is_empty() {
        Affinity::None
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::refs::{Bound, value};
    use super::*;

    #[test]
    fn values_are_stored_as_sqlite_stores_them() {
        let texts =
            ["", " ", "1", " 01\n", "+1", "-1", "1.0", "1.5", ".5", "5.", ".", "1e2", "1e", "e1", "x"];
        let more = ["0x10", "1 2", "--1", "inf", "nan", "9223372036854775807", "9223372036854775808", "1_0"];
        let mut values: Vec<Value> = texts.iter().chain(&more).map(|text| Value::text(text)).collect();
        values.extend([0, 1, -1, 27_303_072_740_933_807, i64::MAX, i64::MIN].map(Value::Integer));
        values.extend([0.5, 1.0, 1e300, f64::INFINITY, -9_223_372_036_854_775_808.0].map(Value::Real));
        values.extend([Value::Null, Value::Blob(b"1".to_vec())]);
        let conn = Connection::open_in_memory().unwrap();
        for declared in ["", "INT", "INTEGER", "TEXT", "VARCHAR(9)", "REAL", "NUMERIC", "BLOB"] {
            conn.execute_batch(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t(c {declared})")).unwrap();
            for given in &values {
                let sql = "INSERT INTO t VALUES(?1) RETURNING c";
                let shown: Value =
                    conn.query_row(sql, [Bound(given)], |row| row.get_ref(0).map(value)).unwrap();
                let stored = stored(declared, given);
                // SQLite writes a number as text in its own way.
                let is_written = matches!((&shown, given), (Value::Text(_), Value::Real(_)));
                if !is_written {
                    assert_eq!(
                        key_value(stored.into_owned()),
                        key_value(shown.clone()),
                        "{given} as {declared}"
                    );
                }
                let same = key_value(shown) == key_value(given.clone());
                assert_eq!(keeps(declared, given), same, "{given} as {declared}");
            }
        }
    }
}

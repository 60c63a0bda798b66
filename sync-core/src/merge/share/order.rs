//! SQLite's order of values: NULL, numbers, text, blobs.

use std::cmp::Ordering;

use crate::value::Value;

/// Compares two values as SQLite does under BINARY. What SQLite has no form for comes last.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Value::Integer(a), Value::Real(b)) => whole_and_real(*a, *b),
        (Value::Real(a), Value::Integer(b)) => whole_and_real(*b, *a).reverse(),
        (Value::Text(a), Value::Text(b)) | (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        _ => class(a).cmp(&class(b)),
    }
}

fn class(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
        Value::Ref(_) | Value::Dangling(_) => 4,
    }
}

/// Without the loss of turning the whole number into a real one.
fn whole_and_real(whole: i64, real: f64) -> Ordering {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if real.is_nan() || real < -TWO_TO_63 {
        return Ordering::Greater;
    }
    if real >= TWO_TO_63 {
        return Ordering::Less;
    }
    let floor = real.floor();
    whole.cmp(&(floor as i64)).then(if real > floor { Ordering::Less } else { Ordering::Equal })
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_order_of_sqlite() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let values = [
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Integer(-1),
            Value::Integer(0),
            Value::Integer(9_007_199_254_740_993),
            Value::Integer(i64::MAX),
            Value::Real(-0.5),
            Value::Real(0.0),
            Value::Real(9_007_199_254_740_992.0),
            Value::Real(9_223_372_036_854_775_807.0),
            Value::Real(-1e300),
            Value::text(""),
            Value::text("a"),
            Value::Blob(vec![]),
            Value::Blob(vec![1]),
        ];
        let bind = |value: &Value| match value {
            Value::Null => rusqlite::types::Value::Null,
            Value::Integer(n) => rusqlite::types::Value::Integer(*n),
            Value::Real(n) => rusqlite::types::Value::Real(*n),
            Value::Text(bytes) => rusqlite::types::Value::Text(String::from_utf8(bytes.clone()).unwrap()),
            Value::Blob(bytes) => rusqlite::types::Value::Blob(bytes.clone()),
            Value::Ref(_) | Value::Dangling(_) => unreachable!("not in the list"),
        };
        for a in &values {
            for b in &values {
                let less = |x: &Value, y: &Value| -> bool {
                    let sql = "SELECT coalesce(?1 < ?2, ?1 IS NULL AND ?2 IS NOT NULL)";
                    conn.query_row(sql, [bind(x), bind(y)], |row| row.get(0)).unwrap()
                };
                let expected = match (less(a, b), less(b, a)) {
                    (true, _) => Ordering::Less,
                    (_, true) => Ordering::Greater,
                    _ => Ordering::Equal,
                };
                assert_eq!(compare(a, b), expected, "{a} and {b}");
            }
        }
    }
}

//! Values to SQLite and from it.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::value::Value;

/// A value to be bound, text as the bytes that it is. A reference that was not translated has no
/// form in SQLite; binding one is an error. A dangling reference is bound as what it shows.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a>(pub &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        borrowed(self.0).map(ToSqlOutput::Borrowed)
    }
}

fn borrowed(value: &Value) -> rusqlite::Result<ValueRef<'_>> {
    Ok(match value {
        Value::Null => ValueRef::Null,
        Value::Integer(integer) => ValueRef::Integer(*integer),
        Value::Real(real) => ValueRef::Real(*real),
        Value::Text(bytes) => ValueRef::Text(bytes),
        Value::Blob(bytes) => ValueRef::Blob(bytes),
        Value::Dangling(inner) => borrowed(inner)?,
        Value::Ref(id) => {
            let message = format!("the reference {id} was not translated to a local key");
            return Err(rusqlite::Error::ToSqlConversionFailure(message.into()));
        }
    })
}

/// Values to be bound, in order.
pub fn bound(values: &[Value]) -> impl Iterator<Item = Bound<'_>> {
    values.iter().map(Bound)
}

/// A value as SQLite has it.
pub fn value(from: ValueRef<'_>) -> Value {
    match from {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(bytes) => Value::Text(bytes.to_vec()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

//! Where a table may show something else than it was given.

use crate::value::Value;

/// Whether a column of this declared type may store this value as another one, by its affinity or
/// because SQLite has no such value. A table that is not changed by this reads back what was
/// written, to the bit.
pub(crate) fn may_change(declared_type: &str, value: &Value) -> bool {
    let affinity = affinity(declared_type);
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

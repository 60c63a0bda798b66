//! Values that say which write put them there.

use std::fmt;

use pocketsync_core::value::Value;
use serde::{Deserialize, Serialize};

use super::Kind;

/// One write of one row in a story. No two writes of a run share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct WriteId(pub u64);

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}", self.0)
    }
}

/// The value that a write puts into a free column, padded to about `bytes`.
///
/// ```
/// use pocketsync_sim::shape::{Kind, WriteId, stamp_of, stamped};
/// let value = stamped(Kind::Text, WriteId(12), 8);
/// assert_eq!(stamp_of(&value), Some(WriteId(12)));
/// ```
pub fn stamped(kind: Kind, write: WriteId, bytes: usize) -> Value {
    match kind {
        Kind::Text => {
            let mut text = write.to_string();
            if text.len() < bytes {
                text.push(' ');
                text.extend(std::iter::repeat_n('.', bytes.saturating_sub(text.len())));
            }
            Value::text(&text)
        }
        Kind::Integer => Value::Integer(write.0.cast_signed()),
        Kind::Real => Value::Real(write.0 as f64 + 0.5),
        Kind::Blob => {
            let mut blob = write.0.to_be_bytes().to_vec();
            blob.resize(blob.len().max(bytes), 0);
            Value::Blob(blob)
        }
    }
}

/// Which write put a value into a free column; `None` for NULL and for what no write of a story
/// puts anywhere.
pub fn stamp_of(value: &Value) -> Option<WriteId> {
    match value {
        Value::Text(text) => {
            let text = std::str::from_utf8(text).ok()?;
            let digits = text.strip_prefix('w')?.split(' ').next()?;
            digits.parse().ok().map(WriteId)
        }
        Value::Integer(number) => u64::try_from(*number).ok().map(WriteId),
        Value::Real(number) if *number >= 0.5 => Some(WriteId((number - 0.5) as u64)),
        Value::Blob(blob) => Some(WriteId(u64::from_be_bytes(blob.get(..8)?.try_into().ok()?))),
        _ => None,
    }
}

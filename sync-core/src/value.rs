//! Cell values as SQLite has them, and references to rows.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::codec::{DecodeError, Reader, Writer};
use crate::id::RowId;

/// A cell's value: SQLite's five storage classes, and two forms of foreign key.
///
/// Equality and order are those of the content to the bit (`1` is not `1.0`, `0.0` is not
/// `-0.0`). The order is total and has no meaning beyond breaking ties the same way everywhere.
///
/// ```
/// use pocketsync_core::value::Value;
/// assert_ne!(Value::Integer(1), Value::Real(1.0));
/// assert_eq!(Value::Text(b"\xff not UTF-8".to_vec()).to_string(), "'\u{fffd} not UTF-8'");
/// ```
#[derive(Clone, Debug)]
pub enum Value {
    /// NULL.
    Null,
    /// A 64-bit signed integer.
    Integer(i64),
    /// A 64-bit float. SQLite stores no NaN.
    Real(f64),
    /// Text as the bytes that the database holds, UTF-8 or not.
    Text(Vec<u8>),
    /// A blob.
    Blob(Vec<u8>),
    /// A foreign key, as the global identity of the row that it points at.
    Ref(Box<RowId>),
    /// A foreign key that pointed at nothing where it was written: shown as it is, and waits for
    /// no parent.
    Dangling(Box<Value>),
}

impl Value {
    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Integer(_) => 1,
            Value::Real(_) => 2,
            Value::Text(_) => 3,
            Value::Blob(_) => 4,
            Value::Ref(_) => 5,
            Value::Dangling(_) => 6,
        }
    }

    /// Text from a Rust string.
    pub fn text(text: &str) -> Self {
        Value::Text(text.as_bytes().to_vec())
    }

    /// About how many bytes this value takes, in memory and on the wire.
    pub fn weight(&self) -> usize {
        match self {
            Value::Null => 1,
            Value::Integer(_) | Value::Real(_) => 9,
            Value::Text(bytes) | Value::Blob(bytes) => bytes.len() + 2,
            Value::Ref(id) => match &**id {
                RowId::Natural(key) => 2 + key.iter().map(Value::weight).sum::<usize>(),
                _ => 18,
            },
            Value::Dangling(value) => 1 + value.weight(),
        }
    }

    /// Appends the canonical bytes: equal values have equal bytes.
    pub fn encode(&self, writer: &mut Writer) {
        writer.byte(self.rank());
        match self {
            Value::Null => {}
            Value::Integer(integer) => writer.signed(*integer),
            Value::Real(real) => writer.bytes(&real.to_bits().to_le_bytes()),
            Value::Text(bytes) | Value::Blob(bytes) => {
                writer.varint(bytes.len() as u64);
                writer.bytes(bytes);
            }
            Value::Ref(id) => id.encode(writer),
            Value::Dangling(value) => value.encode(writer),
        }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When the bytes are not a value, or refer deeper than [`MAX_REF_DEPTH`](crate::id::MAX_REF_DEPTH).
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_nested(reader, crate::id::MAX_REF_DEPTH)
    }

    pub(crate) fn decode_nested(reader: &mut Reader<'_>, depth: usize) -> Result<Self, DecodeError> {
        Ok(match reader.byte()? {
            0 => Value::Null,
            1 => Value::Integer(reader.signed()?),
            2 => Value::Real(f64::from_bits(u64::from_le_bytes(reader.array()?))),
            3 => Value::Text(reader.length_prefixed()?.to_vec()),
            4 => Value::Blob(reader.length_prefixed()?.to_vec()),
            5 => {
                let depth = depth.checked_sub(1).ok_or(DecodeError::TooDeep)?;
                Value::Ref(Box::new(RowId::decode_nested(reader, depth)?))
            }
            6 => {
                let depth = depth.checked_sub(1).ok_or(DecodeError::TooDeep)?;
                Value::Dangling(Box::new(Value::decode_nested(reader, depth)?))
            }
            tag => return Err(DecodeError::UnknownTag { what: "value", tag }),
        })
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Real(a), Value::Real(b)) => a.to_bits().cmp(&b.to_bits()),
            (Value::Text(a), Value::Text(b)) | (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
            (Value::Ref(a), Value::Ref(b)) => a.cmp(b),
            (Value::Dangling(a), Value::Dangling(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Value::Null => {}
            Value::Integer(integer) => integer.hash(state),
            Value::Real(real) => real.to_bits().hash(state),
            Value::Text(bytes) | Value::Blob(bytes) => bytes.hash(state),
            Value::Ref(id) => id.hash(state),
            Value::Dangling(value) => value.hash(state),
        }
    }
}

impl fmt::Display for Value {
    /// As an SQL literal would look; references in angle brackets, long blobs cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Integer(integer) => integer.fmt(f),
            Value::Real(real) => write!(f, "{real:?}"),
            Value::Text(bytes) => {
                write!(f, "'{}'", String::from_utf8_lossy(bytes).replace('\'', "''"))
            }
            Value::Blob(bytes) => {
                f.write_str("x'")?;
                bytes.iter().take(16).try_for_each(|byte| write!(f, "{byte:02x}"))?;
                if bytes.len() > 16 {
                    write!(f, "… {} bytes", bytes.len())?;
                }
                f.write_str("'")
            }
            Value::Ref(id) => write!(f, "<{id}>"),
            Value::Dangling(value) => write!(f, "<dangling {value}>"),
        }
    }
}

//! What one site contributed to a cell, by type.

use std::cmp::Ordering;

use super::json;
use super::order::compare;
use super::set::Elements;
use super::total::Total;
use crate::codec::{DecodeError, Reader, Writer};
use crate::conflict::MergeType;
use crate::value::Value;

/// One site's contribution.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// Of a counter: the sum of the differences that its writes made.
    Counter(Option<Total>),
    /// Of a maximum: the largest value that it wrote.
    Max(Option<Value>),
    /// Of a minimum: the smallest value that it wrote.
    Min(Option<Value>),
    /// Of a set: what it added and removed.
    Set(Elements),
}

impl Part {
    /// No contribution.
    pub fn none(merge: MergeType) -> Self {
        match merge {
            MergeType::Counter => Part::Counter(None),
            MergeType::Max => Part::Max(None),
            MergeType::Min => Part::Min(None),
            MergeType::Set => Part::Set(Elements::default()),
        }
    }

    /// Whether it is a contribution.
    pub fn is_none(&self) -> bool {
        match self {
            Part::Counter(sum) => sum.is_none(),
            Part::Max(value) | Part::Min(value) => value.is_none(),
            Part::Set(elements) => elements.is_none(),
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        match self {
            Part::Counter(sum) => optional(sum.as_ref(), writer, Total::encode),
            Part::Max(value) | Part::Min(value) => optional(value.as_ref(), writer, Value::encode),
            Part::Set(elements) => elements.encode(writer),
        }
    }

    pub(super) fn decode(merge: MergeType, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match merge {
            MergeType::Counter => Part::Counter(read(reader, Total::decode)?),
            MergeType::Max => Part::Max(read(reader, Value::decode)?),
            MergeType::Min => Part::Min(read(reader, Value::decode)?),
            MergeType::Set => Part::Set(Elements::decode(reader)?),
        })
    }
}

fn optional<T>(part: Option<&T>, writer: &mut Writer, encode: impl Fn(&T, &mut Writer)) {
    writer.byte(u8::from(part.is_some()));
    part.into_iter().for_each(|part| encode(part, writer));
}

fn read<T>(
    reader: &mut Reader<'_>,
    decode: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    match reader.byte()? {
        0 => Ok(None),
        1 => decode(reader).map(Some),
        tag => Err(DecodeError::UnknownTag { what: "part of a share", tag }),
    }
}

/// Whether a column of this type can take a value as a difference to what was there. What it cannot
/// take resets the column.
pub(super) fn takes(merge: MergeType, value: &Value) -> bool {
    match merge {
        MergeType::Counter => Total::of(value).is_some(),
        MergeType::Max | MergeType::Min => match value {
            Value::Integer(_) | Value::Text(_) | Value::Blob(_) => true,
            Value::Real(real) => !real.is_nan(),
            Value::Null | Value::Ref(_) | Value::Dangling(_) => false,
        },
        MergeType::Set => json::elements(value).is_some(),
    }
}

/// Which of two values a maximum or minimum shows; equal numbers of different kind have an order, too,
/// so that it is the same one everywhere.
pub(super) fn outermost<'v>(merge: MergeType, a: &'v Value, b: &'v Value) -> &'v Value {
    let order = compare(a, b).then_with(|| a.cmp(b));
    match (merge, order) {
        (MergeType::Min, Ordering::Greater) | (MergeType::Max, Ordering::Less) => b,
        _ => a,
    }
}

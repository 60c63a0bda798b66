//! The compact form of values and keys inside a changeset.

use super::layout::tag;
use super::sites::{SiteReader, SiteWriter};
use super::uuid_text;
use crate::codec::{DecodeError, Reader, Writer};
use crate::id::RowId;
use crate::value::Value;

impl SiteWriter {
    pub(super) fn write_value(&mut self, value: &Value, out: &mut Writer) {
        match value {
            Value::Null => out.byte(tag::NULL),
            Value::Integer(integer) => write_integer(*integer, out),
            Value::Real(real) => write_real(*real, out),
            Value::Text(text) => write_text(text, out),
            Value::Blob(blob) => {
                out.byte(tag::BLOB);
                out.length_prefixed(blob);
            }
            Value::Ref(id) => self.write_reference(id, out),
            Value::Dangling(value) => {
                out.byte(tag::DANGLING);
                self.write_value(value, out);
            }
        }
    }

    /// A key: its count, then its values.
    pub(super) fn write_key(&mut self, key: &[Value], out: &mut Writer) {
        out.varint(key.len() as u64);
        for value in key {
            self.write_value(value, out);
        }
    }

    fn write_reference(&mut self, id: &RowId, out: &mut Writer) {
        match id {
            RowId::Natural(key) => {
                out.byte(tag::REF_NATURAL);
                self.write_key(key, out);
            }
            RowId::Surrogate { site, counter } => {
                out.byte(tag::REF_SURROGATE);
                let number = self.write(*site, out);
                let last = &mut self.last(number).reference;
                out.signed(counter.wrapping_sub(*last) as i64);
                *last = *counter;
            }
            RowId::Genesis(hash) => {
                out.byte(tag::REF_GENESIS);
                out.bytes(hash);
            }
        }
    }
}

fn write_integer(integer: i64, out: &mut Writer) {
    let small = integer.wrapping_sub(tag::SMALL_MIN);
    let medium = integer.wrapping_sub(tag::MEDIUM_MIN);
    if (0..=i64::from(tag::SMALL_MAX)).contains(&small) {
        out.byte(small as u8);
    } else if (0..1 << 13).contains(&medium) {
        out.byte(tag::MEDIUM | (medium >> 8) as u8);
        out.byte(medium as u8);
    } else {
        let len = byte_len(integer);
        out.byte(tag::INTEGER + len as u8 - 1);
        out.bytes(&integer.to_le_bytes()[..len]);
    }
}

fn write_real(real: f64, out: &mut Writer) {
    // The cast saturates, so what is not whole, and -0.0, differ in the round trip.
    let whole = real as i64;
    let len = byte_len(whole);
    if (whole as f64).to_bits() == real.to_bits() && len < 8 {
        out.byte(tag::WHOLE + len as u8 - 1);
        out.bytes(&whole.to_le_bytes()[..len]);
    } else {
        out.byte(tag::REAL);
        out.bytes(&real.to_bits().to_le_bytes());
    }
}

fn write_text(text: &[u8], out: &mut Writer) {
    if let Some(uuid) = uuid_text::parse(text) {
        out.byte(tag::UUID);
        out.bytes(&uuid);
    } else if text.len() <= usize::from(tag::SHORT_TEXT_MAX - tag::SHORT_TEXT) {
        out.byte(tag::SHORT_TEXT + text.len() as u8);
        out.bytes(text);
    } else {
        out.byte(tag::TEXT);
        out.length_prefixed(text);
    }
}

/// How many bytes of two's complement hold an integer.
fn byte_len(integer: i64) -> usize {
    let significant = 65 - (integer ^ (integer >> 63)).leading_zeros() as usize;
    significant.div_ceil(8)
}

fn read_integer(len: usize, input: &mut Reader<'_>) -> Result<i64, DecodeError> {
    let mut bytes = [0; 8];
    bytes[..len].copy_from_slice(input.slice(len)?);
    let unused = 64 - 8 * len as u32;
    Ok(i64::from_le_bytes(bytes) << unused >> unused)
}

/// Room in memory that a decoder may still fill.
pub(super) struct Allowance(pub(super) usize);

impl Allowance {
    pub(super) fn take(&mut self, count: usize, bytes_each: usize) -> Result<(), DecodeError> {
        let bytes = count.checked_mul(bytes_each).ok_or(DecodeError::TooLarge)?;
        self.0 = self.0.checked_sub(bytes).ok_or(DecodeError::TooLarge)?;
        Ok(())
    }
}

impl SiteReader {
    pub(super) fn read_value(
        &mut self,
        depth: usize,
        input: &mut Reader<'_>,
        room: &mut Allowance,
    ) -> Result<Value, DecodeError> {
        let tag = input.byte()?;
        Ok(match tag {
            0..=tag::SMALL_MAX => Value::Integer(i64::from(tag) + tag::SMALL_MIN),
            tag::SHORT_TEXT..=tag::SHORT_TEXT_MAX => {
                let len = usize::from(tag - tag::SHORT_TEXT);
                Value::Text(owned(input.slice(len)?, room)?)
            }
            tag::MEDIUM..=tag::MEDIUM_MAX => {
                let high = i64::from(tag - tag::MEDIUM) << 8;
                Value::Integer(tag::MEDIUM_MIN + (high | i64::from(input.byte()?)))
            }
            tag::INTEGER..=tag::INTEGER_MAX => {
                Value::Integer(read_integer(usize::from(tag - tag::INTEGER) + 1, input)?)
            }
            tag::WHOLE..=tag::WHOLE_MAX => {
                Value::Real(read_integer(usize::from(tag - tag::WHOLE) + 1, input)? as f64)
            }
            tag::NULL => Value::Null,
            tag::REAL => Value::Real(f64::from_bits(u64::from_le_bytes(input.array()?))),
            tag::TEXT => Value::Text(owned(input.length_prefixed()?, room)?),
            tag::BLOB => Value::Blob(owned(input.length_prefixed()?, room)?),
            tag::UUID => Value::Text(owned(&uuid_text::format(input.array()?), room)?),
            tag::REF_SURROGATE | tag::REF_NATURAL | tag::REF_GENESIS => {
                let depth = depth.checked_sub(1).ok_or(DecodeError::TooDeep)?;
                room.take(1, size_of::<RowId>())?;
                Value::Ref(Box::new(self.read_reference(tag, depth, input, room)?))
            }
            tag::DANGLING => {
                let depth = depth.checked_sub(1).ok_or(DecodeError::TooDeep)?;
                room.take(1, size_of::<Value>())?;
                Value::Dangling(Box::new(self.read_value(depth, input, room)?))
            }
            tag => return Err(DecodeError::UnknownTag { what: "value", tag }),
        })
    }

    fn read_reference(
        &mut self,
        tag: u8,
        depth: usize,
        input: &mut Reader<'_>,
        room: &mut Allowance,
    ) -> Result<RowId, DecodeError> {
        Ok(match tag {
            tag::REF_NATURAL => RowId::Natural(self.read_key(depth, input, room)?),
            tag::REF_SURROGATE => {
                let number = self.read(input)?;
                let (site, last) = self.get(number);
                last.reference = last.reference.wrapping_add(input.signed()? as u64);
                RowId::Surrogate { site: *site, counter: last.reference }
            }
            _ => RowId::Genesis(input.array()?),
        })
    }

    /// Reads what `write_key` wrote.
    pub(super) fn read_key(
        &mut self,
        depth: usize,
        input: &mut Reader<'_>,
        room: &mut Allowance,
    ) -> Result<Box<[Value]>, DecodeError> {
        let count = input.count(1)?;
        room.take(count, size_of::<Value>())?;
        // Keys nest: space is reserved for what keys have in practice, not for what is claimed.
        let mut key = Vec::with_capacity(count.min(4));
        for _ in 0..count {
            key.push(self.read_value(depth, input, room)?);
        }
        Ok(key.into_boxed_slice())
    }
}

fn owned(bytes: &[u8], room: &mut Allowance) -> Result<Vec<u8>, DecodeError> {
    room.take(1, bytes.len())?;
    Ok(bytes.to_vec())
}

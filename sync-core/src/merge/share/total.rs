//! Totals that are exact while all is whole, and REAL where it is not or does not fit.

use crate::codec::{DecodeError, Reader, Writer};
use crate::value::Value;

/// What additions come to: a whole part, wider than SQLite's integers so that nothing is lost where a
/// total leaves their range and comes back, and a real part where there were reals.
#[derive(Clone, Copy, Debug, Default)]
pub struct Total {
    whole: i128,
    real: Option<f64>,
}

impl Total {
    /// The number that a value is; `None` of what cannot be counted with.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(whole) => Some(Total { whole: i128::from(*whole), real: None }),
            Value::Real(real) if real.is_finite() => Some(Total { whole: 0, real: Some(*real) }),
            _ => None,
        }
    }

    /// Adds another one. Reals are added in the order in which they come.
    pub(super) fn add(&mut self, other: &Total) {
        self.whole = self.whole.wrapping_add(other.whole);
        if let Some(real) = other.real {
            *self.real.get_or_insert(0.0) += real;
        }
    }

    /// What brings `before` to `after`: exactly, where both are whole.
    pub(super) fn difference(before: &Total, after: &Total) -> Total {
        match (before.real, after.real) {
            (None, None) => Total { whole: after.whole.wrapping_sub(before.whole), real: None },
            _ => Total { whole: 0, real: Some(after.approximate() - before.approximate()) },
        }
    }

    /// What was added since `first`.
    pub(super) fn since(&self, first: &Total) -> Total {
        let real = self.real.map(|real| real - first.real.unwrap_or(0.0));
        Total { whole: self.whole.wrapping_sub(first.whole), real }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.whole == 0 && self.real.is_none_or(|real| real == 0.0)
    }

    /// Whether it is the same but for what reals round.
    pub(super) fn is_about(&self, other: &Total) -> bool {
        let (here, there) = (self.approximate(), other.approximate());
        (here - there).abs() <= 1e-9 * there.abs().max(1e-9)
    }

    /// As SQLite has it.
    pub(super) fn value(&self) -> Value {
        match i64::try_from(self.whole) {
            Ok(whole) if self.real.is_none() => Value::Integer(whole),
            _ => Value::Real(self.approximate()),
        }
    }

    fn approximate(&self) -> f64 {
        let sum = self.whole as f64 + self.real.unwrap_or(0.0);
        if sum.is_nan() { 0.0 } else { sum.clamp(f64::MIN, f64::MAX) }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        match i64::try_from(self.whole) {
            Ok(whole) => {
                writer.byte(u8::from(self.real.is_some()) << 1);
                writer.signed(whole);
            }
            Err(_) => {
                writer.byte(1 | u8::from(self.real.is_some()) << 1);
                writer.bytes(&self.whole.to_le_bytes());
            }
        }
        if let Some(real) = self.real {
            writer.bytes(&real.to_bits().to_le_bytes());
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = reader.byte()?;
        if tag > 3 {
            return Err(DecodeError::UnknownTag { what: "total", tag });
        }
        let whole = match tag & 1 {
            0 => i128::from(reader.signed()?),
            _ => i128::from_le_bytes(reader.array()?),
        };
        let real = match tag & 2 {
            0 => None,
            _ => Some(f64::from_bits(u64::from_le_bytes(reader.array()?))),
        };
        if real.is_some_and(|real| !real.is_finite()) {
            return Err(DecodeError::Invalid("a total that is no number"));
        }
        Ok(Total { whole, real })
    }
}

impl PartialEq for Total {
    fn eq(&self, other: &Self) -> bool {
        self.whole == other.whole && self.real.map(f64::to_bits) == other.real.map(f64::to_bits)
    }
}

impl Eq for Total {}

//! Sums that are exact while all is whole and fits, and REAL beyond that, as SQLite's are.

use crate::value::Value;

/// A number as SQLite has it. No NaN and no infinity.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// An INTEGER.
    Whole(i64),
    /// A REAL.
    Real(f64),
}

impl Number {
    /// The number that a value is; `None` of what cannot be counted with.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(whole) => Some(Number::Whole(*whole)),
            Value::Real(real) if real.is_finite() => Some(Number::Real(*real)),
            _ => None,
        }
    }

    /// Whether it is zero, of whichever kind.
    pub fn is_zero(self) -> bool {
        matches!(self, Number::Whole(0)) || matches!(self, Number::Real(real) if real == 0.0)
    }

    /// The same as a value.
    pub fn to_value(self) -> Value {
        match self {
            Number::Whole(whole) => Value::Integer(whole),
            Number::Real(real) => Value::Real(real),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => a == b,
            (Number::Real(a), Number::Real(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }
}

impl Eq for Number {}

/// A sum under way. Whole numbers are added without loss in any order; reals in the order in which
/// they come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    whole: i128,
    real: Option<f64>,
}

impl Sum {
    pub(super) fn add(&mut self, number: Number) {
        match number {
            // 2^64 numbers fit.
            Number::Whole(whole) => self.whole += i128::from(whole),
            Number::Real(real) => *self.real.get_or_insert(0.0) += real,
        }
    }

    pub(super) fn subtract(&mut self, number: Number) {
        match number {
            Number::Whole(whole) => self.whole -= i128::from(whole),
            Number::Real(real) => *self.real.get_or_insert(0.0) -= real,
        }
    }

    pub(super) fn number(self) -> Number {
        let bounded = |real: f64| Number::Real(real.clamp(f64::MIN, f64::MAX));
        match (self.real, i64::try_from(self.whole)) {
            (None, Ok(whole)) => Number::Whole(whole),
            (None, Err(_)) => bounded(self.whole as f64),
            (Some(real), _) => bounded(self.whole as f64 + if real.is_nan() { 0.0 } else { real }),
        }
    }
}

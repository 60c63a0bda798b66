//! How many: a number, a range, or mostly one range and rarely another.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::Range;

/// How many: `3`, `"1..3"`, or `{ usual = "1..3", rarely = "50..200", share = 0.02 }`.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Amount {
    /// What it usually is, drawn evenly.
    pub usual: Range<u32>,
    /// What it sometimes is instead.
    pub rarely: Option<Rarely>,
}

/// What an amount sometimes is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rarely {
    /// Drawn evenly from this.
    pub amount: Range<u32>,
    /// How often, between 0 and 1.
    pub share: f64,
}

impl Amount {
    /// Always `number`.
    pub const fn only(number: u32) -> Self {
        Amount { usual: Range::only(number), rarely: None }
    }

    /// Between two numbers, both included.
    pub const fn between(from: u32, to: u32) -> Self {
        Amount { usual: Range { from, to }, rarely: None }
    }

    /// The most that it can be.
    pub fn most(&self) -> u32 {
        self.rarely.map_or(0, |rarely| rarely.amount.to).max(self.usual.to)
    }

    /// What it is on average.
    pub fn mean(&self) -> f64 {
        let middle = |range: Range<u32>| f64::midpoint(f64::from(range.from), f64::from(range.to));
        match self.rarely {
            Some(rarely) => middle(self.usual) * (1.0 - rarely.share) + middle(rarely.amount) * rarely.share,
            None => middle(self.usual),
        }
    }
}

/// The form with names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    usual: Range<u32>,
    rarely: Range<u32>,
    share: f64,
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.rarely {
            None => self.usual.serialize(serializer),
            Some(Rarely { amount, share }) => {
                Named { usual: self.usual, rarely: amount, share }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

impl<'de> Visitor<'de> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a number, a range such as \"1..3\", or { usual = \"1..3\", rarely = \"50..200\", share = 0.02 }",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        text.parse().map(|usual| Amount { usual, rarely: None }).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
        u32::try_from(number)
            .map(Amount::only)
            .map_err(|_| E::custom("expected a number from 0 to 4294967295"))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
        u32::try_from(number)
            .map(Amount::only)
            .map_err(|_| E::custom("expected a number from 0 to 4294967295"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Amount, A::Error> {
        let Named { usual, rarely, share } = Named::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Amount { usual, rarely: Some(Rarely { amount: rarely, share }) })
    }
}

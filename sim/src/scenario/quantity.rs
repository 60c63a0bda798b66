//! Times, rates and ranges as people write them: `"90s"`, `"12/h"`, `"20ms..120ms"`.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::story::Ms;

/// A time span: `"250ms"`, `"90s"`, `"5m"`, `"2h"`, `"14d"`, `"1y"` (365 days), or several that are
/// added up: `"60d20s"`.
///
/// ```
/// use pocketsync_sim::scenario::Span;
/// assert_eq!("14d".parse::<Span>()?, Span(14 * 86_400_000));
/// assert_eq!(Span(90_000).to_string(), "90s");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span(pub Ms);

/// How far a clock is wrong: a time span with a sign, `"-10y"`. Ahead is positive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Skew(pub i64);

/// How often something happens: `"12/h"`, `"0.5/s"`, `"15/d"`.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Rate {
    /// How many times.
    pub times: f64,
    /// In which time.
    pub per: Span,
}

/// From one value to another, both included: `"2s..8s"`; or always the same: `"2s"`. Values are
/// drawn evenly.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Range<T> {
    /// The smallest.
    pub from: T,
    /// The largest.
    pub to: T,
}

const UNITS: [(&str, u64); 6] =
    [("y", 31_536_000_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Rate {
    /// How many times in a millisecond.
    pub fn per_ms(&self) -> f64 {
        if self.per.0 == 0 { 0.0 } else { self.times / self.per.0 as f64 }
    }
}

impl<T: Copy> Range<T> {
    /// Always `value`.
    pub const fn only(value: T) -> Self {
        Range { from: value, to: value }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{text}` is not a time span: write a number and a unit of ms, s, m, h, d or y, such as \"90s\" or \"14d\""
            )
        };
        let mut rest = text.trim();
        let mut total = 0.0;
        loop {
            let number_ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(expected)?;
            let (number, after) = rest.split_at(number_ends);
            let unit_ends = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_ends);
            let number: f64 = number.parse().map_err(|_| expected())?;
            let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(expected)?;
            total += number * *ms as f64;
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        // Beyond this, milliseconds of wall clocks would not fit the 48 bits that versions have.
        if total > 1e13 {
            return Err(format!("`{text}` is longer than 300 years; write a shorter span"));
        }
        Ok(Span(total.round() as Ms))
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, ms)| self.0 != 0 && self.0.is_multiple_of(*ms));
        let (unit, ms) = whole.unwrap_or(&("s", 1_000));
        write!(f, "{}{unit}", self.0 / ms)
    }
}

impl FromStr for Skew {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let span: Span = rest.parse()?;
        Ok(Skew(sign * span.0.cast_signed()))
    }
}

impl Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", Span(self.0.unsigned_abs()))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{text}` is not a rate: write a number, a slash and one of s, m, h, d, such as \"12/h\"; \"0/h\" for never"
            )
        };
        let (times, unit) = text.trim().split_once('/').ok_or_else(expected)?;
        let times: f64 = times.trim().parse().map_err(|_| expected())?;
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(expected)?;
        if !times.is_finite() || times < 0.0 {
            return Err(expected());
        }
        Ok(Rate { times, per: Span(*ms) })
    }
}

impl Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, ms)| self.per.0 == *ms) {
            Some((unit, _)) => write!(f, "{}/{unit}", self.times),
            None => write!(f, "{}/d", self.per_ms() * 86_400_000.0),
        }
    }
}

impl<T: FromStr<Err: Display> + Copy + PartialOrd> FromStr for Range<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = |text: &str| text.trim().parse::<T>().map_err(|error| format!("in `{text}`: {error}"));
        let (from, to) = match text.split_once("..") {
            Some((from, to)) => (value(from)?, value(to)?),
            None => (value(text)?, value(text)?),
        };
        if from > to {
            return Err(format!("the range `{text}` ends before it begins; write the smaller value first"));
        }
        Ok(Range { from, to })
    }
}

impl<T: Display + PartialEq> Display for Range<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{}..{}", self.from, self.to)
        }
    }
}

/// Reads text, or a bare number as text, and parses it.
struct Parsed<T>(PhantomData<T>, &'static str);

impl<T: FromStr<Err = String>> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }
}

macro_rules! as_text {
    ($type:ty, $expected:literal $(, $generic:ident)?) => {
        impl$(<$generic: Display + PartialEq>)? Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de $(, $generic: FromStr<Err: Display> + Copy + PartialOrd)?> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Parsed(PhantomData, $expected))
            }
        }
    };
}

as_text!(Span, "a time span such as \"90s\" or \"14d\"");
as_text!(Skew, "a time span with a sign, such as \"-10y\"");
as_text!(Rate, "a rate such as \"12/h\"");
as_text!(Range<T>, "a value, or a range such as \"2s..8s\" or \"1..3\"", T);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["250ms", "90s", "5m", "2h", "14d", "1y", "0s"] {
            assert_eq!(text.parse::<Span>().expect("a span").to_string(), text);
        }
        assert_eq!("1h30m".parse(), Ok(Span(5_400_000)));
        for text in ["-10y..10y", "-1s", "0s..5m"] {
            assert_eq!(text.parse::<Range<Skew>>().expect("a range").to_string(), text);
        }
        for text in ["12/h", "0.5/s", "0/d"] {
            assert_eq!(text.parse::<Rate>().expect("a rate").to_string(), text);
        }
    }

    #[test]
    fn mistakes_are_told_with_the_way_out() {
        let told = |text: &str| text.parse::<Range<Span>>().expect_err("a mistake");
        assert!(told("90").contains("\"90s\""), "{}", told("90"));
        assert!(told("5m..2s").contains("smaller value first"));
        assert!(told("1000y").contains("shorter"));
        assert!("12".parse::<Rate>().expect_err("no unit").contains("\"12/h\""));
    }
}

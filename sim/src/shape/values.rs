//! Values to put into columns that do not take every value.

use std::collections::BTreeSet;

use pocketsync_core::value::Value;

use super::Kind;
use super::catalog::Affinity;

/// The value of a [key part](super::Role::KeyPart) with this number: `k0`, `k1`, ...
pub fn key_part(number: u32) -> Value {
    Value::text(&format!("k{number}"))
}

impl Affinity {
    /// What a stamp in such a column is written as, so that it is read as it was written.
    pub(super) fn kind(self) -> Kind {
        match self {
            Affinity::Text | Affinity::Any => Kind::Text,
            Affinity::Integer | Affinity::Numeric => Kind::Integer,
            Affinity::Real => Kind::Real,
            Affinity::Blob => Kind::Blob,
        }
    }
}

/// `count` values for a column of a key or of a UNIQUE constraint. Where case does not count, they
/// come in two spellings.
pub(super) fn claims(affinity: Affinity, nocase: bool, count: u32) -> Vec<Value> {
    let value = |number: u32| match affinity {
        Affinity::Text | Affinity::Any if nocase => {
            let letter = if number.is_multiple_of(2) { 'u' } else { 'U' };
            Value::text(&format!("{letter}{}", number / 2))
        }
        Affinity::Text | Affinity::Any => Value::text(&format!("u{number}")),
        Affinity::Integer | Affinity::Numeric => Value::Integer(i64::from(number) + 1),
        Affinity::Real => Value::Real(f64::from(number) + 0.5),
        Affinity::Blob => Value::Blob(vec![0, number as u8]),
    };
    (0..count).map(value).collect()
}

/// Values that a CHECK may be content with: usual ones, and those that the statement itself names.
pub(super) fn guesses(affinity: Affinity, sql: &str) -> Vec<Value> {
    let (texts, numbers) = literals(sql);
    let integers = || {
        let near = numbers.iter().flat_map(|number| [*number, number - 1.0, number + 1.0, number / 2.0]);
        let all: BTreeSet<i64> =
            [0, 1, 2, 3, 5, 8, 20, 50].into_iter().chain(near.map(|number| number as i64)).collect();
        all.into_iter().map(Value::Integer)
    };
    let reals = || {
        let near = numbers.iter().flat_map(|number| [*number, number - 0.5, number + 0.5, number / 2.0]);
        [0.25, 0.5, 1.5, 2.5, 12.5].into_iter().chain(near).map(Value::Real)
    };
    let words = || {
        let usual =
            ["a", "abc", "A1", "", "a@b.example", "2026-01-01", "2026-01-01T00:00:00Z", "12:30", "{}", "[]"];
        texts.iter().map(String::as_str).chain(usual).map(Value::text)
    };
    let lengths =
        || numbers.iter().filter(|number| (1.0..=64.0).contains(*number)).map(|number| *number as usize);
    match affinity {
        Affinity::Text => words().chain(lengths().map(|length| Value::text(&"x".repeat(length)))).collect(),
        Affinity::Integer => integers().collect(),
        Affinity::Real => reals().collect(),
        Affinity::Blob => {
            let blobs =
                [1, 4, 16, 32].into_iter().chain(lengths()).map(|length| Value::Blob(vec![7; length]));
            blobs.chain(words()).collect()
        }
        Affinity::Numeric | Affinity::Any => integers().chain(words()).chain(reals()).collect(),
    }
}

/// The texts in single quotes and the numbers that a statement names.
fn literals(sql: &str) -> (Vec<String>, Vec<f64>) {
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    let mut rest = sql;
    let mut in_word = false;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let Some((text, after)) = rest[1..].split_once('\'') else { break };
            if text.len() <= 64 {
                texts.push(text.to_owned());
            }
            rest = after;
            in_word = false;
        } else if first.is_ascii_digit() && !in_word {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            numbers.extend(rest[..end].parse::<f64>().ok().filter(|number| number.abs() < 1e15));
            rest = &rest[end..];
        } else {
            in_word = first.is_alphanumeric() || first == '_';
            rest = &rest[first.len_utf8()..];
        }
    }
    texts.dedup();
    (texts, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_tells_its_literals() {
        let (texts, numbers) = literals("CHECK (state IN ('new', 'done') AND x1 BETWEEN 3 AND 4.5)");
        assert_eq!(texts, ["new", "done"]);
        assert_eq!(numbers, [3.0, 4.5]);
    }

    #[test]
    fn claims_without_case_come_in_two_spellings() {
        assert_eq!(claims(Affinity::Text, true, 2), [Value::text("u0"), Value::text("U0")]);
        assert_eq!(claims(Affinity::Integer, false, 2), [Value::Integer(1), Value::Integer(2)]);
    }
}

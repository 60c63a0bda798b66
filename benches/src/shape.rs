//! The tables that are measured, and what is in them: the same on every run.

use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

/// A table to measure with. All are called `t`, and their key `id`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Six columns, the key an INTEGER.
    Integer,
    /// Six columns, the key a UUID as TEXT, in random order.
    Text,
    /// Sixty columns, the key an INTEGER; a tenth of the rows.
    Wide,
    /// Two columns, the key an INTEGER, the other a small number.
    Small,
}

/// A UPDATE of one cell, of five, or of as many as there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// One column.
    One,
    /// Five columns, or all but the key where there are fewer.
    Five,
}

/// Digits that look random and are the same on every run (splitmix64).
pub fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The numbers below `count` in an order that looks random.
pub fn shuffled(count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for n in (1..count).rev() {
        order.swap(n, (mix(n as u64) % (n as u64 + 1)) as usize);
    }
    order
}

fn words(n: u64) -> String {
    const WORDS: [&str; 16] = [
        "milk", "bread", "call", "write", "before", "Monday", "the", "garden", "report", "ticket", "blue",
        "house", "river", "paper", "small", "again",
    ];
    let count = 4 + mix(n) % 12;
    let word = |at| WORDS[(mix(n ^ (at << 40)) % 16) as usize];
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 4] = [Shape::Integer, Shape::Text, Shape::Wide, Shape::Small];

    /// The name, as the command line has it.
    pub const fn name(self) -> &'static str {
        match self {
            Shape::Integer => "integer",
            Shape::Text => "text",
            Shape::Wide => "wide",
            Shape::Small => "small",
        }
    }

    /// What a heading calls it.
    pub const fn title(self) -> &'static str {
        match self {
            Shape::Integer => "INTEGER key, 6 columns",
            Shape::Text => "TEXT uuid key, 6 columns",
            Shape::Wide => "INTEGER key, 60 columns",
            Shape::Small => "INTEGER key, 2 columns",
        }
    }

    /// How many rows a run of `rows` has with this table.
    pub const fn rows(self, rows: usize) -> usize {
        match self {
            Shape::Wide => rows.div_ceil(10),
            _ => rows,
        }
    }

    /// The columns but for the key, with their types.
    pub fn columns(self) -> Vec<(String, &'static str)> {
        let named = |names: &[(&str, &'static str)]| {
            names.iter().map(|&(name, kind)| (name.to_owned(), kind)).collect::<Vec<_>>()
        };
        match self {
            Shape::Integer | Shape::Text => named(&[
                ("title", "TEXT"),
                ("body", "TEXT"),
                ("rank", "INTEGER"),
                ("price", "REAL"),
                ("done", "INTEGER"),
            ]),
            Shape::Wide => (0..59).map(|n| (format!("c{n}"), ["INTEGER", "TEXT", "REAL"][n % 3])).collect(),
            Shape::Small => named(&[("n", "INTEGER")]),
        }
    }

    /// The CREATE TABLE.
    pub fn schema(self) -> String {
        let key = if self == Shape::Text { "TEXT" } else { "INTEGER" };
        let columns: Vec<String> =
            self.columns().iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        format!("CREATE TABLE t(id {key} PRIMARY KEY NOT NULL, {});", columns.join(", "))
    }

    /// The prepared INSERT of a whole row.
    pub fn insert_sql(self) -> String {
        format!("INSERT INTO t VALUES(?{})", ", ?".repeat(self.columns().len()))
    }

    /// Which columns an UPDATE sets, counted without the key.
    pub fn updated(self, width: Width) -> Vec<usize> {
        match (width, self) {
            (Width::Five, Shape::Wide) => vec![0, 13, 26, 39, 58],
            (Width::Five, _) => (0..self.columns().len()).collect(),
            (Width::One, Shape::Integer | Shape::Text) => vec![2],
            (Width::One, _) => vec![0],
        }
    }

    /// The prepared UPDATE, whose last parameter is the key.
    pub fn update_sql(self, width: Width) -> String {
        let columns = self.columns();
        let sets: Vec<String> =
            self.updated(width).iter().map(|&at| format!("{} = ?", columns[at].0)).collect();
        format!("UPDATE t SET {} WHERE id = ?", sets.join(", "))
    }

    /// The key of row `n`.
    pub fn key(self, n: usize) -> Value {
        let n = n as u64;
        if self != Shape::Text {
            return Value::Integer(n as i64 + 1);
        }
        let (a, b) = (mix(n), mix(!n));
        let (c, d) = ((a >> 16) as u16, a as u16);
        let (e, f) = (b >> 48, b & 0xffff_ffff_ffff);
        Value::Text(format!("{:08x}-{c:04x}-{d:04x}-{e:04x}-{f:012x}", a >> 32))
    }

    /// The cell of row `n` in column `at`, counted without the key, after it was written `round`
    /// times: every round says something else.
    pub fn cell(self, n: usize, at: usize, round: u64) -> Value {
        let seed = mix(n as u64 ^ (at as u64) << 32 ^ round << 48);
        match self {
            Shape::Integer | Shape::Text => match at {
                0 => Value::Text(format!("Note number {n}, version {round}")),
                1 => Value::Text(words(seed)),
                2 => Value::Integer((seed >> 44) as i64 * 8 + round as i64),
                3 => Value::Real((seed % 100_000) as f64 / 100.0 + round as f64),
                _ => Value::Integer((n as i64 + round as i64) % 2),
            },
            Shape::Wide => match at % 3 {
                0 => Value::Integer((seed >> 48) as i64 * 8 + round as i64),
                1 => Value::Text(format!("{:x}", seed >> 24 << 3 | round)),
                _ => Value::Real((seed % 10_000) as f64 / 4.0 + round as f64),
            },
            Shape::Small => Value::Integer((seed >> 56) as i64 * 8 + round as i64),
        }
    }

    /// Row `n` as it is inserted: the key first.
    pub fn row(self, n: usize) -> Vec<Value> {
        let cells = (0..self.columns().len()).map(|at| self.cell(n, at, 0));
        std::iter::once(self.key(n)).chain(cells).collect()
    }

    /// The parameters of the UPDATE of row `n`.
    pub fn update(self, n: usize, width: Width, round: u64) -> Vec<Value> {
        let cells = self.updated(width).into_iter().map(|at| self.cell(n, at, round));
        cells.chain(std::iter::once(self.key(n))).collect()
    }
}

/// Bytes that a value takes in SQLite's own record format, its type included: the yardstick for what
/// travels. A UUID in text counts as the 16 bytes that it is.
pub fn record_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Integer(0 | 1) => 1,
        Value::Integer(integer) => {
            1 + match integer.unsigned_abs() {
                0..0x80 => 1,
                0x80..0x8000 => 2,
                0x8000..0x80_0000 => 3,
                0x80_0000..0x8000_0000 => 4,
                0x8000_0000..0x8000_0000_0000 => 6,
                _ => 8,
            }
        }
        Value::Real(_) => 9,
        Value::Text(text) if text.len() == 36 && text.as_bytes()[8] == b'-' => 17,
        Value::Text(text) => text.len() + if text.len() < 58 { 1 } else { 2 },
        Value::Blob(bytes) => bytes.len() + if bytes.len() < 58 { 1 } else { 2 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_same_on_every_run_and_fit_their_tables() {
        for shape in Shape::ALL {
            let conn = rusqlite::Connection::open_in_memory().unwrap();
            conn.execute_batch(&shape.schema()).unwrap();
            for n in 0..20 {
                assert_eq!(shape.row(n), shape.row(n));
                conn.execute(&shape.insert_sql(), rusqlite::params_from_iter(shape.row(n))).unwrap();
                for (round, width) in [(1, Width::One), (2, Width::Five)] {
                    let params = rusqlite::params_from_iter(shape.update(n, width, round));
                    assert_eq!(conn.execute(&shape.update_sql(width), params).unwrap(), 1);
                }
            }
        }
    }

    #[test]
    fn every_round_writes_another_value() {
        for shape in Shape::ALL {
            for at in shape.updated(Width::Five) {
                for n in 0..50 {
                    assert_ne!(shape.cell(n, at, 0), shape.cell(n, at, 1), "{shape:?} {at} {n}");
                    assert_ne!(shape.cell(n, at, 1), shape.cell(n, at, 2), "{shape:?} {at} {n}");
                }
            }
        }
    }

    #[test]
    fn a_shuffle_leaves_nothing_out() {
        let mut order = shuffled(1000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }
}

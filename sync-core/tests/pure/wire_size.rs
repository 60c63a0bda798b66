//! What rows cost on the wire beyond their values. The yardstick for the values is what SQLite's
//! own record format takes for them: a byte or more of type, and the content.

use crate::generators::{NOON_MS, cells};
use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::merge::Life;
use pocketsync_core::value::Value;

const ROWS: u64 = 10_000;
const SITE: SiteId = SiteId::from_bytes([0xa5; 16]);

/// Bytes of a value in SQLite's record format; 17 for a UUID, which could be a blob.
fn record_bytes(value: &Value) -> usize {
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
        Value::Text(text) if text.len() == 36 && text[8] == b'-' => 17,
        Value::Text(bytes) | Value::Blob(bytes) if bytes.len() < 58 => 1 + bytes.len(),
        Value::Text(bytes) | Value::Blob(bytes) => 2 + bytes.len(),
        Value::Ref(_) | Value::Dangling(_) => panic!("SQLite has none"),
    }
}

/// Bytes a row beyond the values.
fn overhead(columns: &[&str], rows: Vec<RowChange>) -> f64 {
    let count = rows.len() as f64;
    let values: usize = rows.iter().flat_map(|row| &row.cells).map(|cell| record_bytes(&cell.value)).sum();
    let columns = columns.iter().map(|&name| name.to_owned()).collect();
    let changeset = Changeset { tables: vec![TableChanges { name: "notes".to_owned(), columns, rows }] };
    let bytes = changeset.encode();
    assert_eq!(Changeset::decode(&bytes).unwrap(), changeset);
    (bytes.len() as f64 - values as f64) / count
}

fn surrogate(counter: u64) -> RowId {
    RowId::Surrogate { site: SITE, counter }
}

/// Digits that look random and are the same on every run (splitmix64).
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn uuid(n: u64) -> Value {
    let (a, b) = (mix(n), mix(!n));
    let (c, d) = ((a >> 16) as u16, a as u16);
    Value::text(&format!("{:08x}-{c:04x}-{d:04x}-{:04x}-{:012x}", a >> 32, b >> 48, b & 0xffff_ffff_ffff))
}

fn at(ms: u64) -> Version {
    Version::new(Hlc::from_ms(NOON_MS + ms), SITE)
}

const COLUMNS: [&str; 6] = ["title", "body", "rank", "price", "done", "deleted_at"];

fn note(n: u64) -> [Value; 6] {
    [
        Value::text(&format!("Note number {n}")),
        Value::text(&"lorem ipsum ".repeat(1 + (mix(n) % 9) as usize)),
        Value::Integer((mix(n) >> 44) as i64),
        Value::Real((mix(n) % 10_000) as f64 / 100.0),
        Value::Integer((n % 2) as i64),
        Value::Null,
    ]
}

fn inserted(id: RowId, n: u64, version: Version) -> RowChange {
    RowChange { id, life: Life::born(version), cells: cells(note(n), version) }
}

fn updated(id: RowId, column: u32, n: u64, version: Version) -> RowChange {
    let value = note(n)[column as usize].clone();
    RowChange { id, life: Life::default(), cells: vec![CellChange { column, version, value }] }
}

/// In one place, so that a change of the format shows what it does to all of them.
#[test]
fn bytes_a_row_beyond_the_values() {
    let rows = |row: &dyn Fn(u64) -> RowChange| overhead(&COLUMNS, (0..ROWS).map(row).collect());
    let key = |n| RowId::Natural([uuid(n)].into());
    let measured = [
        ("insert, one transaction", 1.1, rows(&|n| inserted(surrogate(n + 1), n, at(0)))),
        ("insert, a millisecond each", 2.1, rows(&|n| inserted(surrogate(n + 1), n, at(n)))),
        ("insert, seconds apart", 4.1, rows(&|n| inserted(surrogate(n + 1), n, at(n * 3000)))),
        ("insert, UUID key", 18.1, rows(&|n| inserted(key(n), n, at(0)))),
        ("insert, UUID key, any order", 20.0, rows(&|n| inserted(key(n), n, at(mix(n) % 500)))),
        ("update, every row", 1.1, rows(&|n| updated(surrogate(n + 1), 3, n, at(0)))),
        ("update, every 60th row", 2.1, rows(&|n| updated(surrogate(60 * n), 3, n, at(0)))),
        ("update, any column", 2.9, rows(&|n| updated(surrogate(9 * n), (mix(n) % 6) as u32, n, at(0)))),
        ("update, sparse, any time", 4.0, rows(&|n| updated(surrogate(60 * n), 3, n, at(mix(n) % 500)))),
        ("update, UUID key", 18.1, rows(&|n| updated(key(n), 3, n, at(0)))),
        ("update, UUID key, any time", 20.0, rows(&|n| updated(key(n), 3, n, at(mix(n) % 500)))),
        (
            "delete",
            1.1,
            rows(&|n| RowChange { id: surrogate(n + 1), life: Life::died(at(0)), cells: Vec::new() }),
        ),
    ];
    for (what, limit, bytes) in measured {
        println!("{what:30} {bytes:6.2}");
        assert!(bytes <= limit, "{what}: {bytes:.2} bytes a row, more than {limit}");
    }
}

/// Everything at once, as a new device gets it: rows of twenty devices over a year, mixed by key,
/// one in three touched again later.
#[test]
fn a_bootstrap_stays_near_its_values() {
    let year_ms = 365 * 24 * 3600 * 1000;
    let mut counters = [0u64; 20];
    let rows = (0..ROWS).map(|n| {
        let who = (mix(n) % 20) as usize;
        counters[who] += 1;
        let site = SiteId::from_bytes([who as u8 + 1; 16]);
        let born = Version::new(Hlc::from_ms(NOON_MS + year_ms / ROWS * n + mix(n) % 1000), site);
        let mut row = inserted(RowId::Surrogate { site, counter: counters[who] }, n, born);
        if n % 3 == 0 {
            let later = Hlc::from_ms(born.hlc.ms() + mix(n) % year_ms);
            row.cells[1].version = Version::new(later, SiteId::from_bytes([1 + (mix(n) % 7) as u8; 16]));
        }
        row
    });
    let bytes = overhead(&COLUMNS, rows.collect());
    println!("bootstrap {bytes:.2}");
    assert!(bytes <= 12.0, "{bytes:.2} bytes a row");
}

/// Values that SQLite cannot have, and the ones that it does, take what their tags promise.
#[test]
fn bytes_of_a_value() {
    let empty = |value: Value| {
        let row = RowChange { id: surrogate(1), life: Life::default(), cells: cells([value], at(0)) };
        let columns = vec!["c".to_owned()];
        Changeset { tables: vec![TableChanges { name: "t".to_owned(), columns, rows: vec![row] }] }
            .encode()
            .len()
    };
    let null = empty(Value::Null);
    let size = |value: Value| 1 + empty(value) - null;
    for (value, bytes) in [
        (Value::Integer(0), 1),
        (Value::Integer(-16), 1),
        (Value::Integer(79), 1),
        (Value::Integer(-17), 2),
        (Value::Integer(8271), 2),
        (Value::Integer(8272), 3),
        (Value::Integer(1_700_000_000), 5),
        (Value::Integer(1_700_000_000_000), 7),
        (Value::Integer(i64::MIN), 9),
        (Value::Real(0.0), 2),
        (Value::Real(-0.0), 9),
        (Value::Real(20_000.0), 3),
        (Value::Real(0.5), 9),
        (Value::Real(f64::INFINITY), 9),
        (Value::text("hello"), 6),
        (Value::text(&"x".repeat(63)), 64),
        (Value::text(&"x".repeat(64)), 66),
        (uuid(1), 17),
        (Value::Blob(vec![0; 16]), 18),
        (Value::Ref(Box::new(surrogate(1))), 3),
        (Value::Ref(Box::new(RowId::Natural([uuid(1)].into()))), 19),
        (Value::Dangling(Box::new(Value::Integer(7))), 2),
    ] {
        assert_eq!(size(value.clone()), bytes, "{value}");
    }
}

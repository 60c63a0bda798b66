//! Strategies for the data model: few sites and clocks, so that they collide; and extremes.

#![allow(dead_code, unreachable_pub)] // each test program uses some of them

use std::collections::BTreeSet;

use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::merge::Life;
use pocketsync_core::value::Value;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;

/// The start of the times that tests use.
pub const NOON_MS: u64 = 1_700_000_000_000;

pub fn site() -> impl Strategy<Value = SiteId> {
    prop_oneof![
        8 => (0u8..4).prop_map(|n| SiteId::from_bytes([n; 16])),
        1 => any::<[u8; 16]>().prop_map(SiteId::from_bytes),
    ]
}

pub fn hlc() -> impl Strategy<Value = Hlc> {
    prop_oneof![
        6 => (0u64..4, 0u64..3).prop_map(|(ms, n)| Hlc::from_bits(Hlc::from_ms(NOON_MS + ms).bits() + n)),
        2 => (0u64..100_000).prop_map(|ms| Hlc::from_ms(NOON_MS + ms)),
        1 => any::<u64>().prop_map(Hlc::from_bits),
        1 => prop_oneof![Just(Hlc::ZERO), Just(Hlc::MAX), Just(Hlc::from_ms(u64::MAX))],
    ]
}

pub fn version() -> impl Strategy<Value = Version> {
    prop_oneof![15 => (hlc(), site()).prop_map(|(hlc, site)| Version { hlc, site }), 1 => Just(Version::GENESIS)]
}

pub fn life() -> impl Strategy<Value = Life> {
    (option::of(version()), option::of(version()), option::of(version()))
        .prop_map(|(born, died, undone)| Life { born, died, undone })
}

fn integer() -> impl Strategy<Value = i64> {
    let near = |at: i64| (-2i64..=2).prop_map(move |by| at.saturating_add(by));
    let edges = (0u32..64, any::<bool>()).prop_flat_map(move |(bit, negative)| {
        near(if negative { i64::MIN >> (63 - bit) } else { i64::MAX >> (63 - bit) })
    });
    prop_oneof![-40i64..200, near(80), near(80 + 8192), edges, any::<i64>()]
}

fn real() -> impl Strategy<Value = f64> {
    prop_oneof![
        integer().prop_map(|integer| integer as f64),
        (integer(), 1u32..1000).prop_map(|(n, d)| n as f64 / f64::from(d)),
        any::<u64>().prop_map(f64::from_bits),
        prop_oneof![
            Just(-0.0),
            Just(0.0),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(f64::MIN_POSITIVE)
        ],
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-z ]{0,12}".prop_map(String::into_bytes),
        2 => "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}".prop_map(String::into_bytes),
        1 => "[0-9A-Fa-f-]{36}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 60..70),
        1 => vec(any::<u8>(), 0..20),
        1 => ("[a-z]{1,3}", 1usize..300).prop_map(|(word, n)| word.repeat(n).into_bytes()),
    ]
}

fn plain_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => Just(Value::Null),
        4 => integer().prop_map(Value::Integer),
        3 => real().prop_map(Value::Real),
        4 => text().prop_map(Value::Text),
        1 => vec(any::<u8>(), 0..80).prop_map(Value::Blob),
    ]
}

fn id_of(key: BoxedStrategy<Value>) -> impl Strategy<Value = RowId> {
    prop_oneof![
        3 => (site(), 0u64..8).prop_map(|(site, counter)| RowId::Surrogate { site, counter }),
        1 => (site(), any::<u64>()).prop_map(|(site, counter)| RowId::Surrogate { site, counter }),
        1 => any::<[u8; 16]>().prop_map(RowId::Genesis),
        3 => vec(key, 0..4).prop_map(|key| RowId::Natural(key.into())),
    ]
}

pub fn value() -> impl Strategy<Value = Value> {
    plain_value().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            3 => id_of(inner.clone()).prop_map(|id| Value::Ref(Box::new(id))),
            1 => inner.prop_map(|value| Value::Dangling(Box::new(value))),
        ]
    })
}

pub fn row_id() -> impl Strategy<Value = RowId> {
    id_of(value().boxed())
}

/// Any row of a table with this many columns.
pub fn row(width: usize) -> impl Strategy<Value = RowChange> {
    let columns: Vec<u32> = (0..width as u32).collect();
    let sets = prop_oneof![3 => subsequence(columns.clone(), 0..=width), 1 => Just(columns)];
    let cells = (sets, version()).prop_flat_map(|(columns, common)| {
        let version = prop_oneof![2 => Just(common), 1 => version()];
        let values = vec((version, value()), columns.len());
        (Just(columns), values).prop_map(|(columns, values)| {
            let cell = |(column, (version, value))| CellChange { column, version, value };
            columns.into_iter().zip(values).map(cell).collect::<Vec<_>>()
        })
    });
    (row_id(), life(), cells).prop_map(|(id, life, cells)| RowChange { id, life, cells })
}

/// Rows as one transaction makes them: ids that count up, one version, the same columns.
fn run(width: usize) -> impl Strategy<Value = Vec<RowChange>> {
    (site(), any::<u32>(), version(), 0u8..3, 1usize..20).prop_flat_map(
        move |(site, first, version, kind, count)| {
            vec(vec(plain_value(), width), count).prop_map(move |rows| {
                let row = |(index, values): (usize, Vec<Value>)| RowChange {
                    id: RowId::Surrogate { site, counter: u64::from(first) + index as u64 },
                    life: match kind {
                        0 => Life::born(version),
                        1 => Life::died(version),
                        _ => Life::default(),
                    },
                    cells: if kind == 1 { Vec::new() } else { cells(values, version) },
                };
                rows.into_iter().enumerate().map(row).collect()
            })
        },
    )
}

/// A cell of each column from 0, all of one version.
pub fn cells(values: impl IntoIterator<Item = Value>, version: Version) -> Vec<CellChange> {
    let cell = |(column, value)| CellChange { column: column as u32, version, value };
    values.into_iter().enumerate().map(cell).collect()
}

fn names(count: std::ops::Range<usize>) -> impl Strategy<Value = BTreeSet<String>> {
    btree_set(prop_oneof!["[a-z_]{0,8}", "\\PC{1,4}"], count)
}

fn table() -> impl Strategy<Value = (Vec<String>, Vec<RowChange>)> {
    let widths = prop_oneof![4 => 0..9usize, 1 => 9..40usize];
    widths.prop_flat_map(|width| {
        let rows = vec(prop_oneof![row(width).prop_map(|row| vec![row]), run(width)], 0..6);
        let columns = names(width..width + 1).prop_map(|names| names.into_iter().collect());
        (columns, rows.prop_map(|runs| runs.concat()))
    })
}

pub fn changeset() -> impl Strategy<Value = Changeset> {
    (names(0..4), vec(table(), 4)).prop_map(|(names, tables)| {
        let table = |(name, (columns, rows))| TableChanges { name, columns, rows };
        Changeset { tables: names.into_iter().zip(tables).map(table).collect() }
    })
}

//! The pure half of columns that merge: what shares make depends on nothing but them, and they survive
//! their bytes.

use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::conflict::MergeType;
use pocketsync_core::id::SiteId;
use pocketsync_core::merge::share::{Change, Held, Local, Share, write};
use pocketsync_core::merge::{Cell, Life, RowState};
use pocketsync_core::value::Value;
use proptest::prelude::*;

const SITES: u8 = 3;

fn site(n: u8) -> SiteId {
    SiteId::from_bytes([n; 16])
}

fn version(tick: u64, n: u8) -> Version {
    Version::new(Hlc::from_ms(tick), site(n))
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (-5i64..50).prop_map(Value::Integer),
        1 => Just(Value::Integer(i64::MAX)),
        1 => (-4i32..9).prop_map(|quarters| Value::Real(f64::from(quarters) / 4.0)),
        1 => Just(Value::Null),
        1 => Just(Value::text("text")),
        4 => prop::collection::btree_set(0u8..6, 0..4).prop_map(|set| {
            let elements: Vec<String> = set.iter().map(u8::to_string).collect();
            Value::text(&format!("[{}]", elements.join(", ")))
        }),
    ]
}

/// A column is the plain cell, or a type's share of a site.
type Column = Option<(MergeType, SiteId)>;
type Row = RowState<Column>;

fn held(row: &Row) -> Held<'_> {
    let shares = row.cells.iter().filter_map(|(column, cell)| {
        let (merge, site) = (*column)?;
        Some((merge, site, cell))
    });
    Held::new(&row.life, row.cells.get(&None), None, shares)
}

fn shown(row: &Row) -> Option<Value> {
    held(row).shown().map(std::borrow::Cow::into_owned)
}

/// A replica that writes: which type is in force there, and what it holds.
#[derive(Clone)]
struct Writer {
    merge: Option<MergeType>,
    row: Row,
}

#[derive(Clone, Debug)]
enum Step {
    Write { at: u8, value: Value },
    Rule { at: u8, merge: Option<usize> },
    Take { at: u8, from: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let at = 1..=SITES;
    prop_oneof![
        6 => (at.clone(), value()).prop_map(|(at, value)| Step::Write { at, value }),
        1 => (at.clone(), prop::option::of(0..4usize)).prop_map(|(at, merge)| Step::Rule { at, merge }),
        4 => (at, 1..SITES).prop_map(|(at, by)| Step::Take { at, from: (at - 1 + by) % SITES + 1 }),
    ]
}

/// What each replica holds in the end, and every cell that there ever was.
fn run(merge: MergeType, steps: &[Step]) -> (Vec<Row>, Vec<(Column, Cell)>) {
    let born = Life::born(version(1, 1));
    let first = Writer { merge: Some(merge), row: Row { life: born, ..Row::default() } };
    let mut writers = vec![first; usize::from(SITES)];
    let mut told = Vec::new();
    for (tick, step) in (10u64..).zip(steps) {
        match step {
            Step::Rule { at, merge } => {
                writers[usize::from(at - 1)].merge = merge.map(|merge| MergeType::ALL[merge]);
            }
            Step::Take { at, from } => {
                let from = writers[usize::from(from - 1)].row.clone();
                writers[usize::from(at - 1)].row.join(from);
            }
            Step::Write { at, value } => {
                let writer = &mut writers[usize::from(at - 1)];
                let now = version(tick, *at);
                let local = Local {
                    site: site(*at),
                    merge: writer.merge,
                    born: Hlc::from_ms(1),
                    now: now.hlc,
                    inserted: false,
                };
                let cell = match write(&held(&writer.row), &local, value) {
                    Change::Nothing => continue,
                    Change::Plain => (None, Cell { version: now, value: value.clone() }),
                    Change::Share(merge, share) => {
                        (Some((merge, site(*at))), Cell { version: now, value: share.to_value() })
                    }
                };
                assert!(writer.row.join_cell(&cell.0, cell.1.clone()), "an own write is the newest");
                told.push(cell);
            }
        }
    }
    (writers.into_iter().map(|writer| writer.row).collect(), told)
}

fn merge_type() -> impl Strategy<Value = MergeType> {
    (0..4usize).prop_map(|merge| MergeType::ALL[merge])
}

proptest! {
    /// Whoever heard of all cells shows the same, in whatever order they came and how often.
    #[test]
    fn what_is_shown_depends_on_no_order(
        merge in merge_type(),
        steps in prop::collection::vec(step(), 1..40),
        order in any::<prop::sample::Index>(),
    ) {
        let (rows, told) = run(merge, &steps);
        let mut joined = Row { life: Life::born(version(1, 1)), ..Row::default() };
        for row in &rows {
            joined.join(row.clone());
        }
        let mut other = Row { life: joined.life, ..Row::default() };
        let turn = if told.is_empty() { 0 } else { order.index(told.len()) };
        for (column, cell) in told[turn..].iter().rev().chain(&told[..turn]).chain(&told) {
            other.join_cell(column, cell.clone());
        }
        prop_assert_eq!(&other, &joined);
        prop_assert_eq!(shown(&other), shown(&joined));
    }

    /// A writer sees what it wrote, as far as the type can show it.
    #[test]
    fn a_write_shows(merge in merge_type(), steps in prop::collection::vec(step(), 0..20), live in value()) {
        let (rows, _) = run(merge, &steps);
        let mut row = rows[0].clone();
        let local =
            Local { site: site(1), merge: Some(merge), born: Hlc::from_ms(1), now: Hlc::from_ms(1000), inserted: false };
        let before = shown(&row).unwrap_or(Value::Null);
        let (column, value) = match write(&held(&row), &local, &live) {
            Change::Nothing => (None, None),
            Change::Plain => (None, Some(live.clone())),
            Change::Share(merge, share) => (Some((merge, site(1))), Some(share.to_value())),
        };
        if let Some(value) = value {
            row.join_cell(&column, Cell { version: version(1000, 1), value });
        }
        let after = shown(&row).unwrap_or(Value::Null);
        match (&live, merge) {
            (Value::Integer(wrote), MergeType::Counter) => {
                // Beyond whole numbers it is as exact as reals are.
                let size = |value: &Value| match value {
                    Value::Integer(whole) => *whole as f64,
                    Value::Real(real) => real.abs(),
                    _ => 0.0,
                };
                let shows = match after {
                    Value::Integer(shown) => shown == *wrote,
                    Value::Real(shown) => {
                        let scale = size(&before).abs().max(size(&live).abs()).max(1.0);
                        (shown - *wrote as f64).abs() <= 1e-12 * scale
                    }
                    _ => false,
                };
                prop_assert!(shows, "{} over {} shows {}", live, before, after);
            }
            (Value::Text(_), MergeType::Set) if live != Value::text("text") => {
                let list = |value: &Value| -> Vec<serde_json::Value> {
                    let Value::Text(text) = value else { return Vec::new() };
                    serde_json::from_slice(text).unwrap()
                };
                prop_assert_eq!(list(&after), list(&live));
            }
            (Value::Null, _) => prop_assert_eq!(after, Value::Null),
            _ => {}
        }
    }

    /// Shares are what they were after their bytes, and no bytes are more than refused.
    #[test]
    fn shares_survive_their_bytes(
        merge in merge_type(),
        steps in prop::collection::vec(step(), 1..30),
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let (_, told) = run(merge, &steps);
        for (column, cell) in told {
            let Some((merge, _)) = column else { continue };
            let share = Share::from_value(merge, &cell.value).unwrap();
            prop_assert_eq!(share.to_value(), cell.value.clone());
            let Value::Blob(whole) = &cell.value else { panic!() };
            for cut in 0..whole.len() {
                prop_assert!(Share::from_value(merge, &Value::Blob(whole[..cut].to_vec())).is_err());
            }
        }
        let mut bytes = bytes;
        let _ = Share::from_value(merge, &Value::Blob(bytes.clone()));
        bytes.insert(0, 1);
        let _ = Share::from_value(merge, &Value::Blob(bytes));
    }

    /// What a new site takes along, and what stays with the old one, make what there was.
    #[test]
    fn a_share_that_is_parted_makes_the_same(
        merge in merge_type(),
        before in prop::collection::vec(value(), 0..6),
        after in prop::collection::vec(value(), 1..6),
    ) {
        let written = |values: &[Value]| {
            let steps: Vec<Step> = values.iter().map(|value| Step::Write { at: 1, value: value.clone() }).collect();
            run(merge, &steps).0[0].clone()
        };
        let all: Vec<Value> = before.iter().chain(&after).cloned().collect();
        // Of reals that are far apart, the small one is lost.
        let has_real = all.iter().any(|value| matches!(value, Value::Real(_)));
        prop_assume!(!(has_real && all.contains(&Value::Integer(i64::MAX))));
        let (first, all) = (written(&before), written(&all));
        let column = Some((merge, site(1)));
        if let (Some(old), Some(now)) = (first.cells.get(&column), all.cells.get(&column))
            && first.cells.get(&None) == all.cells.get(&None)
        {
            let (share, rest) = (Share::from_value(merge, &old.value).unwrap(), Share::from_value(merge, &now.value).unwrap());
            let rest = rest.since(merge, &share, true, site(1));
            let mut parted = all.clone();
            parted.cells.insert(column, old.clone());
            parted.cells.insert(Some((merge, site(9))), Cell { version: now.version, value: rest.to_value() });
            prop_assert_eq!(shown(&parted), shown(&all));
        }
    }
}

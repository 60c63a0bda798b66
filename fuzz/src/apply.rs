//! Well-formed changesets, applied to real tables in two orders.
//!
//! The database stays intact, nothing that the engine writes looks like a local write, what is
//! shown refers to what is shown, and what is held and shown is the same whatever the order, the
//! grouping and the repetition in which the changes came. Where a deletion was acted upon as foreign
//! keys declare, which depends on what was known then, it is so once each replica has heard what the
//! other did. It is the same on a third replica, too, that hears of it all from the first.

use std::collections::BTreeSet;
use std::sync::Arc;

use pocketsync_core::change::{Changeset, RowChange};
use pocketsync_core::clock::Version;
use pocketsync_core::lineage::{Cursor, Incarnation, Lineage, Stamp};
use pocketsync_core::store::Chunk;

use crate::draw::honest::Peers;
use crate::draw::schema::schema;
use crate::draw::values::{NOON_MS, nth_site};
use crate::draw::{Input, Result};
use crate::replica::{Replica, State, assert_same};
use crate::scene::Scene;

/// Draws a schema and changes, and applies them.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    // The data ends where it does: what was drawn by then is enough.
    let _ = draw_and_apply(&mut u);
}

fn draw_and_apply(u: &mut Input<'_>) -> Result<()> {
    let sql = schema(u)?.sql();
    let (Some(mut a), Some(mut b)) = (Replica::new(&sql, 0), Replica::new(&sql, 1)) else { return Ok(()) };
    let mut scene = Scene::default();
    scene.tell(|| sql.clone());
    let dangling = u.ratio(1, 4u8)?;
    let mut changes = Vec::new();
    while changes.len() < 6 && !u.is_empty() {
        let peers = Peers { catalog: &a.engine.catalog, dangling };
        changes.push(peers.changeset(u)?);
    }
    for (n, changeset) in changes.iter().enumerate() {
        scene.tell(|| format!("{n}: {}", describe(changeset)));
        a.apply(vec![chunk(n, 0, true, changeset.clone())]);
        a.check();
    }
    // Backwards, but for what was moved; in halves, or twice.
    let mut order: Vec<usize> = (0..changes.len()).rev().collect();
    for at in 1..order.len() {
        if u.ratio(1, 4u8)? {
            order.swap(at - 1, at);
        }
    }
    for &n in &order {
        let (changeset, how) = (&changes[n], u.int_in_range(0..=3u8)?);
        scene.tell(|| format!("on the other: {n}{}", [" in halves", " twice", "", ""][usize::from(how)]));
        match how {
            0 => b.apply(halves(n, changeset)),
            1 => {
                b.apply(vec![chunk(n, 0, true, changeset.clone())]);
                b.apply(vec![chunk(n, 1, true, changeset.clone())]);
            }
            _ => b.apply(vec![chunk(n, 0, true, changeset.clone())]),
        }
        b.check();
    }
    let (of_a, of_b) = (a.state(), b.state());
    if !has_concluded(&of_a, &changes) && !has_concluded(&of_b, &changes) {
        assert_same(&of_b, &of_a, "in another order");
    }
    for _ in 0..2 {
        a.pull(&mut b, 1 << 20);
        b.pull(&mut a, 1 << 20);
    }
    let state = a.state();
    assert_same(&b.state(), &state, "having heard of each other");
    let mut c = Replica::new(&sql, 2).expect("the third time");
    c.pull(&mut a, *u.choose(&[1 << 20, 1])?);
    c.check();
    assert_same(&c.state(), &state, "at second hand");
    if !dangling {
        for replica in [&a, &b, &c] {
            assert!(!replica.has_broken_references(), "a shown row refers to nothing");
        }
    }
    Ok(())
}

/// Whether a replica wrote something that nobody told it.
fn has_concluded(state: &State, changes: &[Changeset]) -> bool {
    let rows = || changes.iter().flat_map(|changeset| &changeset.tables).flat_map(|table| &table.rows);
    let undone: BTreeSet<Version> = rows().filter_map(|row| row.life.undone).collect();
    let written = rows().flat_map(|row| row.life.versions().chain(row.cells.iter().map(|cell| cell.version)));
    let written: BTreeSet<Version> = written.collect();
    state.values().any(|held| {
        let cells = held.cells.values().map(|(version, _)| *version);
        held.life.undone.is_some_and(|version| !undone.contains(&version))
            || held.life.versions().chain(cells).any(|version| !written.contains(&version))
    })
}

/// A piece of the log of the `n`th peer: each has a log of its own, so that they come in any order.
fn chunk(n: usize, from: u64, last: bool, changeset: Changeset) -> Chunk {
    let lineage = Lineage::new(vec![Incarnation { first_seq: 1, stamp: Stamp(n as u64 + 1) }]);
    Chunk {
        peer: nth_site(n as u8 + 100),
        from: if from == 0 { Cursor::ZERO } else { lineage.cursor_at(from) },
        to: lineage.cursor_at(from + 1),
        lineage: Arc::new(lineage),
        last,
        changeset,
        seen: Default::default(),
    }
}

/// A group of two pieces.
fn halves(n: usize, changeset: &Changeset) -> Vec<Chunk> {
    let (mut first, mut second) = (changeset.clone(), changeset.clone());
    for table in &mut first.tables {
        table.rows.truncate(table.rows.len() / 2);
    }
    for table in &mut second.tables {
        table.rows.drain(..table.rows.len() / 2);
    }
    vec![chunk(n, 0, false, first), chunk(n, 1, true, second)]
}

fn describe(changeset: &Changeset) -> String {
    let version = |version: &Version| {
        let (ms, n) = (version.hlc.ms() as i64 - NOON_MS as i64, version.hlc.bits() & 0xffff);
        format!("{ms}.{n}@{}", version.site.as_bytes()[0])
    };
    let part = |name: &str, part: &Option<Version>| {
        part.as_ref().map_or(String::new(), |at| format!(" {name} {}", version(at)))
    };
    let mut lines = Vec::new();
    for table in &changeset.tables {
        for RowChange { id, life, cells } in &table.rows {
            let cells = cells.iter().map(|cell| {
                format!(
                    " {}={} at {}",
                    table.columns[cell.column as usize],
                    cell.value,
                    version(&cell.version)
                )
            });
            let life =
                [part("born", &life.born), part("died", &life.died), part("undone", &life.undone)].concat();
            lines.push(format!("{} {id}:{life};{}", table.name, cells.collect::<String>()));
        }
    }
    lines.join("\n   ")
}

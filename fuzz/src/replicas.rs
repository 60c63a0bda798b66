//! Four replicas of a drawn schema, whose applications write what they like and which take each
//! other's changes in any order: in the end all hold the same, in the same places, the constraints
//! hold, and nothing that anybody ever held has vanished.

use std::collections::{BTreeMap, BTreeSet};

use pocketsync_core::clock::Version;
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::merge::Life;

use crate::draw::schema::{Schema, schema};
use crate::draw::statements::statement;
use crate::draw::{Input, Result};
use crate::replica::Replica;
use crate::scene::Scene;

/// Draws a schema, and what is written and exchanged.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    let Ok(schema) = schema(&mut u) else { return };
    let sql = schema.sql();
    let Some(replicas) = (0..4).map(|n| Replica::new(&sql, n)).collect::<Option<Vec<_>>>() else { return };
    let mut scene = Scene::default();
    scene.tell(|| sql);
    let mut world = World { schema, replicas, held: BTreeMap::new(), broken: false, scene };
    while !u.is_empty() && world.step(&mut u).is_ok() {}
    world.finish();
}

/// What some replica held of a row: the latest of each of its marks, and of each of its cells.
#[derive(Default)]
struct Held {
    life: Life,
    cells: BTreeMap<String, Version>,
    /// By whom.
    by: BTreeSet<SiteId>,
}

struct World {
    schema: Schema,
    replicas: Vec<Replica>,
    /// What anybody held at any time.
    held: BTreeMap<(String, RowId), Held>,
    /// Whether SQLite itself let a reference to nothing pass: REPLACE may remove what the new row
    /// refers to.
    broken: bool,
    scene: Scene,
}

impl World {
    fn step(&mut self, u: &mut Input<'_>) -> Result<()> {
        let n = u.int_in_range(0..=3usize)?;
        if u.ratio(2, 3u8)? {
            let sql = statement(u, &self.schema)?;
            // Without foreign keys anything may refer to nothing, which `tracking` tries.
            if sql != "PRAGMA foreign_keys = OFF" {
                let done = self.replicas[n].app.execute_batch(&sql);
                self.scene.tell(|| format!("{n}: {sql}; -- {done:?}"));
                self.broken |= self.replicas[n].has_broken_references();
            }
        } else {
            let from = (n + u.int_in_range(1..=3usize)?) % 4;
            self.pull(n, from, *u.choose(&[1 << 20, 1 << 20, 200])?);
        }
        Ok(())
    }

    fn pull(&mut self, to: usize, from: usize, max_bytes: usize) {
        self.scene.tell(|| format!("-- {to} pulls from {from}, in pieces of {max_bytes}"));
        let [to, from] = self.replicas.get_disjoint_mut([to, from]).expect("two replicas");
        to.pull(from, max_bytes);
        to.check();
        from.check();
        for replica in [from, to] {
            let site = replica.engine.site();
            for (row, held) in replica.state() {
                let known = self.held.entry(row).or_default();
                known.life.join(&held.life);
                known.by.insert(site);
                for (column, (version, _)) in held.cells {
                    let latest = known.cells.entry(column).or_insert(version);
                    *latest = version.max(*latest);
                }
            }
        }
    }

    fn finish(&mut self) {
        // What one concludes from the rest is news to the others.
        for _ in 0..3 {
            for (to, from) in [(1, 0), (2, 1), (3, 2), (0, 3)] {
                self.pull(to, from, 1 << 20);
            }
        }
        let states: Vec<_> = self.replicas.iter().map(Replica::state).collect();
        for (n, state) in states.iter().enumerate().skip(1) {
            let rows: BTreeSet<_> = state.keys().chain(states[0].keys()).collect();
            for row in rows {
                assert_eq!(state.get(row), states[0].get(row), "{n} and 0: {} {}", row.0, row.1);
            }
        }
        for replica in &self.replicas {
            assert!(self.broken || !replica.has_broken_references(), "a shown row refers to nothing");
        }
        for (row, held) in &self.held {
            let name = || format!("{} {}", row.0, row.1);
            let Some(kept) = states[0].get(row) else {
                // Who deletes what nobody has heard of need not tell.
                assert_eq!(held.by.len(), 1, "{} is nowhere", name());
                continue;
            };
            let mut life = kept.life;
            assert!(!life.join(&held.life), "{}: {:?} was {:?}", name(), kept.life, held.life);
            // Who deletes a row gives up what is in it; if it comes back, then with what others have.
            for (column, version) in held.cells.iter().filter(|(_, version)| Some(**version) > life.died) {
                let kept = kept.cells.get(column).map(|(version, _)| *version);
                assert!(kept >= Some(*version), "{} {column}: {kept:?} was {version:?}", name());
            }
        }
    }
}

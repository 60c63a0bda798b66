//! Four replicas of a drawn schema and their hub, under drawn rules, whose applications write what
//! they like and which exchange changes in any order over links that break: in the end every single
//! write is accounted for.
//!
//! Replicas meet through the hub alone. It judges what a device sends of its own, and not what it
//! hands on for others: what devices tell each other may be replaced without a word in any log.

mod ledger;
mod link;

use pocketsync_core::conflict::{ConflictFilter, LoggedConflict};
use pocketsync_core::id::SiteId;
use pocketsync_core::lineage::Stamp;
use pocketsync_core::store::MemoryStore;
use pocketsync_core::store::sqlite::{conflict, fold};

use crate::draw::schema::{Schema, schema};
use crate::draw::statements::{contested, statement};
use crate::draw::{Input, Result};
use crate::replica::{Replica, State, assert_same};
use crate::scene::Scene;
use ledger::Ledger;
use link::{Link, exchange, scope};

const REPLICAS: usize = 4;
const HUB: SiteId = SiteId::from_bytes([9; 16]);
const MAX_STEPS: usize = 40;
/// After this many rounds of everybody with the hub, all hold the same.
const MAX_ROUNDS: usize = 12;

/// Draws a schema, rules, and what is written and exchanged.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    let Ok(schema) = schema(&mut u) else { return };
    let sql = schema.sql();
    let replicas = (0..REPLICAS as u8).map(|n| Replica::new(&sql, n)).collect::<Option<Vec<_>>>();
    let Some(replicas) = replicas else { return };
    let hub = MemoryStore::hub(HUB, Stamp(9));
    let mut scene = Scene::default();
    scene.tell(|| sql);
    let states = replicas.iter().map(Replica::state).collect();
    let ledger = Ledger::default();
    let mut world = World { schema, replicas, hub, states, ledger, fresh: 0, broken: false, scene };
    let begun = world.rule(&mut u).and_then(|()| world.begin(&mut u));
    if begun.is_ok() {
        // Tables that statements double and double again only cost time.
        (0..MAX_STEPS).find(|_| u.is_empty() || world.step(&mut u).is_err());
    }
    world.finish();
}

struct World {
    schema: Schema,
    replicas: Vec<Replica>,
    hub: MemoryStore,
    /// What each replica held when its engine was last at work.
    states: Vec<State>,
    ledger: Ledger,
    /// How many values were written that nobody else writes.
    fresh: u32,
    /// Whether SQLite itself let a reference to nothing pass: REPLACE may remove what the new row
    /// refers to.
    broken: bool,
    scene: Scene,
}

impl World {
    /// The application of the first replica makes rules for some columns, or none, and the hub hears of them.
    fn rule(&mut self, u: &mut Input<'_>) -> Result<()> {
        // Each replica looks its whole schema over when the table of the rules comes, which takes long.
        if u.arbitrary()? {
            return Ok(());
        }
        let mut rules = Vec::new();
        for table in self.replicas[0].engine.catalog.tables.values() {
            let columns = table.columns.iter().map(|column| column.name.clone());
            for column in columns.chain([String::new()]) {
                let words =
                    [None, None, None, Some("hub_wins"), Some("client_wins"), Some("last_write_wins")];
                let strategy = *u.choose(&words)?;
                let is_whole = column.is_empty() && u.ratio(1, 3u8)?;
                let on_delete = is_whole.then_some("last_writer_wins");
                if strategy.is_some() || on_delete.is_some() {
                    rules.push((table.name.clone(), column, strategy, on_delete));
                }
            }
        }
        if rules.is_empty() {
            return Ok(());
        }
        let first = &mut self.replicas[0];
        let create = "CREATE TABLE __pocketsync_rules(tbl TEXT NOT NULL, col TEXT NOT NULL DEFAULT '',
            strategy TEXT, on_delete TEXT, merge TEXT, PRIMARY KEY(tbl, col)) WITHOUT ROWID";
        first.app.execute_batch(create).expect("a table");
        first.engine.write(|_| Ok(())).expect("it is noticed");
        let insert = "INSERT INTO __pocketsync_rules(tbl, col, strategy, on_delete) VALUES(?1, ?2, ?3, ?4)";
        for rule in rules {
            self.scene.tell(|| format!("-- a rule: {rule:?}"));
            first.app.execute(insert, rule).expect("a rule");
        }
        self.meet(0, Link::WHOLE);
        Ok(())
    }

    /// Some rows that all have.
    fn begin(&mut self, u: &mut Input<'_>) -> Result<()> {
        for _ in 0..u.int_in_range(0..=6)? {
            let sql = statement(u, &self.schema)?;
            self.write(0, &sql);
        }
        (0..REPLICAS).for_each(|n| self.meet(n, Link::WHOLE));
        Ok(())
    }

    fn step(&mut self, u: &mut Input<'_>) -> Result<()> {
        let n = u.int_in_range(0..=REPLICAS - 1)?;
        match u.int_in_range(0..=8u8)? {
            0..=2 => {
                let sql = statement(u, &self.schema)?;
                self.write(n, &sql);
                return Ok(());
            }
            3..=5 => {
                self.fresh += 1;
                let sql = contested(u, &self.schema, self.fresh)?;
                self.write(n, &sql);
                return Ok(());
            }
            _ => {}
        }
        let link = Link { acks: !u.ratio(1, 4u8)?, pulls_first: u.arbitrary()?, ..Link::WHOLE };
        let link = match u.int_in_range(0..=7u8)? {
            0..=2 => link,
            3 => Link { pieces: [0, usize::MAX], ..link },
            4 => Link { pieces: [usize::MAX, 0], ..link },
            5 | 6 => Link {
                max_bytes: *u.choose(&[1, 60, 200])?,
                pieces: [u.int_in_range(0..=3)?, u.int_in_range(0..=3)?],
                ..link
            },
            _ => {
                self.fold(n);
                return Ok(());
            }
        };
        self.meet(n, link);
        Ok(())
    }

    fn write(&mut self, n: usize, sql: &str) {
        // Without foreign keys anything may refer to nothing, which `tracking` tries.
        if sql != "PRAGMA foreign_keys = OFF" {
            let done = self.replicas[n].app.execute_batch(sql);
            self.scene.tell(|| format!("{n}: {sql}; -- {done:?}"));
        }
    }

    /// What an application wrote gets its versions, which is when it is a write.
    fn fold(&mut self, n: usize) {
        let replica = &mut self.replicas[n];
        self.broken |= replica.has_broken_references();
        if replica.engine.write(fold::run).expect("what was written can be folded").is_some() {
            self.scene.tell(|| format!("-- {n} folds"));
            let before = std::mem::replace(&mut self.states[n], replica.state());
            self.ledger.enter(replica.engine.site(), &before, &self.states[n]);
        }
    }

    fn meet(&mut self, n: usize, link: Link) {
        self.fold(n);
        self.scene.tell(|| format!("-- {n} meets the hub: {link:?}"));
        exchange(&mut self.replicas[n], &mut self.hub, link);
        self.states[n] = self.replicas[n].state();
        self.ledger.conclude(&self.states[n]);
        self.ledger.answer(HUB, self.hub.states(&scope()));
    }

    fn logs(&self) -> Vec<LoggedConflict> {
        let all = ConflictFilter::default();
        let mut logs = self.hub.conflicts(&scope(), &all);
        for replica in &self.replicas {
            logs.extend(conflict::find(&replica.engine, &all).expect("a log"));
        }
        logs
    }

    fn finish(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let before = self.hub.states(&scope());
            (0..REPLICAS).for_each(|n| self.meet(n, Link::WHOLE));
            // What one concludes from what it is told, the others hear in the next round.
            let agree = self.states.iter().all(|state| *state == self.states[0]);
            if agree && self.hub.states(&scope()) == before {
                break;
            }
        }
        for (n, state) in self.states.iter().enumerate().skip(1) {
            assert_same(state, &self.states[0], &format!("{n} and 0"));
        }
        for replica in &self.replicas {
            replica.check();
            assert!(self.broken || !replica.has_broken_references(), "a shown row refers to nothing");
        }
        let (writes, logs) = (self.ledger.len(), self.logs());
        self.scene.tell(|| format!("-- in the end: {writes} writes, {} conflicts", logs.len()));
        self.ledger.close(&self.states[0], &logs, HUB);
    }
}

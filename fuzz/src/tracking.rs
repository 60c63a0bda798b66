//! Whatever one application writes to tables of any kind, a second replica shows the same.
//!
//! The schema and the statements are drawn; the statements run on a plain connection, some of them
//! in transactions and savepoints that are taken back, and SQLite refuses what it refuses. Now and
//! then the other replica takes what there is.

use crate::draw::schema::{Schema, schema};
use crate::draw::statements::statement;
use crate::draw::{Input, Result};
use crate::replica::{Replica, assert_same};
use crate::scene::Scene;

/// Draws a schema and a script, and runs it.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    let Ok(schema) = schema(&mut u) else { return };
    let sql = schema.sql();
    let (Some(a), Some(b)) = (Replica::new(&sql, 0), Replica::new(&sql, 1)) else { return };
    let mut scene = Scene::default();
    scene.tell(|| sql.clone());
    let mut pair = Pair { schema, a, b, enforced: true, scene };
    while !u.is_empty() {
        if pair.step(&mut u).is_err() {
            break;
        }
    }
    pair.pull(1 << 20);
}

struct Pair {
    schema: Schema,
    /// Where the application writes.
    a: Replica,
    b: Replica,
    /// Whether foreign keys were enforced all the time.
    enforced: bool,
    scene: Scene,
}

impl Pair {
    fn step(&mut self, u: &mut Input<'_>) -> Result<()> {
        match u.int_in_range(0..=15u8)? {
            0..=9 => {
                let sql = statement(u, &self.schema)?;
                self.execute(&sql);
            }
            10 => self.execute("BEGIN"),
            11 => self.execute("SAVEPOINT s"),
            12 => self.execute(u.choose(&["ROLLBACK TO s", "RELEASE s"])?),
            13 => self.execute(u.choose(&["COMMIT", "ROLLBACK"])?),
            _ => {
                let max_bytes = *u.choose(&[1 << 20, 1, 200])?;
                self.pull(max_bytes);
            }
        }
        Ok(())
    }

    /// What SQLite refuses is the application's own business.
    fn execute(&mut self, sql: &str) {
        let done = self.a.app.execute_batch(sql);
        self.scene.tell(|| format!("{sql}; -- {done:?}"));
        self.enforced &= sql != "PRAGMA foreign_keys = OFF";
    }

    fn pull(&mut self, max_bytes: usize) {
        self.execute("COMMIT");
        // A violation of a deferred constraint keeps it open.
        self.execute("ROLLBACK");
        self.scene.tell(|| format!("-- pull in pieces of {max_bytes}"));
        self.b.pull(&mut self.a, max_bytes);
        self.a.check();
        self.b.check();
        if self.enforced {
            assert_eq!(self.b.shown(), self.a.shown(), "parked: {:?}", self.b.parked());
        } else {
            // What follows from a deletion is concluded by who has the values that it takes, and that
            // may be the other one.
            for _ in 0..2 {
                self.a.pull(&mut self.b, max_bytes);
                self.b.pull(&mut self.a, max_bytes);
            }
            // What is shown may differ: a row makes way there for a reference to nothing that names
            // its integer.
            assert_same(&self.b.state(), &self.a.state(), "having heard of each other");
        }
    }
}

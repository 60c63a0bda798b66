//! References that no foreign key holds.

use std::path::PathBuf;

use pocketsync_sim::Simulation;
use pocketsync_sim::pocketsync_core::value::Value;
use pocketsync_sim::scenario::Scenario;
use pocketsync_sim::shape::RowTag;
use pocketsync_sim::story::Act;

use crate::support::{device, run_well, story, transact};

/// A sale without a day may name a shop that there is not: a part of its foreign key is NULL.
const SQL: &str = "
    CREATE TABLE shop(id INTEGER PRIMARY KEY, tag TEXT NOT NULL);
    CREATE TABLE day(shop INTEGER REFERENCES shop ON DELETE CASCADE, at TEXT, PRIMARY KEY(shop, at)) WITHOUT ROWID;
    CREATE TABLE sale(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, shop INTEGER, at TEXT CHECK (at IS NULL),
      FOREIGN KEY (shop, at) REFERENCES day);";

const SHOP: usize = 0;
const SALE: usize = 2;

#[test]
fn strangers_under_the_integer_of_a_reference_to_nothing_are_not_what_it_points_at() {
    let mut story = story(1, vec![device(true), device(false)], 20_000);
    story.moves = vec![
        // A sale of a shop that is deleted. It is told to the hub before another shop is given the integer.
        transact(1_000, 0, 1, SHOP, Act::Insert),
        transact(1_100, 0, 2, SALE, Act::Insert),
        transact(1_200, 0, 3, SHOP, Act::Delete),
        transact(5_000, 0, 4, SHOP, Act::Insert),
        // Here a third one has it.
        transact(1_000, 1, 5, SHOP, Act::Insert),
    ];
    let (_, seen) = run_well(SQL, story);
    let sale = RowTag { table: SALE, name: "r2".to_owned() };
    let shown = seen.settled().devices.iter().map(|view| {
        let row = &view.rows[&sale];
        (row.cells[2].clone(), row.unheld[&2].clone())
    });
    let shop = |name: &str| (Value::text(name), Value::Integer(1));
    assert_eq!(shown.collect::<Vec<_>>(), [shop("r4"), shop("r5")]);
}

#[test]
fn devices_that_give_such_an_integer_to_a_row_keep_every_promise() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let scenario = Scenario::load(folder.join("constraints.toml")).unwrap();
    Simulation::new(scenario).seeds(492..493).check();
}

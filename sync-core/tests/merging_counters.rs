//! Counters: concurrent additions add up, on real files through a real hub.

mod files;

use files::World;

const DAYS: &str =
    "CREATE TABLE day(name TEXT PRIMARY KEY NOT NULL, n INTEGER NOT NULL DEFAULT 0, note TEXT)";
const ALL: &str = "SELECT name || ' ' || coalesce(n, 'NULL') FROM day ORDER BY 1";

/// So many devices that know the schema and the rule, and have one row.
fn world(devices: usize, merge: &str) -> World {
    let mut world = World::new(devices, DAYS);
    world.sql(0, "INSERT INTO day VALUES('mon', 10, 'x')");
    rule(&mut world, "day", "n", merge);
    world.settle();
    world
}

fn rule(world: &mut World, table: &str, column: &str, merge: &str) {
    let mut rule = pocketsync_core::conflict::Rule::column(table, column);
    rule.merge = pocketsync_core::conflict::MergeType::named(merge);
    world.devices[0].replica.set_rule(&rule).unwrap();
}

#[test]
fn additions_add_up() {
    let mut world = world(3, "counter");
    world.sql(0, "UPDATE day SET n = n + 1");
    world.sql(1, "UPDATE day SET n = n + 5");
    world.sql(2, "UPDATE day SET n = n - 2, note = 'y'");
    world.settle();
    assert_eq!(world.same(ALL), ["mon 14"]);
    world.sql(1, "UPDATE day SET n = 0");
    world.sql(2, "UPDATE day SET n = n + 1");
    world.settle();
    assert_eq!(world.same(ALL), ["mon 1"], "a write is the difference that it makes");
}

#[test]
fn rows_that_two_devices_insert_add_up() {
    let mut world = world(3, "counter");
    for n in 0..3 {
        world.sql(n, "INSERT INTO day(name, n) VALUES('tue', 1) ON CONFLICT DO UPDATE SET n = n + 1");
        world.sql(n, "INSERT INTO day(name, n) VALUES('tue', 1) ON CONFLICT DO UPDATE SET n = n + 1");
    }
    world.settle();
    assert_eq!(world.same(ALL), ["mon 10", "tue 6"]);
}

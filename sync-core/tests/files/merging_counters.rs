//! Counters: concurrent additions add up, on real files through a real hub.

use crate::world::World;
use pocketsync_core::conflict::{ConflictFilter, MergeType, Rule};

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
    let mut rule = Rule::column(table, column);
    rule.merge = MergeType::named(merge);
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

#[test]
fn additions_are_no_conflict() {
    let mut world = world(2, "counter");
    for n in 0..2 {
        world.sql(n, "UPDATE day SET n = n + 1; INSERT INTO day(name, n) VALUES('tue', 4)");
        world.fold(n);
    }
    world.settle();
    assert_eq!(world.same(ALL), ["mon 12", "tue 8"]);
    for device in &world.devices {
        assert_eq!(device.replica.conflicts(&ConflictFilter::default()).unwrap(), []);
    }
    assert_eq!(world.conflicts_at_hub(), []);
}

#[test]
fn null_resets_and_later_additions_begin_anew() {
    let mut world = world(2, "counter");
    world.sql(0, "UPDATE day SET n = n + 1");
    world.settle();
    world.sql(1, "UPDATE day SET n = NULL WHERE 0 = 1; INSERT INTO day(name, n, note) VALUES('tue', 7, 'z')");
    world.settle();
    world.sql(1, "DELETE FROM day WHERE name = 'mon'");
    world.settle();
    world.sql(0, "INSERT INTO day(name, n) VALUES('mon', 2)");
    world.settle();
    assert_eq!(world.same(ALL), ["mon 2", "tue 7"], "a row that is inserted anew begins anew");
}

#[test]
fn what_was_added_to_a_row_that_was_deleted_is_not_in_the_next_one() {
    let mut world = world(2, "counter");
    world.sql(1, "UPDATE day SET n = n + 100");
    world.settle();
    world.sql(0, "DELETE FROM day; INSERT INTO day(name, n) VALUES('mon', 1)");
    world.fold(0);
    // Later than the row was deleted, and without knowing.
    std::thread::sleep(std::time::Duration::from_millis(3));
    world.sql(1, "UPDATE day SET n = n + 1000");
    world.settle();
    assert_eq!(world.same(ALL), ["mon 1"]);
    world.sql(1, "UPDATE day SET n = n + 1");
    world.sql(0, "UPDATE day SET n = n + 1");
    world.settle();
    assert_eq!(world.same(ALL), ["mon 3"]);
}

#[test]
fn a_restored_file_keeps_what_was_added_on_both_sides() {
    let mut world = world(2, "counter");
    world.sql(0, "UPDATE day SET n = n + 1");
    world.settle();
    let backup = world.back_up(0);
    world.sql(0, "UPDATE day SET n = n + 20");
    world.sql(1, "UPDATE day SET n = n + 300");
    world.settle();
    assert_eq!(world.same(ALL), ["mon 331"]);
    world.restore(0, &backup);
    world.sql(0, "UPDATE day SET n = n + 4000");
    world.fold(0);
    world.sql(0, "UPDATE day SET n = n + 50000; INSERT INTO day(name, n) VALUES('tue', 1)");
    world.settle();
    assert_eq!(world.forks(0), 1);
    assert_eq!(world.same(ALL), ["mon 54331", "tue 1"]);
    for n in 0..2 {
        world.sql(n, "UPDATE day SET n = n + 1");
    }
    world.settle();
    assert_eq!(world.same(ALL), ["mon 54333", "tue 3"]);
}

#[test]
fn a_clone_and_its_original_both_count() {
    for original_first in [true, false] {
        let mut world = world(1, "counter");
        world.sql(0, "UPDATE day SET n = n + 1");
        world.fold(0);
        let clone = world.clone_file(0);
        let (first, second) = if original_first { (0, clone) } else { (clone, 0) };
        world.sql(0, "UPDATE day SET n = n + 20");
        world.sql(clone, "UPDATE day SET n = n + 300");
        world.go_offline(second);
        world.settle();
        world.sql(first, "UPDATE day SET n = n + 4000");
        world.sql(second, "UPDATE day SET n = n + 50000");
        world.devices[second].online = true;
        world.settle();
        assert_eq!(world.same(ALL), ["mon 54331"], "the original first: {original_first}");
    }
}

#[test]
fn a_wrong_clock_changes_no_sum() {
    const YEAR: i64 = 365 * 86_400_000;
    for skew in [-YEAR, YEAR] {
        let mut world = world(2, "counter");
        world.sql(1, "UPDATE day SET n = n + 1");
        world.sql(0, "INSERT INTO day(name, n) VALUES('tue', 1)");
        world.settle();
        world.sql(0, "DELETE FROM day WHERE name = 'tue'");
        world.go_offline(1);
        world.settle();
        world.devices[1].skew_ms = skew;
        // It has not heard that the row is gone, and makes it anew itself.
        world.sql(1, "UPDATE day SET n = n + 20 WHERE name = 'mon'; DELETE FROM day WHERE name = 'tue'");
        world.sql(1, "INSERT INTO day(name, n) VALUES('tue', 300), ('wed', 4)");
        world.sql(1, "UPDATE day SET n = n + 4000");
        world.devices[1].online = true;
        world.settle();
        assert_eq!(world.same(ALL), ["mon 4031", "tue 4300", "wed 4004"], "skew {skew}");
        world.sql(0, "UPDATE day SET n = n + 1");
        world.sql(1, "UPDATE day SET n = n + 1");
        world.settle();
        assert_eq!(world.same(ALL), ["mon 4033", "tue 4302", "wed 4006"], "skew {skew}");
    }
}

#[test]
fn a_counter_below_its_check_waits_until_it_is_above() {
    let mut world =
        World::new(2, "CREATE TABLE day(name TEXT PRIMARY KEY NOT NULL, n INTEGER CHECK(n >= 0))");
    world.sql(0, "INSERT INTO day VALUES('mon', 3)");
    rule(&mut world, "day", "n", "counter");
    world.settle();
    world.sql(0, "UPDATE day SET n = n - 2");
    world.sql(1, "UPDATE day SET n = n - 2");
    world.settle();
    assert_eq!(world.same(ALL), [""; 0]);
    assert_eq!(world.same("SELECT table_name || ' ' || reason FROM __pocketsync_parked"), ["day refused"]);
    // An upsert finds nothing there, and adds to what waits.
    world.sql(1, "INSERT INTO day VALUES('mon', 5) ON CONFLICT DO UPDATE SET n = n + 5");
    world.settle();
    assert_eq!(world.same(ALL), ["mon 4"]);
}

#[test]
fn files_without_rules_do_not_ask_for_shares() {
    let mut world = World::new(2, DAYS);
    for device in &world.devices {
        device.app.execute_batch("DROP TABLE __pocketsync_merge; DROP TABLE __pocketsync_share").unwrap();
    }
    world.sql(0, "INSERT INTO day VALUES('mon', 1, 'x')");
    world.settle();
    world.sql(1, "UPDATE day SET n = 2");
    world.settle();
    assert_eq!(world.same(ALL), ["mon 2"]);
}

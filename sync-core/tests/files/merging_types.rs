//! Sets, maxima and minima; replicas that know nothing of it; changes of the schema.

use crate::world::World;
use pocketsync_core::conflict::{MergeType, Rule};

const NOTE: &str = "CREATE TABLE note(id TEXT PRIMARY KEY NOT NULL, tags TEXT DEFAULT '[]', best, worst REAL, n INTEGER DEFAULT 5)";
const ALL: &str =
    "SELECT coalesce(tags, 'NULL') || ' ' || quote(best) || ' ' || quote(worst) || ' ' || n FROM note";

fn set_rules(world: &World, on: usize) {
    for (column, word) in [("tags", "set"), ("best", "max"), ("worst", "min"), ("n", "counter")] {
        let mut rule = Rule::column("note", column);
        rule.merge = MergeType::named(word);
        world.devices[on].replica.set_rule(&rule).unwrap();
    }
}

fn world(devices: usize) -> World {
    let mut world = World::new(devices, NOTE);
    world.sql(0, "INSERT INTO note VALUES('a', '[\"x\", \"y\"]', 3, 3, 5)");
    set_rules(&world, 0);
    world.settle();
    world
}

fn tags(world: &World) -> String {
    world.same("SELECT coalesce(tags, 'NULL') FROM note").join(" | ")
}

#[test]
fn an_addition_wins_over_a_removal_that_did_not_see_it() {
    let mut world = world(3);
    world.sql(0, r#"UPDATE note SET tags = '["x","y","new"]'"#);
    world.settle();
    world.sql(1, r#"UPDATE note SET tags = '["x"]'"#);
    world.sql(2, r#"UPDATE note SET tags = '["new","y"]'"#);
    world.settle();
    assert_eq!(tags(&world), "[]", "each removal was of something that was seen");
    world.sql(1, r#"UPDATE note SET tags = '["new"]'"#);
    world.settle();
    world.sql(1, "UPDATE note SET tags = '[]'");
    world.sql(2, r#"UPDATE note SET tags = '[]'"#);
    world.fold(2);
    world.sql(2, r#"UPDATE note SET tags = '["new", 1]'"#);
    world.settle();
    assert_eq!(tags(&world), r#"["new",1]"#, "what was added again, unseen, stays");
    world.sql(0, r#"UPDATE note SET tags = '[1]'"#);
    world.settle();
    assert_eq!(tags(&world), "[1]");
}

#[test]
fn what_is_no_array_resets_a_set() {
    let mut world = world(2);
    world.sql(0, "UPDATE note SET tags = NULL");
    world.settle();
    assert_eq!(tags(&world), "NULL");
    world.sql(0, r#"UPDATE note SET tags = '["a"]'"#);
    world.sql(1, r#"UPDATE note SET tags = '["b"]'"#);
    world.settle();
    assert_eq!(tags(&world), r#"["a","b"]"#);
    world.sql(1, "UPDATE note SET tags = NULL");
    world.settle();
    world.sql(1, "UPDATE note SET tags = '[]'");
    world.settle();
    assert_eq!(tags(&world), "[]");
}

#[test]
fn a_set_is_shown_in_one_order_everywhere() {
    let mut world = world(2);
    world.sql(0, r#"UPDATE note SET tags = '[ "z", "x",  "y", "z" ]'"#);
    world.settle();
    assert_eq!(tags(&world), r#"["x","y","z"]"#);
}

#[test]
fn the_outermost_value_stays() {
    let mut world = world(3);
    let shown = |world: &World| world.same("SELECT quote(best) || ' ' || quote(worst) FROM note");
    world.sql(0, "UPDATE note SET best = 10, worst = 10");
    world.sql(1, "UPDATE note SET best = 9.5, worst = -1");
    world.sql(2, "UPDATE note SET best = 1, worst = 1");
    world.settle();
    assert_eq!(shown(&world), ["10 -1.0"]);
    world.sql(0, "UPDATE note SET best = 'text', worst = NULL");
    world.settle();
    assert_eq!(shown(&world), ["'text' NULL"], "in SQLite's order text is above numbers, and NULL resets");
    world.sql(1, "UPDATE note SET worst = 7");
    world.sql(2, "UPDATE note SET worst = 8");
    world.settle();
    assert_eq!(shown(&world), ["'text' 7.0"]);
}

#[test]
fn a_restored_file_keeps_what_it_put_into_sets() {
    let mut world = world(2);
    world.sql(0, r#"UPDATE note SET tags = '["x","y","shared"]', best = 4"#);
    world.settle();
    let backup = world.back_up(0);
    world.sql(0, r#"UPDATE note SET tags = '["x","y","shared","lost copy"]', best = 5"#);
    world.settle();
    world.restore(0, &backup);
    world.sql(0, r#"UPDATE note SET tags = '["y","restored"]', best = 6"#);
    world.settle();
    assert_eq!(world.forks(0), 1);
    assert_eq!(tags(&world), r#"["lost copy","restored","y"]"#);
    assert_eq!(world.same("SELECT quote(best) FROM note"), ["6"]);
    world.sql(1, "UPDATE note SET tags = '[]'");
    world.settle();
    assert_eq!(tags(&world), "[]");
}

#[test]
fn who_has_no_such_column_or_table_hands_it_on() {
    let mut world = World::empty();
    world.install(NOTE, "WAL");
    world.install("CREATE TABLE note(id TEXT PRIMARY KEY NOT NULL, best)", "WAL");
    world.install("CREATE TABLE other(id INTEGER PRIMARY KEY)", "WAL");
    world.install(NOTE, "WAL");
    set_rules(&world, 0);
    world.sql(0, "INSERT INTO note(id, n) VALUES('a', 1); UPDATE note SET n = n + 1, tags = '[1]'");
    // From one to the next, and never through the hub.
    for n in 0..3 {
        world.meet(n, n + 1);
    }
    let shown = "SELECT tags || ' ' || n FROM note";
    assert_eq!(world.rows(3, shown), ["[1] 2"]);
    world.sql(3, "UPDATE note SET n = n + 1");
    world.sql(0, "UPDATE note SET n = n + 1");
    world.sql(1, "UPDATE note SET best = 3");
    for n in [2, 1, 0] {
        world.meet(n, n + 1);
    }
    assert_eq!(world.rows(0, shown), ["[1] 4"]);
    assert_eq!(world.rows(0, "SELECT quote(best) FROM note"), ["3"]);
    // The column comes: what was held for it is shown.
    world.devices[1].app.execute_batch("ALTER TABLE note ADD COLUMN n INTEGER DEFAULT 5").unwrap();
    // Written before the engine has looked: not to the new column.
    world.sql(1, "UPDATE note SET best = 4");
    world.devices[2].app.execute_batch(NOTE).unwrap();
    world.devices[2].replica.track(&pocketsync_core::store::sqlite::Tables::all()).unwrap();
    world.meet(1, 2);
    for n in [1, 2] {
        assert_eq!(world.rows(n, "SELECT '' || n FROM note"), ["4"], "device {n}");
        world.sql(n, "UPDATE note SET n = n + 1");
    }
    world.settle();
    world.settle();
    assert_eq!(world.same("SELECT '' || n FROM note"), ["6"]);
}

#[test]
fn a_column_that_is_renamed_or_dropped_keeps_its_shares() {
    let mut world = world(3);
    world.sql(0, "UPDATE note SET n = n + 1");
    world.sql(2, "UPDATE note SET n = n + 10");
    world.settle();
    world.devices[0].app.execute_batch("ALTER TABLE note RENAME COLUMN n TO votes").unwrap();
    world.devices[1].app.execute_batch("ALTER TABLE note DROP COLUMN n").unwrap();
    world.sql(0, "UPDATE note SET votes = votes + 100");
    world.sql(2, "UPDATE note SET n = n + 1000");
    world.settle();
    world.settle();
    assert_eq!(world.rows(0, "SELECT '' || votes FROM note"), ["1116"]);
    assert_eq!(world.rows(2, "SELECT '' || n FROM note"), ["1116"]);
    world.devices[1].app.execute_batch("ALTER TABLE note ADD COLUMN votes INTEGER").unwrap();
    world.sql(0, "UPDATE note SET votes = votes + 1");
    world.settle();
    world.settle();
    assert_eq!(world.rows(1, "SELECT '' || votes FROM note"), ["1117"]);
    world.sql(1, "UPDATE note SET votes = votes + 1");
    world.settle();
    assert_eq!(world.rows(2, "SELECT '' || n FROM note"), ["1118"]);
}

#[test]
fn a_rule_may_name_a_column_as_who_sets_it_calls_it() {
    let mut world = World::new(2, NOTE);
    world.sql(0, "INSERT INTO note(id) VALUES('a')");
    world.settle();
    world.devices[0].app.execute_batch("ALTER TABLE note RENAME COLUMN n TO votes").unwrap();
    world.settle();
    let mut rule = Rule::column("note", "votes");
    rule.merge = Some(MergeType::Counter);
    world.devices[0].replica.set_rule(&rule).unwrap();
    world.settle();
    world.sql(0, "UPDATE note SET votes = votes + 1");
    world.sql(1, "UPDATE note SET n = n + 1");
    world.settle();
    assert_eq!(world.rows(0, "SELECT '' || votes FROM note"), ["7"]);
    assert_eq!(world.rows(1, "SELECT '' || n FROM note"), ["7"]);
}

#[test]
fn a_rule_that_comes_later_counts_from_what_is_there() {
    let mut world = World::new(3, NOTE);
    world.sql(0, "INSERT INTO note(id) VALUES('a'), ('b')");
    world.settle();
    world.sql(0, "UPDATE note SET n = n + 1");
    set_rules(&world, 0);
    world.sql(0, "UPDATE note SET n = n + 1");
    world.go_offline(2);
    world.settle();
    // It has not heard of the rule: the later plain write is the base, and additions stay.
    world.sql(2, "UPDATE note SET n = 50 WHERE id = 'a'");
    world.sql(1, "UPDATE note SET n = n + 1");
    world.devices[2].online = true;
    world.settle();
    assert_eq!(world.same("SELECT id || n FROM note ORDER BY 1"), ["a52", "b8"]);
    world.devices[0].replica.unset_rule("note", Some("n")).unwrap();
    world.settle();
    world.sql(0, "UPDATE note SET n = 1 WHERE id = 'a'");
    world.sql(1, "UPDATE note SET n = 2 WHERE id = 'a'");
    world.settle();
    let shown = world.same("SELECT id || n FROM note ORDER BY 1");
    assert!(shown == ["a1", "b8"] || shown == ["a2", "b8"], "one of the writes wins again: {shown:?}");
}

#[test]
fn columns_that_cannot_merge_are_refused_by_name() {
    let world = World::new(
        1,
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE t(id INTEGER PRIMARY KEY, u INTEGER UNIQUE, p INTEGER REFERENCES p(id), c TEXT,
           g AS (u + 1), n INTEGER)",
    );
    let refusal = |column: &str, merge| {
        let mut rule = Rule::column("t", column);
        rule.merge = Some(merge);
        world.devices[0].replica.set_rule(&rule).unwrap_err().message
    };
    for (column, part) in [("id", "primary key"), ("u", "UNIQUE"), ("p", "foreign key"), ("g", "generated")] {
        let message = refusal(column, MergeType::Max);
        assert!(message.contains(&format!("t.{column}")) && message.contains(part), "{message}");
    }
    assert!(refusal("c", MergeType::Counter).contains("text"));
    assert!(world.devices[0].replica.rules().unwrap().is_empty());
    // Plain SQL is not asked: such a rule applies to nothing.
    set_rules(&world, 0);
    world.sql(
        0,
        "INSERT INTO __pocketsync_rules(tbl, col, merge) VALUES('t', 'u', 'counter'), ('t', 'n', 'median')",
    );
    world.fold(0);
    let inapplicable = world.devices[0].replica.inapplicable_rules().unwrap();
    assert_eq!(inapplicable.len(), 1);
    assert!(inapplicable[0].contains("t.u is a part of a UNIQUE index"), "{inapplicable:?}");
    let rules = world.devices[0].replica.rules().unwrap();
    assert_eq!(rules.iter().flat_map(|rule| rule.unknown.clone()).collect::<Vec<_>>(), ["median"]);
}

#[test]
fn what_a_row_had_is_logged_as_it_was_shown() {
    let mut world = world(2);
    world.sql(0, "UPDATE note SET n = n + 2");
    world.settle();
    world.sql(0, "UPDATE note SET n = n + 3");
    world.fold(0);
    world.sql(1, "DELETE FROM note");
    world.go_offline(0);
    world.settle();
    world.devices[0].online = true;
    world.settle();
    assert_eq!(world.same(ALL), [""; 0]);
    let logged = world.devices[0].replica.conflicts(&Default::default()).unwrap();
    assert_eq!(logged.len(), 1);
    let told = format!("{:?}", logged[0]);
    assert!(
        told.contains(r#""n": Integer(10)"#) && !told.contains('\u{1}') && !told.contains("u{1}"),
        "{told}"
    );
    let told = format!("{:?}", world.conflicts_at_hub());
    assert!(!told.contains("u{1}"), "{told}");
    world.devices[0].replica.restore_conflict(logged[0].id).unwrap();
    world.settle();
    assert_eq!(world.same("SELECT '' || n FROM note"), ["10"]);
}

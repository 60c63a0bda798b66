//! Who is who, from file to file: identities of rows through a real hub.

use crate::world::World;

const TAGS: &str = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT, color TEXT)";

#[test]
fn an_edit_of_a_row_whose_integer_was_reused_does_not_land_on_the_new_row() {
    for folds in [1, 2] {
        let mut world = World::new(2, TAGS);
        world.sql(0, "INSERT INTO tag VALUES(6, 'kept', 'grey'), (7, 'old', 'red')");
        world.settle();
        assert_eq!(world.rows(1, "SELECT id || name FROM tag ORDER BY id"), ["6kept", "7old"]);
        world.go_offline(0);
        world.sql(1, "UPDATE tag SET color = 'blue' WHERE id = 7");
        world.sql(0, "DELETE FROM tag WHERE id = 7");
        if folds == 2 {
            world.site(0);
            world.devices[0].online = true;
            world.settle();
            assert_eq!(world.same("SELECT name FROM tag"), ["kept"], "the delete goes out, and wins");
            world.go_offline(0);
        }
        world.sql(0, "INSERT INTO tag(name, color) VALUES('new', 'green')");
        assert_eq!(world.rows(0, "SELECT name FROM tag WHERE id = 7"), ["new"], "SQLite gives 7 again");
        world.devices[0].online = true;
        world.settle();
        assert_eq!(
            world.same("SELECT name || ' ' || color FROM tag ORDER BY name"),
            ["kept grey", "new green"]
        );
    }
}

const NOTE: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT, stars INT)";

#[test]
fn a_remote_change_that_meets_an_unfolded_write_leaves_it_its_value_and_its_time() {
    for (remote_ms, wins) in [(60_000, "theirs"), (-60_000, "ours")] {
        let mut world = World::new(2, NOTE);
        world.devices[0].skew_ms = -3_600_000;
        world.sql(0, "INSERT INTO note VALUES(1, 'first', 0)");
        world.devices[0].skew_ms = 0;
        world.settle();
        world.devices[1].skew_ms = remote_ms;
        world.sql(1, "UPDATE note SET body = 'theirs', stars = 5");
        world.devices[1].skew_ms = 0;
        world.look();
        // Its change is under way; the local write is not folded before it is there.
        world.sql(0, "UPDATE note SET body = 'ours'");
        while world.step() {}
        assert_eq!(world.rows(0, "SELECT body || stars FROM note"), [format!("{wins}5")]);
        world.settle();
        assert_eq!(world.same("SELECT body || stars FROM note"), [format!("{wins}5")]);
    }
}

const TEMPLATE: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, stars INT DEFAULT 3);
    INSERT INTO note VALUES(1, 'welcome', 3), (2, 'tour', 5);
    CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT); INSERT INTO setting VALUES('theme', 'dark')";

#[test]
fn a_template_on_many_devices_is_there_once() {
    let mut world = World::new(3, TEMPLATE);
    let changed = world.install(
        &format!(
            "{TEMPLATE}; UPDATE note SET title = 'mine' WHERE id = 2; UPDATE setting SET value = 'light'"
        ),
        "WAL",
    );
    let newer =
        world.install(&format!("{TEMPLATE}; ALTER TABLE note ADD COLUMN pinned INT DEFAULT 0"), "WAL");
    world.settle();
    // A row that was changed before anybody looked is another row; the one that it was is here too.
    let titles = "SELECT title FROM note ORDER BY title";
    assert_eq!(world.same(titles), ["mine", "tour", "welcome"]);
    assert_eq!(world.same("SELECT name FROM setting"), ["theme"], "a declared key is the same row");
    assert_eq!(world.same("SELECT value FROM setting").len(), 1);
    // The rows are one row each: a change and a delete are seen by all.
    world.sql(newer, "UPDATE note SET title = 'hello', pinned = 1 WHERE id = 1");
    world.sql(0, "DELETE FROM note WHERE title = 'tour'");
    world.sql(changed, "UPDATE note SET stars = 1 WHERE title = 'mine'");
    world.settle();
    assert_eq!(world.same("SELECT title || stars FROM note ORDER BY title"), ["hello3", "mine1"]);
    let late = world.install(TEMPLATE, "WAL");
    world.settle();
    assert_eq!(world.rows(late, titles), ["hello", "mine"], "what was deleted stays so");
}

#[test]
fn a_key_that_differs_in_case_is_one_row_under_its_collation() {
    let mut world = World::new(2, "CREATE TABLE user(name TEXT PRIMARY KEY COLLATE NOCASE, age INT)");
    world.sql(0, "INSERT INTO user VALUES('bob', 1)");
    world.sql(1, "INSERT INTO user VALUES('BOB', 2)");
    world.settle();
    let shown = world.same("SELECT name || age FROM user");
    assert_eq!(shown.len(), 1, "{shown:?}");
    // To whoever deletes it, they are one.
    world.sql(0, "DELETE FROM user");
    world.settle();
    assert_eq!(world.same("SELECT name || age FROM user"), [""; 0]);
    world.sql(1, "INSERT INTO user VALUES('Bob', 3)");
    world.settle();
    assert_eq!(world.same("SELECT name FROM user"), ["Bob"]);
}

#[test]
fn a_natural_key_lives_dies_and_lives_again_on_three_devices() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let mut world =
            World::new(3, "CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT, level INT DEFAULT 0)");
        world.sql(0, "INSERT INTO setting VALUES('theme', 'first', 1)");
        world.settle();
        for n in 0..3 {
            world.go_offline(n);
        }
        // By the clock: an update of the old life, its end, and a new life.
        for (n, skew_ms, sql) in [
            (2, -3_000_000, "UPDATE setting SET value = 'old life', level = 9"),
            (0, -2_000_000, "DELETE FROM setting"),
            (
                1,
                -1_000_000,
                "DELETE FROM setting; INSERT INTO setting(name, value) VALUES('theme', 'second')",
            ),
        ] {
            world.devices[n].skew_ms = skew_ms;
            world.sql(n, sql);
            world.devices[n].skew_ms = 0;
        }
        for n in order {
            world.devices[n].online = true;
            world.settle();
        }
        assert_eq!(world.same("SELECT value || level FROM setting"), ["second0"], "{order:?}");
        let fresh = world
            .install("CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT, level INT DEFAULT 0)", "WAL");
        world.sql(1, "DELETE FROM setting");
        world.settle();
        world.go_offline(fresh);
        let newest = world
            .install("CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT, level INT DEFAULT 0)", "WAL");
        world.sql(newest, "INSERT INTO setting(name, value) VALUES('theme', 'of a fresh device')");
        world.settle();
        assert_eq!(world.same("SELECT value FROM setting"), ["of a fresh device"], "{order:?}");
    }
}

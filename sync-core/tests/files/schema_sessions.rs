//! Changes of the schema, told through sessions with a hub.

use crate::world::World;

#[test]
fn a_column_that_is_dropped_and_added_again_has_its_values() {
    let mut world = World::new(2, "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)");
    world.sql(0, "INSERT INTO note(title, body) VALUES('a', 'x'), ('b', 'y')");
    world.sql(1, "INSERT INTO note(title, body) VALUES('c', 'z')");
    world.settle();
    world.sql(0, "ALTER TABLE note DROP COLUMN body; UPDATE note SET title = 'A' WHERE title = 'a'");
    world.sql(1, "UPDATE note SET body = 'Y' WHERE title = 'b'");
    world.settle();
    world.sql(0, "ALTER TABLE note ADD COLUMN body TEXT");
    world.fold(0);
    world.go_offline(0);
    world.connect(0);
    world.settle();
    let query = "SELECT title || coalesce(body, '-') FROM note ORDER BY title";
    assert_eq!(world.same(query), ["Ax", "bY", "cz"]);
}

#[test]
fn what_goes_by_another_name_is_told_in_the_session_that_told_the_name() {
    let mut world = World::empty();
    world.install("CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)", "wal");
    world.install("CREATE TABLE memo(id INTEGER PRIMARY KEY, title TEXT)", "wal");
    world.sql(0, "INSERT INTO note(title) VALUES('a')");
    world.sql(1, "INSERT INTO memo(title) VALUES('f')");
    world.settle();
    world.sql(0, "ALTER TABLE note RENAME TO memo; INSERT INTO memo(title) VALUES('b')");
    world.settle();
    assert_eq!(world.same("SELECT title FROM memo ORDER BY 1"), ["a", "b", "f"]);
    for device in &world.devices {
        assert_eq!(device.replica.status().unwrap().pending_changes, 0);
    }
}

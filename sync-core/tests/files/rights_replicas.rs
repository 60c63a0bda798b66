//! Rights at a replica that lets others in, without a hub.

use crate::world::World;
use pocketsync_core::session::{Admitted, Rights};

const SHOP: &str = "CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT, stars INT DEFAULT 3);
    CREATE TABLE Comment(id INTEGER PRIMARY KEY, note TEXT REFERENCES note(id), body TEXT)";

const NOON_MS: u64 = 1_760_000_000_000;

fn world() -> World {
    let mut world = World::new(3, SHOP);
    world.clock_ms = Some(NOON_MS);
    world.sql(1, "INSERT INTO note VALUES('x', 'of the host', 1)");
    world.meet(0, 1);
    world
}

#[test]
fn a_replica_refuses_what_its_guest_may_not_write() {
    let mut world = world();
    let rights = Rights { read: true, write: true, relay: true };
    world.admit(0, Admitted::new("guest", rights).writing(["Comment"]));
    // A write of the host's own that it has not looked at yet.
    world.sql(1, "UPDATE note SET stars = 2");
    // Later, so that it would win if it were allowed.
    world.clock_ms = Some(NOON_MS + 1000);
    world.sql(
        0,
        "UPDATE note SET title = 'of the guest', stars = 9; INSERT INTO Comment VALUES(1, 'x', 'hello')",
    );
    world.meet(0, 1);
    for n in [0, 1] {
        assert_eq!(world.rows(n, "SELECT title || stars FROM note"), ["of the host2"]);
        assert_eq!(world.rows(n, "SELECT body FROM Comment"), ["hello"]);
    }
    let refused = world.refused(0);
    assert_eq!((refused.len(), refused[0].table.as_str()), (1, "note"));
    assert_eq!(refused[0].values.len(), 3, "the key, and what was written: {refused:?}");
}

#[test]
fn a_guest_without_the_right_to_write_writes_nothing() {
    let mut world = world();
    world.admit(0, Admitted::new("guest", Rights { read: true, write: false, relay: false }));
    world.sql(0, "DELETE FROM note; INSERT INTO note VALUES('y', 'new', 1)");
    world.meet(0, 1);
    for n in [0, 1] {
        assert_eq!(world.rows(n, "SELECT id || title FROM note"), ["xof the host"]);
    }
    assert_eq!(world.refused(0).len(), 2);
}

#[test]
fn a_guest_that_may_only_write_keeps_what_is_refused_as_it_is() {
    let mut world = world();
    let rights = Rights { read: false, write: true, relay: true };
    world.admit(0, Admitted::new("meter", rights).writing(["Comment"]));
    world.sql(0, "UPDATE note SET title = 'of the guest'; INSERT INTO Comment VALUES(1, 'x', 'hello')");
    world.meet(0, 1);
    world.meet(0, 1);
    assert_eq!(
        world.rows(0, "SELECT title FROM note"),
        ["of the guest"],
        "it is not told what is there instead"
    );
    assert_eq!(world.rows(1, "SELECT title FROM note"), ["of the host"]);
    assert_eq!(world.rows(1, "SELECT body FROM Comment"), ["hello"]);
    assert_eq!(world.refused(0).len(), 1);
}

#[test]
fn a_guest_of_an_own_voice_does_not_bring_what_it_heard_from_others() {
    let mut world = world();
    world.sql(2, "INSERT INTO note VALUES('z', 'of a third', 1)");
    world.meet(0, 2);
    world.admit(0, Admitted::new("guest", Rights { read: true, write: true, relay: false }));
    world.sql(0, "INSERT INTO note VALUES('y', 'its own', 1)");
    world.meet(0, 1);
    assert_eq!(world.rows(1, "SELECT id FROM note ORDER BY id"), ["x", "y"]);
    assert_eq!(world.rows(0, "SELECT id FROM note ORDER BY id"), ["x", "y"]);
    assert_eq!(world.refused(0)[0].key, [pocketsync_core::value::Value::text("z")]);
    // Whoever made it brings it.
    world.meet(2, 1);
    world.meet(0, 1);
    assert_eq!(world.rows(0, "SELECT id FROM note ORDER BY id"), ["x", "y", "z"]);
}

#[test]
fn what_a_host_does_not_take_of_what_others_made_comes_again_from_them() {
    let mut world = World::new(3, SHOP);
    world.clock_ms = Some(NOON_MS);
    world.admit(0, Admitted::new("guest", Rights { read: true, write: false, relay: false }));
    world.sql(2, "INSERT INTO note VALUES('x', 'of the third', 1)");
    world.settle();
    assert_eq!(world.rows(0, "SELECT title FROM note"), ["of the third"]);
    // The host forgets what it hears next.
    let backup = world.back_up(1);
    world.sql(2, "INSERT INTO note VALUES('y', 'another', 1)");
    world.settle();
    world.restore(1, &backup);
    world.go_offline(0);
    world.go_offline(1);
    world.meet(0, 1);
    for n in [0, 1] {
        world.devices[n].online = true;
    }
    world.settle();
    let titles = world.same("SELECT title FROM note ORDER BY 1");
    assert_eq!(titles, ["another", "of the third"]);
}

//! Real files that come back to a hub they know, with changes on both sides: what they push along with their introduction.

use crate::world::World;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);
    CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT)";
const ALL: &str = "SELECT title FROM note UNION ALL SELECT name || '=' || value FROM setting ORDER BY 1";

fn write(world: &World, n: usize, title: &str) {
    world.sql(n, &format!("INSERT INTO note(title) VALUES('{title}')"));
}

/// Two devices and a hub that know each other; both wrote since, the first one while it was offline.
fn met() -> World {
    let mut world = World::new(2, NOTES);
    write(&world, 0, "one");
    write(&world, 1, "two");
    world.settle();
    world.go_offline(0);
    write(&world, 0, "offline");
    world.sql(0, "INSERT INTO setting VALUES('from a', 'x')");
    write(&world, 1, "meanwhile");
    world.settle();
    world.devices[0].online = true;
    world
}

const BOTH: [&str; 5] = ["from a=x", "meanwhile", "offline", "one", "two"];

#[test]
fn a_link_that_breaks_at_any_frame_of_an_early_push_loses_nothing() {
    for frames in 1..20 {
        let mut world = met();
        world.max_frame_bytes = 256;
        world.frames_per_link = Some(frames);
        world.connect_all();
        assert_eq!(world.devices[0].early, 1);
        while world.step() {}
        world.frames_per_link = None;
        world.go_offline(0);
        world.devices[0].online = true;
        write(&world, 0, "later");
        world.settle();
        let mut wanted = BOTH.to_vec();
        wanted.insert(1, "later");
        assert_eq!(world.same(ALL), wanted, "after {frames} frames");
        assert_eq!(world.forks(0), 0);
    }
}

#[test]
fn an_engine_that_is_killed_after_an_early_push_loses_nothing() {
    for steps in 0..12 {
        let mut world = met();
        world.connect_all();
        (0..steps).all(|_| world.step());
        world.kill(0);
        world.settle();
        assert_eq!(world.same(ALL), BOTH, "after {steps} frames");
        assert_eq!(world.forks(0), 0);
    }
}

#[test]
fn a_clone_that_was_faster_has_the_name_and_loses_the_original_nothing() {
    let mut world = met();
    world.devices[0].online = false;
    let clone = world.clone_file(0);
    write(&world, clone, "by the clone");
    world.settle();
    write(&world, 0, "by the original");
    world.devices[0].online = true;
    world.settle();
    assert_eq!(world.devices[0].early, 1);
    assert_eq!(world.forks(0), 1);
    let wanted = ["by the clone", "by the original", "from a=x", "meanwhile", "offline", "one", "two"];
    let mut shown = world.same(ALL);
    // What both lives had not told yet is each one's own, where nothing but the file says that it is the same.
    shown.dedup();
    assert_eq!(shown, wanted);
}

/// The hub has heard of a clone from somebody else, and nothing in the original's own position shows it.
#[test]
fn a_clone_that_is_known_by_hearsay_is_not_hidden_by_an_early_push() {
    for killed in [false, true] {
        let mut world = World::new(2, NOTES);
        write(&world, 0, "one");
        world.settle();
        world.go_offline(0);
        let clone = world.clone_file(0);
        world.devices[clone].online = false;
        world.sql(clone, "INSERT INTO setting VALUES('who', 'the clone')");
        world.go_offline(1);
        world.meet(clone, 1);
        world.devices[1].online = true;
        world.settle();
        write(&world, 0, "by the original");
        world.devices[0].online = true;
        if killed {
            // The link breaks before the hub answers, and the process ends: what it had offered before is in the file.
            world.connect_all();
            world.kill(0);
        }
        world.settle();
        assert_eq!(world.forks(0), 1, "killed: {killed}");
        world.devices[clone].online = true;
        world.settle();
        assert_eq!(world.same(ALL), ["by the original", "one", "who=the clone"]);
    }
}

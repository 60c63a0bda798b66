//! Files that are copied back, cloned, or left by an engine that was killed.

use crate::world::World;

const NOTES: &str = "CREATE TABLE folder(id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE note(id INTEGER PRIMARY KEY, folder INT REFERENCES folder(id), title TEXT)";
const ALL: &str = "SELECT title || ' in ' || coalesce(name, 'nothing')
    FROM note LEFT JOIN folder ON folder.id = note.folder ORDER BY 1";

fn write(world: &World, n: usize, title: &str) {
    world.sql(n, &format!(
        "INSERT INTO folder(name) VALUES('{title}'); INSERT INTO note(folder, title) VALUES(last_insert_rowid(), '{title}')"
    ));
}

fn each_in_its_own(titles: &[&str]) -> Vec<String> {
    let mut all: Vec<_> = titles.iter().map(|title| format!("{title} in {title}")).collect();
    all.sort();
    all
}

#[test]
fn a_restored_file_with_new_rows_loses_nothing() {
    let mut world = World::new(2, NOTES);
    write(&world, 0, "one");
    world.settle();
    let site = world.site(0);
    let backup = world.back_up(0);
    write(&world, 0, "two");
    write(&world, 0, "three");
    world.settle();
    world.restore(0, &backup);
    // New rows before the first contact: they take the integers of the lost ones.
    write(&world, 0, "four");
    world.settle();
    assert_eq!(world.same(ALL), each_in_its_own(&["one", "two", "three", "four"]));
    assert_eq!(world.forks(0), 1);
    assert_ne!(world.site(0), site);
    write(&world, 0, "five");
    world.sql(1, "UPDATE note SET title = 'six' WHERE title = 'four'");
    world.settle();
    assert_eq!(world.same(ALL).len(), 5);
    assert!(world.same(ALL).contains(&"six in four".to_owned()));
    assert_eq!(world.forks(0), 1, "once is enough");
}

#[test]
fn a_file_restored_at_any_frame_of_a_session_loses_nothing() {
    for at in 0.. {
        let mut world = World::new(2, NOTES);
        write(&world, 0, "one");
        world.settle();
        let backup = world.back_up(0);
        write(&world, 0, "two");
        world.go_offline(0);
        world.devices[0].online = true;
        world.connect_all();
        let over = (0..at).any(|_| !world.step());
        world.restore(0, &backup);
        write(&world, 0, "three");
        world.settle();
        let shown = world.same(ALL);
        let count = |title: &str| shown.iter().filter(|row| **row == format!("{title} in {title}")).count();
        assert_eq!((count("one"), count("three")), (1, 1), "at frame {at}: {shown:?}");
        // What nobody had heard of went with the file.
        assert_eq!(shown.len(), 2 + count("two"), "at frame {at}: {shown:?}");
        if over {
            assert!(at > 3 && count("two") == 1);
            break;
        }
    }
}

#[test]
fn a_restored_file_meets_a_peer_first() {
    let mut world = World::new(2, NOTES);
    write(&world, 0, "one");
    world.settle();
    let backup = world.back_up(0);
    write(&world, 0, "two");
    world.settle();
    world.go_offline(0);
    world.go_offline(1);
    world.restore(0, &backup);
    write(&world, 0, "three");
    world.meet(0, 1);
    assert_eq!(world.forks(0), 1, "the peer has heard of what it forgot");
    world.meet(0, 1);
    let all = each_in_its_own(&["one", "two", "three"]);
    assert_eq!((world.rows(0, ALL), world.rows(1, ALL)), (all.clone(), all.clone()));
    for n in 0..2 {
        world.devices[n].online = true;
    }
    world.settle();
    assert_eq!(world.same(ALL), all);
    assert_eq!(world.forks(0) + world.forks(1), 1);
}

#[test]
fn live_clones_that_never_write_take_two_names() {
    let mut world = World::new(2, NOTES);
    write(&world, 0, "one");
    world.settle();
    let clone = world.clone_file(0);
    world.settle();
    assert_ne!(world.site(0), world.site(clone));
    assert_eq!(world.forks(0) + world.forks(clone), 1, "and stay connected");
    write(&world, 0, "two");
    write(&world, clone, "three");
    world.settle();
    assert_eq!(world.same(ALL), each_in_its_own(&["one", "two", "three"]));
}

#[test]
fn a_cloned_file_and_its_original_both_go_on() {
    for clone_first in [false, true] {
        let mut world = World::new(2, NOTES);
        write(&world, 0, "one");
        world.settle();
        let site = world.site(0);
        let clone = world.clone_file(0);
        for n in [0, 1, clone] {
            world.go_offline(n);
        }
        write(&world, 0, "original");
        write(&world, clone, "clone");
        world.sql(clone, "UPDATE note SET title = 'changed' WHERE title = 'one'");
        for n in if clone_first { [clone, 0] } else { [0, clone] } {
            world.devices[n].online = true;
            world.settle();
        }
        world.devices[1].online = true;
        world.settle();
        let shown = ["changed in one", "clone in clone", "original in original"];
        assert_eq!(world.same(ALL), shown);
        write(&world, 0, "original again");
        write(&world, clone, "clone again");
        world.settle();
        assert_eq!(world.same(ALL).len(), 5);
        assert_eq!(world.forks(0) + world.forks(clone), 1);
        let sites = [world.site(0), world.site(clone)];
        assert!(sites[0] != sites[1] && sites.contains(&site), "one of them keeps its name");
    }
}

#[test]
fn a_restored_hub_file_gets_back_what_any_device_still_has() {
    let mut world = World::new(3, NOTES);
    write(&world, 0, "kept");
    world.settle();
    let backup = world.back_up_hub();
    for n in 0..3 {
        write(&world, n, &format!("lost {n}"));
    }
    world.settle();
    world.sql(
        0,
        "UPDATE note SET title = 'changed' WHERE title = 'lost 1'; DELETE FROM note WHERE title = 'kept'",
    );
    world.settle();
    // One never comes back; what it wrote is with the others.
    world.go_offline(2);
    world.restore_hub(&backup);
    write(&world, 1, "meanwhile");
    world.settle();
    let all = ["changed in lost 1", "lost 0 in lost 0", "lost 2 in lost 2", "meanwhile in meanwhile"];
    assert_eq!(world.same(ALL), all);
    assert_eq!(world.forks(0) + world.forks(1), 0, "it is the hub that goes back");
    // A device that comes new gets it from the hub alone.
    let fresh = world.install(NOTES, "WAL");
    world.settle();
    assert_eq!(world.rows(fresh, ALL), all);
    world.devices[2].online = true;
    world.settle();
    assert_eq!(world.same(ALL), all);
}

#[test]
fn a_hub_file_restored_at_any_frame_loses_nothing_that_a_device_holds() {
    for at in 0.. {
        let mut world = World::new(2, NOTES);
        write(&world, 0, "one");
        world.settle();
        let backup = world.back_up_hub();
        write(&world, 0, "two");
        write(&world, 1, "three");
        world.look();
        let over = (0..at).any(|_| !world.step());
        world.restore_hub(&backup);
        world.settle();
        assert_eq!(world.same(ALL), each_in_its_own(&["one", "two", "three"]), "at frame {at}");
        assert_eq!(world.forks(0) + world.forks(1), 0, "at frame {at}");
        if over {
            assert!(at > 2);
            break;
        }
    }
}

#[test]
fn an_engine_killed_between_any_two_frames_is_no_fork() {
    // The first frame is the introduction, the second one is the answer to it.
    for victim in ["device", "other", "hub"] {
        for at in 0.. {
            let mut world = World::new(2, NOTES);
            write(&world, 0, "one");
            write(&world, 1, "other");
            world.settle();
            write(&world, 0, "two");
            world.go_offline(0);
            world.devices[0].online = true;
            let sites = [world.site(0), world.site(1)];
            world.connect_all();
            let over = (0..at).any(|_| !world.step());
            match victim {
                "device" => world.kill(0),
                "other" => world.kill(1),
                _ => world.kill_hub(),
            }
            write(&world, 0, "three");
            world.settle();
            assert_eq!(
                world.same(ALL),
                each_in_its_own(&["one", "two", "three", "other"]),
                "{victim} at {at}"
            );
            assert_eq!(world.forks(0) + world.forks(1), 0, "{victim} at {at}");
            assert_eq!([world.site(0), world.site(1)], sites);
            if over {
                assert!(at > 3);
                break;
            }
        }
    }
}

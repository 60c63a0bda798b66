//! Files restored from backups, files cloned, a hub restored: histories that fork.

use crate::pair::{Net, Node, World, scope, site};
use pocketsync_core::id::RowId;
use pocketsync_core::session::{Event, SessionEnd};
use pocketsync_core::store::MemoryStore;
use pocketsync_core::value::Value;

fn note(world: &mut World, n: usize, text: &str) -> RowId {
    world.write(n, |tx| tx.insert("note", &[("text", Value::text(text))]))
}

fn texts(world: &World, n: usize) -> Vec<String> {
    world
        .column(n, "note", "text")
        .into_iter()
        .map(|value| match value {
            Value::Text(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other}"),
        })
        .collect()
}

fn forks(world: &World, n: usize) -> usize {
    world.devices[n].ends.iter().filter(|end| matches!(end, SessionEnd::Forked { .. })).count()
}

/// Puts a device's file back to an earlier copy, while the engine does not run.
fn restore(world: &mut World, n: usize, backup: &MemoryStore) {
    world.devices[n].store = backup.clone();
    world.crash(Node::Device(n));
}

#[test]
fn a_device_restored_before_a_session_loses_nothing() {
    let mut world = World::new(2, 1, Net::default());
    note(&mut world, 0, "one");
    world.settle();
    let backup = world.devices[0].store.clone();
    note(&mut world, 0, "two");
    world.settle();
    world.go_offline(0);
    world.run_for(1_000);
    restore(&mut world, 0, &backup);
    // New rows before the first contact: they take the counter that "two" had.
    let reused = note(&mut world, 0, "three");
    world.go_online(0);
    world.settle();
    assert_eq!(texts(&world, 1), ["one", "three", "two"]);
    assert_eq!(forks(&world, 0), 1);
    assert_ne!(world.devices[0].store.site(&scope()), site(1));
    let rows = world.hub.store.rows(&scope());
    assert_eq!(rows["note"][&reused]["text"], Value::text("two"), "the old identity stays with the old row");
}

#[test]
fn a_device_restored_without_new_writes_gets_everything_back() {
    let mut world = World::new(2, 2, Net::default());
    let id = note(&mut world, 0, "one");
    world.settle();
    let backup = world.devices[0].store.clone();
    world.write(0, |tx| tx.update("note", &id, &[("text", Value::text("one, changed"))]));
    note(&mut world, 0, "two");
    world.settle();
    restore(&mut world, 0, &backup);
    world.settle();
    assert_eq!(texts(&world, 0), ["one, changed", "two"]);
}

#[test]
fn a_device_restored_at_any_step_of_a_session_loses_nothing() {
    let run = |restore_at: Option<u64>| {
        let mut world = World::new(2, 3, Net { max_frame_bytes: 256, ..Net::default() });
        note(&mut world, 0, "one");
        note(&mut world, 1, "other");
        world.settle();
        world.go_offline(0);
        world.run_for(500);
        let backup = world.devices[0].store.clone();
        note(&mut world, 0, "two");
        note(&mut world, 0, "three");
        let begin = world.steps;
        world.go_online(0);
        if let Some(at) = restore_at {
            while world.steps < begin + at {
                world.step();
            }
            restore(&mut world, 0, &backup);
            note(&mut world, 0, "four");
        }
        world.settle();
        (world, begin)
    };
    let (undisturbed, begin) = run(None);
    let steps = undisturbed.steps - begin;
    assert!(steps > 20, "{steps}");
    for at in 0..=steps {
        let (world, _) = run(Some(at));
        let texts = texts(&world, 1);
        for kept in ["one", "other", "four"] {
            assert_eq!(texts.iter().filter(|text| *text == kept).count(), 1, "at step {at}: {texts:?}");
        }
        // What was restored away before it was pushed is gone with the file; what was pushed stays.
        assert!(texts.len() >= 3 && texts.len() <= 5, "at step {at}: {texts:?}");
    }
}

#[test]
fn a_cloned_file_and_its_original_both_go_on() {
    let mut world = World::new(3, 4, Net::default());
    let id = note(&mut world, 0, "before");
    world.settle();
    world.go_offline(1);
    world.run_for(500);
    // The second device is started from a copy of the first one's file.
    world.devices[1].store = world.devices[0].store.clone();
    world.crash(Node::Device(1));
    note(&mut world, 0, "original");
    note(&mut world, 1, "clone");
    world.write(0, |tx| tx.update("note", &id, &[("text", Value::text("changed"))]));
    world.go_online(1);
    world.settle();
    assert_eq!(texts(&world, 2), ["changed", "clone", "original"]);
    let (a, b) = (world.devices[0].store.site(&scope()), world.devices[1].store.site(&scope()));
    assert_ne!(a, b, "they part");
    assert!(a == site(1) || b == site(1), "one of them keeps its name");
    note(&mut world, 0, "original again");
    note(&mut world, 1, "clone again");
    world.settle();
    assert_eq!(texts(&world, 2).len(), 5);
    assert_eq!(forks(&world, 0) + forks(&world, 1), 1);
}

#[test]
fn a_restored_hub_gets_back_what_it_lost_in_the_middle_of_sessions() {
    let mut world = World::new(3, 5, Net::default());
    note(&mut world, 0, "kept by all");
    world.settle();
    let backup = world.hub.store.clone();
    note(&mut world, 0, "lost, by a");
    let shared = note(&mut world, 1, "lost, by b");
    note(&mut world, 2, "lost, by c");
    world.settle();
    world.write(0, |tx| tx.update("note", &shared, &[("text", Value::text("lost, by b, changed by a"))]));
    world.settle();
    // c never comes back; what it wrote is with a and b.
    world.go_offline(2);
    world.run_for(500);
    world.hub.store = backup;
    world.crash(Node::Hub);
    note(&mut world, 1, "written meanwhile");
    world.settle();
    let wanted = ["kept by all", "lost, by a", "lost, by b, changed by a", "lost, by c", "written meanwhile"];
    assert_eq!(texts(&world, 0), wanted);
    assert_eq!(forks(&world, 0) + forks(&world, 1), 0, "it is the hub that goes back");
    let rewound = |n: usize| {
        world.devices[n].events.iter().any(|event| matches!(event, Event::Connected { rewound: true, .. }))
    };
    assert!(!rewound(0), "the device's own history is whole");
    // Even c, much later.
    world.go_online(2);
    world.settle();
    assert_eq!(texts(&world, 2), wanted);
}

#[test]
fn a_restored_hub_that_went_on_with_some_gets_the_rest_from_others() {
    let mut world = World::new(3, 6, Net::default());
    note(&mut world, 0, "one");
    world.settle();
    let backup = world.hub.store.clone();
    note(&mut world, 0, "two");
    note(&mut world, 1, "three");
    world.settle();
    world.go_offline(0);
    world.go_offline(1);
    world.run_for(500);
    world.hub.store = backup;
    world.crash(Node::Hub);
    // The third device goes on with the hub past the old numbers.
    for n in 0..5 {
        note(&mut world, 2, &format!("after {n}"));
    }
    world.settle();
    world.go_online(0);
    world.go_online(1);
    world.settle();
    assert_eq!(texts(&world, 1).len(), 8);
}

#[test]
fn a_hub_restored_at_any_step_loses_nothing_that_a_device_holds() {
    let run = |restore_at: Option<u64>| {
        let mut world = World::new(2, 7, Net { max_frame_bytes: 256, ..Net::default() });
        note(&mut world, 0, "one");
        world.settle();
        let backup = world.hub.store.clone();
        let begin = world.steps;
        note(&mut world, 0, "two");
        note(&mut world, 1, "three");
        if let Some(at) = restore_at {
            while world.steps < begin + at {
                world.step();
            }
            world.hub.store = backup;
            world.crash(Node::Hub);
        }
        note(&mut world, 0, "four");
        world.settle();
        (texts(&world, 0), world.steps - begin)
    };
    let (wanted, steps) = run(None);
    assert!(wanted.len() == 4 && steps > 20);
    for at in 0..=steps {
        assert_eq!(run(Some(at)).0, wanted, "at step {at}");
    }
}

#[test]
fn first_contact_after_a_restore_is_with_a_peer() {
    let mut world = World::new(2, 8, Net::default());
    note(&mut world, 0, "one");
    world.settle();
    let backup = world.devices[0].store.clone();
    note(&mut world, 0, "two");
    world.settle();
    world.go_offline(0);
    world.go_offline(1);
    world.run_for(500);
    restore(&mut world, 0, &backup);
    note(&mut world, 0, "three");
    // It connects to the other device, which has heard of "two".
    world.link(0, 1);
    world.run_for(1_000);
    assert_eq!(forks(&world, 0), 1, "it finds out without the hub");
    world.link(0, 1);
    world.run_for(1_000);
    world.go_online(0);
    world.go_online(1);
    world.settle();
    for kept in ["one", "two", "three"] {
        assert!(texts(&world, 1).iter().any(|text| text == kept), "{:?}", texts(&world, 1));
    }
}

//! Devices and a hub over links with latency, in virtual time: they end with the same rows.

mod pair;

use pair::{Net, Node, World, scope};
use pocketsync_core::value::Value;

fn note(world: &mut World, n: usize, text: &str) -> pocketsync_core::id::RowId {
    world.write(n, |tx| tx.insert("note", &[("text", Value::text(text))]))
}

#[test]
fn offline_writes_meet_at_the_hub() {
    let mut world = World::new(3, 1, Net::default());
    note(&mut world, 0, "from a");
    note(&mut world, 1, "from b");
    world.settle();
    assert_eq!(world.column(2, "note", "text"), [Value::text("from a"), Value::text("from b")]);
    let id = note(&mut world, 2, "from c");
    world.settle();
    world.write(0, |tx| tx.update("note", &id, &[("text", Value::text("changed by a"))]));
    world.settle();
    assert!(world.column(2, "note", "text").contains(&Value::text("changed by a")));
    assert!(world.devices.iter().all(|device| device.ends.is_empty()), "nobody had to reconnect");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut world = World::new(2, seed, Net::default());
        note(&mut world, 0, "x");
        world.settle();
        world.crash(Node::Hub);
        note(&mut world, 1, "y");
        world.settle();
        (world.steps, world.time, world.hub.store.states(&scope()))
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).1, run(8).1);
}

//! Devices and a hub over links with latency, in virtual time: they end with the same rows.

use crate::pair::{Net, Node, World, scope};
use pocketsync_core::session::Event;
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
    assert_ne!(run(7).1, run(9).1);
}

#[test]
fn what_a_downloaded_is_not_pushed_back_by_a() {
    let mut world = World::new(2, 2, Net::default());
    note(&mut world, 1, "from b");
    world.settle();
    assert_eq!(world.column(0, "note", "text"), [Value::text("from b")]);
    assert_eq!(world.devices[0].sent_rows(), 0, "a has nothing of its own to say");
    // Its next push speaks only of what it wrote itself, though the other row came in before.
    note(&mut world, 0, "from a");
    world.settle();
    let received: usize = world
        .hub
        .events
        .iter()
        .map(|event| if let Event::Received { rows, .. } = event { *rows } else { 0 })
        .sum();
    assert_eq!(received, 2, "the hub was told of each row once");
}

#[test]
fn an_idle_network_falls_silent() {
    let mut world = World::new(3, 3, Net::default());
    note(&mut world, 0, "x");
    world.settle();
    let frames = |world: &World| world.links.values().map(|link| link.frames).sum::<u64>();
    // Positions that moved without anything to say are told once, in place of pings.
    world.run_for(120_000);
    let before = frames(&world);
    world.run_for(100_000);
    // A ping and its answer from either side, for each of three links, every twenty seconds.
    assert!(frames(&world) - before <= 3 * 4 * 6, "{}", frames(&world) - before);
    assert!(world.devices.iter().all(|device| device.ends.is_empty()), "and nobody is given up");
}

#[test]
fn everything_acknowledged_is_told() {
    let mut world = World::new(1, 4, Net::default());
    note(&mut world, 0, "x");
    world.settle();
    world.run_for(1_000);
    assert!(world.devices[0].up_to_date);
    note(&mut world, 0, "y");
    assert!(!world.devices[0].up_to_date);
    world.run_for(1_000);
    assert!(world.devices[0].up_to_date);
}

#[test]
fn transactions_that_overlap_are_never_shown_by_half() {
    // One over the rows {1, 2} and one over {1, 3}: an update of row 1 makes it leave its place in
    // the log, so a catch-up that stops between the two would show half of one.
    for seed in 0..30 {
        let net = Net { max_frame_bytes: 256, frames_per_link: Some(30 + seed % 20), ..Net::default() };
        let mut world = World::new(2, seed, net);
        world.go_offline(1);
        let put = |world: &mut World, rows: [i64; 2], value: i64| {
            world.write(0, |tx| {
                for row in rows {
                    let id = pocketsync_core::id::RowId::Natural([Value::Integer(row)].into());
                    let padding = Value::Blob(vec![row as u8; 400]);
                    let cells = [("value", Value::Integer(value)), ("padding", padding)];
                    if !tx.insert_natural("row", [Value::Integer(row)], &cells) {
                        tx.update("row", &id, &cells);
                    }
                }
            });
        };
        put(&mut world, [1, 2], 1);
        put(&mut world, [1, 3], 2);
        world.settle();
        world.go_online(1);
        let mut seen = 0;
        for round in 3..12 {
            put(&mut world, if round % 2 == 0 { [1, 3] } else { [1, 2] }, round);
            for _ in 0..40 {
                world.step();
                let device = &world.devices[1];
                let rows = device.store.rows(&scope()).get("row").cloned().unwrap_or_default();
                let value = |row: i64| {
                    let id = pocketsync_core::id::RowId::Natural([Value::Integer(row)].into());
                    rows.get(&id).map(|cells| cells["value"].clone())
                };
                // The last transaction wrote row 1 and one of the others.
                if device.caught_up {
                    seen += 1;
                    assert!(value(1) == value(2) || value(1) == value(3), "seed {seed}: {rows:?}");
                }
            }
        }
        world.settle();
        assert!(seen > 0, "seed {seed}: it was caught up now and then");
    }
}

#[test]
fn two_devices_without_a_hub() {
    let mut world = World::new(2, 5, Net::default());
    world.go_offline(0);
    world.go_offline(1);
    world.run_for(200);
    note(&mut world, 0, "from a");
    note(&mut world, 1, "from b");
    let link = world.link(0, 1);
    world.run_for(1_000);
    note(&mut world, 0, "later");
    world.run_for(1_000);
    assert_eq!(world.column(0, "note", "text"), world.column(1, "note", "text"));
    assert_eq!(world.column(0, "note", "text").len(), 3);
    world.cut(link);
    // What came round by the peer is no news to anyone.
    world.go_online(0);
    world.go_online(1);
    world.settle();
    assert_eq!(world.column(0, "note", "text").len(), 3);
}

#[test]
fn a_hub_whose_store_fails_for_a_while() {
    let mut world = World::new(2, 6, Net::default());
    world.settle();
    world.hub_store_fails = true;
    note(&mut world, 0, "x");
    world.run_for(3_000);
    assert!(!world.devices[0].live);
    world.hub_store_fails = false;
    world.settle();
    assert_eq!(world.column(1, "note", "text"), [Value::text("x")]);
}

#[test]
fn group_commit_happens_by_itself() {
    let net = Net { store_ms: 50, jitter_ms: 0, ..Net::default() };
    let mut world = World::new(8, 7, net);
    world.settle();
    for n in 0..8 {
        note(&mut world, n, "at the same time");
    }
    world.settle();
    assert!(world.hub.groups.iter().max() > Some(&3), "{:?}", world.hub.groups);
    assert_eq!(world.column(0, "note", "text").len(), 8);
}

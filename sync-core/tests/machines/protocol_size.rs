//! Groups larger than every buffer, cells larger than a frame, links that never live long.

use crate::pair;
use crate::pair::{Net, World, scope};
use pocketsync_core::id::RowId;
use pocketsync_core::session::Event;
use pocketsync_core::value::Value;

fn blob(n: usize, bytes: usize) -> Value {
    // Not compressible, so that sizes are what they seem.
    let mut rng = pair::Rng(n as u64);
    Value::Blob((0..bytes.div_ceil(8)).flat_map(|_| rng.next().to_le_bytes()).take(bytes).collect())
}

fn import(world: &mut World, n: usize, rows: usize, bytes: usize) {
    world.write(n, |tx| {
        for row in 0..rows {
            tx.insert("import", &[("data", blob(row, bytes))]);
        }
    });
}

fn rows(world: &World, n: usize) -> usize {
    world.devices[n].store.rows(&scope()).get("import").map_or(0, |rows| rows.len())
}

#[test]
fn a_cell_larger_than_a_frame_over_the_smallest_frames() {
    let mut world = World::new(2, 1, Net { max_frame_bytes: 256, jitter_ms: 0, ..Net::default() });
    import(&mut world, 0, 3, 100_000);
    world.settle();
    assert_eq!(world.devices[1].store.rows(&scope())["import"].len(), 3);
    assert!(world.links.values().map(|link| link.frames).sum::<u64>() > 2 * 3 * 100_000 / 256);
    assert!(world.devices[0].ends.is_empty());
}

#[test]
fn a_group_larger_than_every_buffer_arrives() {
    // Twice what a receiver keeps aside, and far more than a window.
    let mut world = World::new(2, 2, Net { max_frame_bytes: 1 << 20, ..Net::default() });
    import(&mut world, 0, 330, 100_000);
    world.settle();
    assert_eq!(rows(&world, 1), 330);
    assert!(world.devices.iter().all(|device| device.ends.is_empty()));
    assert_eq!(world.devices[1].store.staged_bytes(&scope()), 0);
    assert_eq!(world.hub.store.staged_bytes(&scope()), 0);
}

#[test]
fn a_group_of_many_pushes_shows_whole() {
    let mut world = World::new(2, 3, Net::default());
    world.settle();
    world.write(0, |tx| {
        for row in 0..2_000 {
            let key = [Value::Integer(1), Value::Integer(row)];
            let cells =
                [("group", Value::Integer(1)), ("tx", Value::Integer(1)), ("data", blob(row as usize, 500))];
            tx.insert_natural("pair", key, &cells);
        }
    });
    // Every state that the other device passes through has all of the rows or none.
    let shown =
        |world: &World| world.devices[1].store.rows(&scope()).get("pair").map_or(0, |rows| rows.len());
    while shown(&world) == 0 {
        assert!(world.step());
    }
    assert_eq!(shown(&world), 2_000);
    world.settle();
}

#[test]
fn an_import_over_links_that_are_lost_every_few_frames_resumes_and_ends() {
    let net = Net { max_frame_bytes: 256, frames_per_link: Some(40), jitter_ms: 1, ..Net::default() };
    let mut world = World::new(2, 4, net);
    import(&mut world, 0, 1_000, 200);
    world.settle();
    assert_eq!(rows(&world, 1), 1_000);
    assert!(world.devices[0].ends.len() > 10, "many links were lost: {}", world.devices[0].ends.len());
    // Nothing that the hub has acknowledged was sent again, so the sum is not far above the data.
    let sent: usize = world.devices[0]
        .events
        .iter()
        .map(|event| if let Event::Sent { bytes } = event { *bytes } else { 0 })
        .sum();
    assert!(sent < 4 * 1_000 * 250, "{sent} bytes for about {}", 1_000 * 250);
}

#[test]
fn a_download_over_links_that_are_lost_resumes_and_ends() {
    let mut world = World::new(2, 5, Net { max_frame_bytes: 256, jitter_ms: 1, ..Net::default() });
    world.go_offline(1);
    import(&mut world, 0, 1_000, 200);
    world.settle();
    world.net.frames_per_link = Some(40);
    world.go_online(1);
    world.settle();
    assert_eq!(rows(&world, 1), 1_000);
    assert!(world.devices[1].ends.len() > 10);
}

#[test]
fn pushes_grow_with_the_link() {
    let mut world = World::new(1, 6, Net { max_frame_bytes: 1 << 20, ..Net::default() });
    import(&mut world, 0, 400, 5_000);
    world.settle();
    let sizes: Vec<usize> = world.devices[0]
        .events
        .iter()
        .filter_map(|event| if let Event::Sent { bytes } = event { Some(*bytes) } else { None })
        .collect();
    assert!(sizes[0] <= 17 << 10, "the first is small: {}", sizes[0]);
    assert!(sizes.iter().max().unwrap() > &(100 << 10), "later ones are not: {sizes:?}");
}

#[test]
fn a_device_with_compression_and_one_without_understand_each_other() {
    let mut world = World::new(2, 7, Net::default());
    world.devices[1].compression = false;
    let text = Value::text(&"the same words again and again ".repeat(1_000));
    world.write(0, |tx| tx.insert("note", &[("text", text.clone())]));
    world.write(1, |tx| tx.insert("note", &[("text", text.clone())]));
    world.settle();
    let sent = |n: usize| -> usize {
        let events = world.devices[n].events.iter();
        events.map(|event| if let Event::Sent { bytes } = event { *bytes } else { 0 }).sum()
    };
    assert!(sent(0) < 3_000 && sent(1) > 30_000, "{} {}", sent(0), sent(1));
    assert_eq!(world.column(0, "note", "text"), [text.clone(), text]);
}

#[test]
fn many_small_transactions_make_few_pushes_after_a_time_offline() {
    let mut world = World::new(2, 8, Net::default());
    world.go_offline(0);
    let id: RowId = world.write(0, |tx| tx.insert("note", &[("n", Value::Integer(0))]));
    for n in 1..500 {
        world.write(0, |tx| tx.update("note", &id, &[("n", Value::Integer(n))]));
    }
    world.go_online(0);
    world.settle();
    let pushes = world.devices[0].events.iter().filter(|event| matches!(event, Event::Sent { .. })).count();
    assert!(pushes <= 2, "one row is one change, however often it was written: {pushes}");
}

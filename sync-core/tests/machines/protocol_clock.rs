//! Clocks that are wrong by years: corrected before anything is sent, and never after.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pair::{Net, Node, SessionRig, WALL, World, scope, site, welcome};
use pocketsync_core::clock::Version;
use pocketsync_core::id::RowId;
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::{Event, SessionEnd};
use pocketsync_core::store::MemoryStore;
use pocketsync_core::value::Value;
use pocketsync_core::wire::{Message, PushSeen};

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

fn note(world: &mut World, n: usize, text: &str) -> RowId {
    world.write(n, |tx| tx.insert("note", &[("text", Value::text(text))]))
}

fn text(world: &mut World, n: usize, id: &RowId, text: &str) {
    assert!(world.write(n, |tx| tx.update("note", id, &[("text", Value::text(text))])));
}

fn versions(store: &MemoryStore) -> BTreeMap<RowId, Version> {
    let states = store.states(&scope());
    let notes = states.get("note").into_iter().flatten();
    notes.map(|(id, row)| (id.clone(), row.cells["text"].version)).collect()
}

#[test]
fn ten_years_ahead_and_ten_years_behind_are_corrected_before_anything_is_sent() {
    let mut world = World::new(3, 1, Net::default());
    world.devices[0].skew_ms = 10 * YEAR_MS;
    world.devices[1].skew_ms = -10 * YEAR_MS;
    let ahead = note(&mut world, 0, "from the future");
    let behind = note(&mut world, 1, "from the past");
    world.settle();
    assert!(world.hub.ends.is_empty(), "nobody was refused: {:?}", world.hub.ends);
    for (id, version) in versions(&world.hub.store) {
        let off_ms = version.hlc.ms().abs_diff(WALL);
        assert!(off_ms < 60_000, "{id} is off by {off_ms} ms");
    }
    // Who writes later wins, whatever the clocks say.
    text(&mut world, 1, &ahead, "changed by the one behind");
    world.settle();
    text(&mut world, 0, &behind, "changed by the one ahead");
    world.settle();
    text(&mut world, 2, &behind, "changed by the one on time");
    world.settle();
    let shown = world.column(0, "note", "text");
    assert_eq!(shown, [Value::text("changed by the one behind"), Value::text("changed by the one on time")]);
    let measured = |n: usize| {
        world.devices[n].events.iter().find_map(|event| match event {
            Event::Connected { offset_ms, .. } => *offset_ms,
            _ => None,
        })
    };
    assert!(measured(0).unwrap().abs_diff(-10 * YEAR_MS) < 100, "{:?}", measured(0));
    assert!(measured(1).unwrap().abs_diff(10 * YEAR_MS) < 100, "{:?}", measured(1));
}

#[test]
fn what_was_offered_never_changes_its_version() {
    let mut world = World::new(2, 2, Net::default());
    world.go_offline(1);
    let id = note(&mut world, 0, "x");
    // Until the push is at the hub; the ack is lost, and the clock is set.
    while world.hub.store.rows(&scope()).is_empty() {
        assert!(world.step());
    }
    let offered = versions(&world.devices[0].store);
    assert!(world.devices[0].events.iter().all(|event| !matches!(event, Event::Acked { .. })));
    world.crash(Node::Device(0));
    world.devices[0].skew_ms = 3 * YEAR_MS;
    let later = note(&mut world, 0, "y");
    world.go_online(1);
    world.settle();
    assert_eq!(versions(&world.devices[1].store)[&id], offered[&id]);
    let off_ms = versions(&world.devices[1].store)[&later].hlc.ms().abs_diff(WALL);
    assert!(off_ms < 60_000, "what was not offered is corrected: {off_ms} ms");
}

#[test]
fn a_clock_set_in_a_session_is_measured_again_before_anything_is_sent() {
    for jump_ms in [YEAR_MS, -YEAR_MS, 10_000] {
        let mut world = World::new(2, 3, Net::default());
        world.settle();
        world.devices[0].skew_ms += jump_ms;
        // Written before anybody noticed, so nobody knows by how much it is off: it may be behind,
        // but it is not ahead of what the hub takes.
        note(&mut world, 0, "at the jump");
        world.settle();
        let id = note(&mut world, 0, "after the jump");
        world.settle();
        assert!(world.devices[0].ends.contains(&SessionEnd::ClockJumped), "{jump_ms}");
        assert!(!world.hub.ends.iter().any(|end| matches!(end, SessionEnd::WeFailed(_))), "{jump_ms}");
        let off_ms = versions(&world.hub.store)[&id].hlc.ms().abs_diff(WALL);
        assert!(off_ms < 60_000, "{jump_ms}: off by {off_ms} ms");
    }
}

#[test]
fn a_device_behind_takes_what_is_the_future_to_its_own_clock() {
    let mut world = World::new(2, 4, Net::default());
    world.devices[1].skew_ms = -10 * YEAR_MS;
    note(&mut world, 0, "now");
    world.settle();
    assert_eq!(world.column(1, "note", "text"), [Value::text("now")]);
}

/// The clock is set and something is written after the session has asked for an extract, and before
/// the store does it. Handed out under that clock, it would be refused for years, and never corrected.
#[test]
fn a_clock_set_while_an_extract_is_on_its_way_costs_nothing() {
    let greet = |rig: &mut SessionRig| {
        rig.said.clear();
        rig.say(&Message::Welcome(welcome(site(200), site(1))))
    };
    let mut rig = SessionRig::connect(MemoryStore::device(site(1), Stamp(1)));
    greet(&mut rig);
    rig.store.write(&scope(), WALL + YEAR_MS as u64, |tx| tx.insert("note", &[]));
    let heard = rig.input(|session, now| session.local_changed(now));
    assert_eq!(heard, [Message::Bye], "nothing is offered");
    assert_eq!(rig.closed, Some(SessionEnd::ClockJumped));

    let mut rig = SessionRig::connect(rig.store);
    let heard = greet(&mut rig);
    let pushed = heard.into_iter().find_map(|message| match message {
        Message::Push(push) | Message::PushSeen(PushSeen { push, .. }) => {
            Some(push.body.open(1 << 20).unwrap())
        }
        _ => None,
    });
    let pushed = pushed.expect("the next session offers it");
    assert_eq!(pushed.row_count(), 1);
    assert!(pushed.max_hlc().ms() <= WALL, "corrected: {} ms", pushed.max_hlc().ms());
}

#[test]
fn a_clock_that_runs_slow_is_no_jump() {
    let mut world = World::new(1, 5, Net::default());
    world.settle();
    for _ in 0..100 {
        world.run_for(10_000);
        world.devices[0].skew_ms -= 100;
    }
    assert!(world.devices[0].ends.is_empty(), "{:?}", world.devices[0].ends);
    assert!(world.time > Duration::from_secs(1_000));
}

//! What only a hub does: group commit, fan-out, limits, and that nobody's trouble is everybody's.

use crate::pair::talk::{join, lineage, push, pushes};
use crate::pair::{HubRig, hello, scope, site};
use bytes::Bytes;
use pocketsync_core::hub::{ConnId, HubConfig};
use pocketsync_core::id::Scope;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::session::SessionEnd;
use pocketsync_core::store::StoreRequest;
use pocketsync_core::wire::{Ack, Body, ErrorCode, Message, Push};

fn ack(rig: &mut HubRig, conn: ConnId, push: &Push) -> Vec<Message> {
    rig.say(conn, &Message::Ack(Ack { cursor: push.to.clone() }))
}

#[test]
fn pushes_that_wait_are_merged_together_and_each_has_its_number() {
    let mut rig = HubRig::new(HubConfig::default());
    let conns: Vec<ConnId> = (1..=5).map(|n| join(&mut rig, n)).collect();
    rig.held = Some(Default::default());
    for (n, conn) in (1..).zip(&conns) {
        rig.say(*conn, &push(n, 0, "x"));
    }
    // The first went at once; while it is under way the others gather.
    let chunks = |rig: &HubRig| -> Vec<usize> {
        let requests = rig.held.iter().flatten();
        requests
            .filter_map(|(_, request)| match request {
                StoreRequest::Apply { chunks, .. } => Some(chunks.len()),
                _ => None,
            })
            .collect()
    };
    assert_eq!(chunks(&rig), [1]);
    let (id, request) = rig.held.as_mut().unwrap().pop_front().unwrap();
    let reply = pocketsync_core::store::Store::run(&mut rig.store, request);
    rig.hub.handle_store(rig.now, id, reply);
    rig.pass(std::time::Duration::ZERO);
    assert_eq!(chunks(&rig), [4], "one request for the four that waited");
    rig.release();
    assert_eq!(rig.store.head(&scope()).seq, 5);
    for conn in &conns {
        let heard = rig.heard(*conn);
        assert!(heard.iter().any(|message| matches!(message, Message::Ack(_))), "each has its answer");
        assert_eq!(pushes(heard).len(), 4, "and the four of the others");
    }
}

#[test]
fn live_pushes_come_in_order_and_leave_the_origin_out() {
    let mut rig = HubRig::new(HubConfig::default());
    let (a, b) = (join(&mut rig, 1), join(&mut rig, 2));
    for from in 0..3 {
        rig.say(a, &push(1, from, "x"));
    }
    assert_eq!(pushes(rig.heard(a)), [], "what came from a does not go back");
    let heard = pushes(rig.heard(b));
    assert_eq!(
        heard.iter().map(|push| (push.from.seq, push.to.seq)).collect::<Vec<_>>(),
        [(0, 1), (1, 2), (2, 3)]
    );
    assert!(heard.iter().all(|push| push.last));
    // The next that a gets begins where it stands, and passes over its own.
    rig.say(b, &push(2, 0, "y"));
    let heard = pushes(rig.heard(a));
    assert_eq!((heard[0].from.seq, heard[0].to.seq), (0, 4));
}

#[test]
fn the_body_is_the_same_for_everyone() {
    let mut rig = HubRig::new(HubConfig::default());
    let origin = join(&mut rig, 1);
    let others: Vec<ConnId> = (2..6).map(|n| join(&mut rig, n)).collect();
    rig.say(origin, &push(1, 0, "x"));
    let bodies: Vec<Body> = others.iter().map(|conn| pushes(rig.heard(*conn)).remove(0).body).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_slow_receiver_catches_up_from_where_it_stands() {
    let mut config = HubConfig::default();
    config.session.window_bytes = 200;
    let mut rig = HubRig::new(config);
    let (writer, slow, fast) = (join(&mut rig, 1), join(&mut rig, 2), join(&mut rig, 3));
    let mut got = Vec::new();
    for from in 0..20 {
        rig.say(writer, &push(1, from, "some text"));
        for push in pushes(rig.heard(fast)) {
            ack(&mut rig, fast, &push);
        }
    }
    let first = pushes(rig.heard(slow));
    assert!(first.len() < 5, "the window holds the rest back: {}", first.len());
    got.extend(first);
    // It wakes up, and acknowledges what it gets.
    let mut rounds = 0;
    while got.last().is_none_or(|push| push.to.seq < 20 || !push.last) {
        let last = got.last().unwrap().clone();
        got.extend(pushes(ack(&mut rig, slow, &last)));
        rounds += 1;
        assert!(rounds < 50);
    }
    assert!(got.windows(2).all(|pair| pair[0].to == pair[1].from), "without a gap");
    let rows: usize = got.iter().map(|push| push.body.open(1 << 20).unwrap().row_count()).sum();
    assert_eq!(rows, 20, "each once");
    let last = got.last().unwrap().clone();
    assert!(last.last);
    ack(&mut rig, slow, &last);
    // And is live again.
    rig.say(writer, &push(1, 20, "more"));
    assert_eq!(pushes(rig.heard(slow)).len(), 1);
}

#[test]
fn a_live_push_waits_behind_a_catch_up() {
    let mut rig = HubRig::new(HubConfig::default());
    let writer = join(&mut rig, 1);
    for from in 0..3 {
        rig.say(writer, &push(1, from, "x"));
    }
    let late = rig.open();
    let catch_up = pushes(rig.say(late, &Message::Hello(hello(site(2), lineage(2)))));
    assert_eq!((catch_up[0].from.seq, catch_up[0].to.seq), (0, 3));
    // Another joins, and while the store works on its extract, something is committed.
    let later = rig.open();
    rig.held = Some(Default::default());
    rig.say(later, &Message::Hello(hello(site(3), lineage(3))));
    while let Some((id, request)) = rig.held.as_mut().unwrap().pop_front() {
        let extracts = matches!(request, StoreRequest::Extract { .. });
        let reply = pocketsync_core::store::Store::run(&mut rig.store, request);
        if extracts {
            // Between the extract and its answer.
            rig.say(writer, &push(1, 3, "meanwhile"));
            let (commit, request) = rig.held.as_mut().unwrap().pop_front().unwrap();
            assert!(matches!(request, StoreRequest::Apply { .. }));
            let done = pocketsync_core::store::Store::run(&mut rig.store, request);
            rig.hub.handle_store(rig.now, commit, done);
            rig.pass(std::time::Duration::ZERO);
            assert_eq!(pushes(rig.heard(later)), [], "nothing overtakes the catch-up");
            rig.hub.handle_store(rig.now, id, reply);
            rig.pass(std::time::Duration::ZERO);
            break;
        }
        rig.hub.handle_store(rig.now, id, reply);
        rig.pass(std::time::Duration::ZERO);
    }
    rig.release();
    let got = pushes(rig.heard(later));
    assert_eq!((got[0].from.seq, got[0].to.seq), (0, 3));
    assert_eq!((got[1].from.seq, got[1].to.seq), (3, 4));
}

#[test]
fn a_live_push_waits_behind_what_a_slow_receiver_has_missed() {
    let mut config = HubConfig::default();
    config.session.window_bytes = 100;
    let mut rig = HubRig::new(config);
    let (writer, slow) = (join(&mut rig, 1), join(&mut rig, 2));
    for from in 0..4 {
        rig.say(writer, &push(1, from, "x"));
    }
    let mut got = pushes(rig.heard(slow));
    assert!(got.last().unwrap().to.seq < 4, "the window is full");
    // It makes room, and while the store is busy with what it missed, there is something new.
    rig.held = Some(Default::default());
    let last = got.last().unwrap().clone();
    ack(&mut rig, slow, &last);
    rig.say(writer, &push(1, 4, "new"));
    let mut held: Vec<_> = rig.held.replace(Default::default()).unwrap().into();
    held.sort_by_key(|(_, request)| !matches!(request, StoreRequest::Apply { .. }));
    assert!(held.iter().any(|(_, request)| matches!(request, StoreRequest::Extract { .. })));
    for (id, request) in held {
        let reply = pocketsync_core::store::Store::run(&mut rig.store, request);
        rig.hub.handle_store(rig.now, id, reply);
        rig.pass(std::time::Duration::ZERO);
    }
    rig.release();
    got.extend(pushes(rig.heard(slow)));
    while got.last().unwrap().to.seq < 5 || !got.last().unwrap().last {
        let last = got.last().unwrap().clone();
        got.extend(pushes(ack(&mut rig, slow, &last)));
    }
    assert!(got.windows(2).all(|pair| pair[0].to == pair[1].from), "without a gap");
    let rows: usize = got.iter().map(|push| push.body.open(1 << 20).unwrap().row_count()).sum();
    assert_eq!(rows, 5, "each once");
}

#[test]
fn a_store_that_fails_ends_those_who_asked_and_the_hub_lives_on() {
    let mut rig = HubRig::new(HubConfig::default());
    let (a, b) = (join(&mut rig, 1), join(&mut rig, 2));
    rig.fails = true;
    rig.say(a, &push(1, 0, "x"));
    let told = {
        let closed = rig.closed.get(&a);
        assert!(matches!(closed, Some(SessionEnd::Store(_))), "{closed:?}");
        assert!(!rig.closed.contains_key(&b));
        rig.fails = false;
        rig.say(b, &Message::Ping(4))
    };
    assert_eq!(told, [Message::Pong(4)]);
    let a = join(&mut rig, 1);
    let heard = rig.say(a, &push(1, 0, "x"));
    assert!(heard.iter().any(|message| matches!(message, Message::Ack(_))));
}

#[test]
fn a_store_failure_is_told_with_a_time_to_come_back() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = join(&mut rig, 1);
    rig.fails = true;
    let heard = rig.say(conn, &push(1, 0, "x"));
    let Some(Message::Error(error)) = heard.last() else { panic!("{heard:?}") };
    assert_eq!(error.code, ErrorCode::Store);
    assert!(error.retry_after_ms.is_some());
    assert!(!error.message.contains("disk"), "what exactly failed is nobody's business");
}

#[test]
fn scopes_do_not_hear_of_each_other() {
    let mut rig = HubRig::new(HubConfig::default());
    let a = join(&mut rig, 1);
    let mut elsewhere = hello(site(2), lineage(2));
    elsewhere.scope = Scope::new("other").unwrap();
    let b = rig.open();
    rig.say(b, &Message::Hello(elsewhere));
    rig.say(a, &push(1, 0, "secret"));
    assert_eq!(pushes(rig.heard(b)), []);
}

#[test]
fn who_does_not_read_is_dropped_before_it_fills_the_memory() {
    let mut config = HubConfig::default();
    config.max_queued_bytes = 4_096;
    let mut rig = HubRig::new(config);
    let conn = join(&mut rig, 1);
    rig.reads = false;
    for n in 0..10_000 {
        rig.say(conn, &Message::Ping(n));
    }
    assert!(rig.closed.contains_key(&conn));
    let queued: usize = rig.frames[&conn].iter().map(Bytes::len).sum();
    assert!(queued < 8_192, "{queued}");
}

#[test]
fn an_idle_origin_learns_its_position_in_place_of_a_ping() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = join(&mut rig, 1);
    rig.say(conn, &push(1, 0, "x"));
    rig.pass(std::time::Duration::from_secs(20));
    let heard = pushes(rig.heard(conn));
    assert_eq!((heard[0].from.clone(), heard[0].to.seq), (Cursor::ZERO, 1));
    assert_eq!(heard[0].body, Body::Empty);
    ack(&mut rig, conn, &heard[0]);
    rig.pass(std::time::Duration::from_secs(20));
    assert!(matches!(rig.heard(conn)[..], [Message::Ping(_)]), "there is nothing more to tell");
}

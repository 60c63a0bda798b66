//! What only a hub does: group commit, fan-out, limits, and that nobody's trouble is everybody's.

mod pair;

use bytes::Bytes;
use pair::{HubRig, WALL, hello, scope, site};
use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::hub::{ConnId, HubConfig};
use pocketsync_core::id::{RowId, Scope};
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::merge::Life;
use pocketsync_core::session::SessionEnd;
use pocketsync_core::store::StoreRequest;
use pocketsync_core::value::Value;
use pocketsync_core::wire::{Ack, Body, ErrorCode, Message, Push, WireError};

fn lineage(n: u8) -> Lineage {
    let mut lineage = Lineage::default();
    lineage.open(0, Stamp(u64::from(n)));
    lineage
}

fn push(n: u8, from: u64, text: &str) -> Message {
    let version = Version::new(Hlc::from_ms(WALL + from), site(n));
    let row = RowChange {
        id: RowId::Surrogate { site: site(n), counter: from + 1 },
        life: Life::born(version),
        cells: vec![CellChange { column: 0, version, value: Value::text(text) }],
    };
    let table = TableChanges { name: "note".to_owned(), columns: vec!["text".to_owned()], rows: vec![row] };
    let body = Body::seal(&Changeset { tables: vec![table] }, false);
    let (from, to) = (lineage(n).cursor_at(from), lineage(n).cursor_at(from + 1));
    Message::Push(Push { from, to, last: true, body })
}

fn join(rig: &mut HubRig, n: u8) -> ConnId {
    rig.join(site(n), lineage(n))
}

fn pushes(heard: Vec<Message>) -> Vec<Push> {
    heard
        .into_iter()
        .filter_map(|message| match message {
            Message::Push(push) => Some(push),
            _ => None,
        })
        .collect()
}

fn ack(rig: &mut HubRig, conn: ConnId, push: &Push) -> Vec<Message> {
    rig.say(conn, &Message::Ack(Ack { cursor: push.to.clone() }))
}

fn error(rig: &mut HubRig, conn: ConnId) -> WireError {
    match rig.heard(conn).pop() {
        Some(Message::Error(error)) => error,
        other => panic!("no error but {other:?}"),
    }
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
fn a_replica_that_connects_again_ends_its_old_connection() {
    let mut rig = HubRig::new(HubConfig::default());
    let old = join(&mut rig, 1);
    let other = join(&mut rig, 2);
    let new = join(&mut rig, 1);
    assert!(rig.closed.contains_key(&old));
    assert_eq!(error(&mut rig, old).code, ErrorCode::Closing);
    rig.say(other, &push(2, 0, "x"));
    assert_eq!(pushes(rig.heard(new)).len(), 1);
}

#[test]
fn who_is_not_admitted_ends_nobody() {
    let mut rig = HubRig::new(HubConfig::default());
    let old = join(&mut rig, 1);
    let refused = WireError { code: ErrorCode::Unauthorized, message: "no".to_owned(), retry_after_ms: None };
    rig.verdict = Some(refused);
    let thief = rig.open();
    rig.say(thief, &Message::Hello(hello(site(1), lineage(1))));
    assert!(rig.closed.contains_key(&thief));
    assert!(!rig.closed.contains_key(&old));
}

#[test]
fn the_push_of_a_replaced_connection_does_not_hold_up_the_new_one() {
    let mut rig = HubRig::new(HubConfig::default());
    let (a, b) = (join(&mut rig, 1), join(&mut rig, 2));
    rig.held = Some(Default::default());
    rig.say(b, &push(2, 0, "b is under way"));
    rig.say(a, &push(1, 0, "a waits"));
    // While a's push waits for b's, a comes back.
    let again = rig.open();
    rig.say(again, &Message::Hello(hello(site(1), lineage(1))));
    while rig.held.as_ref().is_some_and(|held| !held.is_empty()) {
        rig.release();
        rig.held = Some(Default::default());
    }
    rig.release();
    assert!(matches!(rig.closed[&a], SessionEnd::WeFailed(_)));
    let heard = rig.say(again, &push(1, 0, "a waits"));
    assert!(heard.iter().any(|message| matches!(message, Message::Ack(_))), "{heard:?}");
    assert_eq!(rig.store.rows(&scope())["note"].len(), 2);
}

#[test]
fn connections_over_the_limit_are_told_to_come_back() {
    let mut config = HubConfig::default();
    config.max_connections = 2;
    let mut rig = HubRig::new(config);
    rig.open();
    rig.open();
    let third = rig.open();
    let error = error(&mut rig, third);
    assert_eq!(error.code, ErrorCode::Overloaded);
    assert!(error.retry_after_ms.is_some());
    assert_eq!(rig.hub.connections(), 2);
}

#[test]
fn a_scope_takes_so_many_sessions_and_others_are_not_concerned() {
    let mut config = HubConfig::default();
    config.max_sessions_per_scope = 2;
    let mut rig = HubRig::new(config);
    join(&mut rig, 1);
    join(&mut rig, 2);
    let third = rig.open();
    rig.say(third, &Message::Hello(hello(site(3), lineage(3))));
    assert!(rig.closed.contains_key(&third));
    let mut elsewhere = hello(site(3), lineage(3));
    elsewhere.scope = Scope::new("other").unwrap();
    let fourth = rig.open();
    let heard = rig.say(fourth, &Message::Hello(elsewhere));
    assert!(matches!(heard[0], Message::Welcome(_)));
    // A member that comes back takes its own place.
    join(&mut rig, 2);
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
fn a_shut_down_hub_says_so_and_takes_nobody() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = join(&mut rig, 1);
    rig.hub.shutdown(rig.now);
    rig.pass(std::time::Duration::ZERO);
    assert_eq!(error(&mut rig, conn).code, ErrorCode::Closing);
    assert_eq!(rig.hub.connections(), 0);
    let late = rig.open();
    assert_eq!(error(&mut rig, late).code, ErrorCode::Closing);
    assert_eq!(rig.deadline.unwrap().at, None, "nothing is left to wait for");
}

#[test]
fn a_revoked_connection_is_told() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = join(&mut rig, 1);
    let why = WireError { code: ErrorCode::Forbidden, message: "revoked".to_owned(), retry_after_ms: None };
    rig.hub.close(rig.now, conn, why.clone());
    rig.pass(std::time::Duration::ZERO);
    assert_eq!(error(&mut rig, conn), why);
    assert!(rig.closed.contains_key(&conn));
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

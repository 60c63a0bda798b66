//! Who may push early, what, and how much: nobody gets further by it than behind a welcome.

use std::time::Duration;

use crate::pair::met::{Met, early, kinds, refusal, round_trip, texts_of};
use crate::pair::{HubRig, WALL, hello, scope, site, talk};
use pocketsync_core::hub::HubConfig;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::session::{Event, Rights, SessionEnd};
use pocketsync_core::store::{Knowledge, Met as Meeting, Store, StoreReply, StoreRequest};
use pocketsync_core::value::Value;
use pocketsync_core::wire::{Body, EarlyPush, ErrorCode, Message, PushSeen, WireError};

/// What a device of the hub would push along with its hello, with this many bytes of changes.
fn made_up(bytes: usize) -> Message {
    let Message::Push(push) = talk::push(1, 0, &"x".repeat(bytes)) else { panic!() };
    let informed = PushSeen { seen: Default::default(), push };
    Message::Early(EarlyPush { peer: site(200), offered: Knowledge::default(), informed })
}

fn notes(rig: &HubRig) -> usize {
    rig.store.rows(&scope()).get("note").map_or(0, |rows| rows.len())
}

/// What happens between two sessions, and does it.
type Case = (&'static str, fn(&mut Met));

#[test]
fn what_needs_a_correction_waits_for_the_welcome() {
    let day = Duration::from_secs(24 * 60 * 60);
    let cases: [Case; 5] = [
        ("set forward", |met| met.now.wall_ms += 3_000),
        ("set back", |met| met.now.wall_ms -= 3_000),
        ("noticed otherwise", |met| drop(met.store.run(StoreRequest::ClockJumped { scope: scope() }))),
        ("opened anew", |met| met.store.reopen(pocketsync_core::lineage::Stamp(9))),
        ("set forward, and back after the write", |met| {
            met.now.wall_ms += 3_600_000;
            met.write("in an hour");
            met.now.wall_ms -= 3_600_000;
        }),
    ];
    for (what, happens) in cases {
        let mut met = Met::new();
        happens(&mut met);
        met.write("second");
        assert_eq!(kinds(&met.begin().said), ["hello"], "{what}");
        assert_eq!(met.session().end, None, "{what}");
        let latest = met.hub.store.states(&scope())["note"]
            .values()
            .map(|row| row.cells["text"].version.hlc.ms())
            .max()
            .unwrap();
        assert!(latest.abs_diff(WALL) < 10_000, "{what}: off by {} ms", latest.abs_diff(WALL));
    }
    for (late, said) in [(Duration::ZERO, &["hello", "early"][..]), (Duration::from_millis(1), &["hello"])] {
        let mut met = Met::new();
        met.now.mono += day + late;
        met.now.wall_ms += (day + late).as_millis() as u64;
        met.write("a day later");
        assert_eq!(kinds(&met.begin().said), said);
    }
}

#[test]
fn a_large_row_waits_and_much_goes_on_behind_the_welcome() {
    let mut met = Met::new();
    met.write(&"x".repeat(200 << 10));
    let ran = met.session();
    assert_eq!((kinds(&ran.first), ran.trips), (vec!["hello"], 2));
    assert_eq!(met.texts().len(), 2);

    let mut met = Met::new();
    for n in 0..200 {
        met.write(&format!("{n} {}", "x".repeat(1_000)));
    }
    let ran = met.session();
    let push = early(&ran.first).informed.push;
    assert!(!push.last);
    let Body::Plain(bytes) = push.body else { panic!("nobody knows whether the hub reads LZ4") };
    assert!((8 << 10..24 << 10).contains(&bytes.len()), "{}", bytes.len());
    assert_eq!(met.texts().len(), 201);
}

#[test]
fn who_is_not_let_in_leaves_nothing_behind() {
    let mut met = Met::new();
    met.write("second");
    let error =
        WireError { code: ErrorCode::Unauthorized, message: "no".to_owned(), retry_after_ms: Some(1) };
    met.hub.verdict = Some(error);
    let ran = met.session();
    early(&ran.first);
    assert!(matches!(ran.end, Some(SessionEnd::TheyFailed(_))), "{:?}", ran.end);
    assert_eq!(met.texts(), texts_of(["first"]));
    met.hub.verdict = None;
    met.session();
    assert_eq!(met.texts(), texts_of(["first", "second"]));
}

#[test]
fn what_a_device_may_not_write_is_refused_as_ever() {
    let mut met = Met::new();
    met.hub.write_tables = Some(vec!["task"]);
    met.write("not allowed");
    met.store.write(&scope(), WALL, |tx| tx.insert("task", &[("text", Value::text("allowed"))]));
    let ran = met.session();
    early(&ran.first);
    assert!(ran.events.contains(&Event::Refused { rows: 1 }), "{:?}", ran.events);
    assert_eq!(ran.end, None);
    assert_eq!(met.texts(), texts_of(["first"]));
    assert_eq!(met.hub.store.rows(&scope())["task"].len(), 1);
    assert_eq!(met.store.rows(&scope()), met.hub.store.rows(&scope()));
    assert_eq!(met.store.refused(&scope()).len(), 1);
}

#[test]
fn who_may_not_write_at_all_pushes_nothing_early_either() {
    let mut met = Met::new();
    met.hub.rights = Rights { write: false, ..Rights::ALL };
    met.write("second");
    early(&met.session().first);
    assert_eq!(met.texts(), texts_of(["first"]));
}

#[test]
fn versions_from_the_future_are_refused_as_ever() {
    let mut rig = HubRig::new(HubConfig::default());
    rig.now.wall_ms -= 3_600_000;
    let conn = rig.open();
    rig.say(conn, &Message::Hello(hello(site(1), talk::lineage(1))));
    assert_eq!(refusal(&rig.say(conn, &made_up(10))), ErrorCode::ClockAhead);
    assert_eq!(notes(&rig), 0);
}

#[test]
fn one_early_push_and_a_short_one_is_all_that_is_kept_for_a_stranger() {
    // Whatever comes before the hub knows who it is.
    let waits = |messages: &[Message]| {
        let mut rig = HubRig::new(HubConfig::default());
        rig.held = Some(Default::default());
        let conn = rig.open();
        rig.say(conn, &Message::Hello(hello(site(1), talk::lineage(1))));
        let heard: Vec<Message> = messages.iter().flat_map(|message| rig.say(conn, message)).collect();
        let end = heard.last().map(|_| refusal(&heard));
        rig.release();
        (end, notes(&rig))
    };
    let half = 128 << 10;
    assert_eq!(waits(&[made_up(half - 1_000)]), (None, 1));
    assert_eq!(waits(&[made_up(half)]), (Some(ErrorCode::TooLarge), 0));
    assert_eq!(waits(&[made_up(10), made_up(10)]), (Some(ErrorCode::BadMessage), 0));
    assert_eq!(waits(&[talk::push(1, 0, "not early")]), (Some(ErrorCode::BadMessage), 0));
}

#[test]
fn an_early_push_out_of_place_ends_the_session() {
    let begin = |change: fn(&mut pocketsync_core::wire::Hello)| {
        let mut rig = HubRig::new(HubConfig::default());
        let conn = rig.open();
        let mut hello = hello(site(1), talk::lineage(1));
        change(&mut hello);
        rig.say(conn, &Message::Hello(hello));
        (rig, conn)
    };
    let (mut rig, conn) = begin(|hello| hello.protocol = 3);
    assert_eq!(refusal(&rig.say(conn, &made_up(10))), ErrorCode::BadMessage, "of version 3");
    let (mut rig, conn) = begin(|_| {});
    rig.say(conn, &made_up(10));
    assert_eq!(notes(&rig), 1);
    assert_eq!(refusal(&rig.say(conn, &made_up(10))), ErrorCode::BadMessage, "twice");
    let (mut rig, conn) = begin(|_| {});
    rig.say(conn, &talk::push(1, 0, "first"));
    assert_eq!(refusal(&rig.say(conn, &made_up(10))), ErrorCode::BadMessage, "late");
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.open();
    assert_eq!(refusal(&rig.say(conn, &made_up(10))), ErrorCode::BadMessage, "before the hello");
    let mut device = Met::new().begin();
    assert_eq!(refusal(&device.say(&made_up(10))), ErrorCode::BadMessage, "by who answers");
}

/// The device finds out, between its introduction and the answer, that it has to tell something again. The hub has gone on
/// from where that would begin.
#[test]
fn what_is_to_be_told_again_after_all_is_told_in_the_next_session() {
    let mut met = Met::new();
    met.write("second");
    let mut device = met.begin();
    let conn = met.hub.open();
    let said = std::mem::take(&mut device.said);
    let heard: Vec<Message> = said.iter().flat_map(|message| met.hub.say(conn, message)).collect();
    device.held = Some(Default::default());
    device.say(&heard[0]);
    let (id, request) = device.held.take().and_then(|mut held| held.pop_front()).unwrap();
    let StoreReply::Met(Meeting::Resume(mut resume)) = device.store.run(request).unwrap() else { panic!() };
    resume.send_from = Cursor::ZERO;
    let reply = Ok(StoreReply::Met(Meeting::Resume(resume)));
    let said = device.input(|session, now| session.handle_store(now, id, reply));
    assert_eq!(refusal(&said), ErrorCode::Gap);
    assert!(device.closed.unwrap().is_retryable());
    met.store = device.store;
    assert_eq!(met.session().end, None);
    assert_eq!(met.texts(), texts_of(["first", "second"]));
}

#[test]
fn a_position_inside_a_number_is_none_to_begin_early_from() {
    let mut met = Met::new();
    met.store.write(&scope(), WALL, |tx| {
        for n in 0..100 {
            tx.insert("note", &[("text", Value::text(&format!("{n} {}", "x".repeat(1_000))))]);
        }
    });
    // The link breaks when the hub has a part of it.
    let mut device = met.begin();
    let push = early(&device.said).informed.push;
    assert!(!push.last && !push.to.within.is_empty());
    let conn = met.hub.open();
    round_trip(&mut device, &mut met.hub, conn);
    assert!(device.events.contains(&Event::Acked { cursor: push.to }), "{:?}", device.events);
    met.store = device.store;
    assert_eq!(kinds(&met.begin().said), ["hello"]);
    met.session();
    assert_eq!(met.texts().len(), 101);
}

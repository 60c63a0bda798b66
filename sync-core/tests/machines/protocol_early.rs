//! Changes that go out along with the introduction: taken as if they had come after the welcome, or not at all.

use std::time::Duration;

use crate::pair::met::{Met, early, is_in_sync, kinds, refusal, round_trip, texts, texts_of};
use crate::pair::{SessionRig, WALL, scope, site, talk};
use pocketsync_core::lineage::{Cursor, Stamp};
use pocketsync_core::session::{Event, Session, SessionConfig, SessionEnd};
use pocketsync_core::store::{MemoryStore, StoreRequest};
use pocketsync_core::value::Value;
use pocketsync_core::wire::{ErrorCode, Message, WireError, frame};

#[test]
fn who_comes_back_has_told_and_heard_all_after_one_round_trip() {
    let mut met = Met::new();
    for round in 0..3 {
        met.write("more");
        let elsewhere = met.hub.join(site(2), talk::lineage(2));
        met.hub.say(elsewhere, &talk::push(2, round, "from elsewhere"));
        let ran = met.session();
        assert_eq!(kinds(&ran.first), ["hello", "early"]);
        assert_eq!(ran.trips, 1, "{:?}", ran.events);
        assert_eq!(texts(&met.store), met.texts());
        let sent = ran.events.iter().filter(|event| matches!(event, Event::Sent { bytes } if *bytes > 64));
        assert_eq!(sent.count(), 1, "once: {:?}", ran.events);
    }
    assert_eq!(met.texts().len(), 7);
}

#[test]
fn a_hub_that_knows_its_answer_late_or_reads_in_pieces_takes_the_same() {
    let long = "second ".repeat(100);
    // How many frames of the early push arrive before the store has answered anything.
    for early_frames in 0..=4 {
        let mut met = Met::new();
        met.write(&long);
        let mut device = met.begin();
        let conn = met.hub.open();
        met.hub.held = Some(Default::default());
        let said = std::mem::take(&mut device.said);
        let frames: Vec<_> = said.iter().flat_map(|message| frame::cut(message, 256)).collect();
        assert_eq!(frames.len(), 1 + 4);
        let (before, after) = frames.split_at(1 + early_frames);
        before.iter().for_each(|frame| met.hub.frame(conn, frame.clone()));
        met.hub.release();
        after.iter().for_each(|frame| met.hub.frame(conn, frame.clone()));
        let heard = met.hub.heard(conn);
        assert_eq!(met.texts().len(), 2, "{early_frames}: {heard:?}");
        heard.iter().for_each(|message| drop(device.say(message)));
        assert!(device.events.contains(&Event::UpToDate), "{early_frames}: {:?}", device.events);
    }
}

#[test]
fn an_answer_that_overtakes_the_device_s_own_store_counts() {
    let mut met = Met::new();
    met.write("second");
    let mut device = met.begin();
    let conn = met.hub.open();
    let said = std::mem::take(&mut device.said);
    let heard: Vec<Message> = said.iter().flat_map(|message| met.hub.say(conn, message)).collect();
    assert_eq!(kinds(&heard), ["welcome", "push", "ack"]);
    device.held = Some(Default::default());
    for message in &heard {
        device.say(message);
    }
    assert_eq!(device.closed, None);
    device.release();
    assert!(is_in_sync(&device), "{:?}", device.events);
    // What it merges now is nothing that the hub would have to be told.
    let asked = |wanted: fn(&StoreRequest) -> bool| device.requests.iter().position(wanted);
    let extract = asked(|request| matches!(request, StoreRequest::Extract { .. }));
    assert!(extract < asked(|request| matches!(request, StoreRequest::Apply { .. })));
    // It is one message, and only after an early push.
    for early_bytes in [0, 16 << 10] {
        let mut config = SessionConfig::new(scope());
        config.early_bytes = early_bytes;
        let session = Session::connect(config, met.now);
        let mut device = SessionRig::run(session, met.store.clone(), met.now);
        device.held = Some(Default::default());
        device.say(&heard[0]);
        let answers = if early_bytes == 0 { 1 } else { 2 };
        let said: Vec<Message> = (0..answers).flat_map(|_| device.say(&heard[2])).collect();
        assert_eq!(refusal(&said), ErrorCode::BadMessage);
    }
}

#[test]
fn who_forked_pushes_nothing_under_its_old_name() {
    let mut met = Met::new();
    let mut clone = met.store.clone();
    clone.reopen(Stamp(50));
    clone.write(&scope(), WALL, |tx| tx.insert("note", &[("text", Value::text("the clone's"))]));
    let original = std::mem::replace(&mut met.store, clone);
    met.session();
    met.store = original;
    met.write("the original's");
    let ran = met.session();
    assert_eq!(kinds(&ran.first), ["hello", "early"]);
    assert!(matches!(ran.end, Some(SessionEnd::Forked { .. })), "{:?}", ran.end);
    assert_eq!(met.texts(), texts_of(["first", "the clone's"]), "nothing was taken");
    let ran = met.session();
    assert_eq!(kinds(&ran.first), ["hello"]);
    assert_eq!(met.texts(), texts_of(["first", "the clone's", "the original's"]), "nothing is lost or twice");
    assert_eq!(texts(&met.store), met.texts());
}

#[test]
fn who_took_a_new_site_meets_the_hub_first() {
    let mut met = Met::new();
    let mut clone = met.store.clone();
    clone.reopen(Stamp(50));
    clone.write(&scope(), WALL, |tx| tx.insert("note", &[("text", Value::text("the clone's"))]));
    let original = std::mem::replace(&mut met.store, clone);
    met.session();
    met.store = original;
    assert!(matches!(met.session().end, Some(SessionEnd::Forked { .. })), "it had nothing to say early");
    met.write("the original's");
    assert_eq!(kinds(&met.session().first), ["hello"]);
    assert_eq!(met.texts(), texts_of(["first", "the clone's", "the original's"]));
}

/// A clone was heard of by way of others: the position does not show it, only what is known of the site.
#[test]
fn an_early_push_does_not_hide_a_clone_that_is_known_by_hearsay() {
    // A new row; and a change of the one that both have, later than what the original had offered.
    for (counter_and_ms, answered) in
        [(9, 0), (1, 30_000)].into_iter().flat_map(|at| [(at, true), (at, false)])
    {
        let mut met = Met::new();
        let relay = met.hub.join(site(2), talk::lineage(2));
        met.hub.say(relay, &talk::relayed(2, 1, 0, counter_and_ms, "the clone's"));
        let before = met.texts();
        met.now.mono += Duration::from_secs(60);
        met.now.wall_ms += 60_000;
        met.write("the original's");
        if !answered {
            // The link breaks before the hub answers.
            let device = met.begin();
            assert_eq!(kinds(&device.said), ["hello", "early"]);
            met.store = device.store;
        }
        let ran = met.session();
        assert_eq!(kinds(&ran.first).len(), if answered { 2 } else { 1 });
        assert!(matches!(ran.end, Some(SessionEnd::Forked { .. })), "{answered}: {:?}", ran.end);
        assert_eq!(met.texts(), before, "nothing was taken");
        met.session();
        assert_eq!(met.texts(), [before, texts_of(["the original's"])].concat(), "{answered}");
    }
}

#[test]
fn a_restored_hub_hears_everything_again() {
    let mut met = Met::new();
    let backup = met.hub.store.clone();
    let elsewhere = met.hub.join(site(2), talk::lineage(2));
    met.hub.say(elsewhere, &talk::push(2, 0, "from elsewhere"));
    met.session();
    met.hub.store = backup;
    met.hub.store.reopen(Stamp(60));
    met.write("second");
    let ran = met.session();
    assert_eq!(kinds(&ran.first), ["hello", "early"]);
    assert_eq!(ran.trips, 2, "{:?}", ran.events);
    assert_eq!(met.texts(), texts_of(["first", "from elsewhere", "second"]));
}

#[test]
fn another_replica_in_the_hub_s_place_takes_nothing_that_was_meant_for_the_hub() {
    let mut met = Met::new();
    let elsewhere = met.hub.join(site(2), talk::lineage(2));
    met.hub.say(elsewhere, &talk::push(2, 0, "from elsewhere"));
    met.session();
    met.hub.store = MemoryStore::hub(site(201), Stamp(70));
    met.write("second");
    let ran = met.session();
    assert_eq!(early(&ran.first).peer, site(200));
    assert_eq!(ran.end, None);
    assert_eq!(
        met.texts(),
        texts_of(["first", "from elsewhere", "second"]),
        "what came from the old hub, too"
    );
    met.write("third");
    assert_eq!(met.session().trips, 1, "now this one is known");
}

/// Both hubs have nothing of the device, so only the name tells that what is left out was the other one's.
#[test]
fn a_device_that_has_told_nothing_yet_tells_the_right_one() {
    let mut met = Met::with("nothing of its own");
    met.store = MemoryStore::device(site(3), Stamp(3));
    met.session();
    met.write("second");
    met.hub.store = MemoryStore::hub(site(201), Stamp(70));
    let ran = met.session();
    assert_eq!(early(&ran.first).informed.push.from, Cursor::ZERO);
    assert_eq!(ran.end, None);
    assert_eq!(met.texts(), texts_of(["nothing of its own", "second"]), "what came from the old hub, too");
}

#[test]
fn a_link_that_breaks_costs_an_early_push_and_not_more() {
    for hub_heard in [true, false] {
        let mut met = Met::new();
        met.write("second");
        let mut device = met.begin();
        early(&device.said);
        if hub_heard {
            let conn = met.hub.open();
            let said = std::mem::take(&mut device.said);
            said.iter().for_each(|message| drop(met.hub.say(conn, message)));
            assert_eq!(met.texts(), texts_of(["first", "second"]));
        }
        met.store = device.store;
        met.write("third");
        let ran = met.session();
        assert_eq!(kinds(&ran.first), ["hello"], "the last one was not answered");
        assert_eq!(ran.end, None);
        assert_eq!(met.texts(), texts_of(["first", "second", "third"]));
        met.write("fourth");
        assert_eq!(met.session().trips, 1);
    }
}

#[test]
fn a_hub_that_speaks_an_older_protocol_ends_the_session_and_the_next_one_is_as_ever() {
    let mut met = Met::new();
    met.write("second");
    let mut device = met.begin();
    early(&device.said);
    // It cannot read the message.
    let error =
        WireError { code: ErrorCode::BadMessage, message: "not a message".to_owned(), retry_after_ms: None };
    device.say(&Message::Error(error));
    assert!(device.closed.as_ref().is_some_and(SessionEnd::is_retryable));
    met.store = device.store;
    let mut device = met.begin();
    assert_eq!(kinds(&device.said), ["hello"]);
    let conn = met.hub.open();
    let Message::Hello(mut hello) = device.said.remove(0) else { panic!() };
    hello.protocol = 3;
    for message in met.hub.say(conn, &Message::Hello(hello)) {
        let said = device.say(&message);
        device.said.extend(said);
    }
    round_trip(&mut device, &mut met.hub, conn);
    assert_eq!(met.texts(), texts_of(["first", "second"]));
    met.store = device.store;
    met.write("third");
    assert_eq!(kinds(&met.begin().said), ["hello"], "it spoke version 3");
}

//! What one side makes of what the other says, message by message.

use crate::pair::{HubRig, SessionRig, WALL, hello, scope, site};
use bytes::Bytes;
use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::hub::HubConfig;
use pocketsync_core::id::RowId;
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::merge::Life;
use pocketsync_core::session::{Event, Rights, SessionEnd};
use pocketsync_core::store::MemoryStore;
use pocketsync_core::value::Value;
use pocketsync_core::wire::{Ack, Body, ErrorCode, Hello, Message, Push, PushSeen, WireError, frame};

fn lineage() -> Lineage {
    let mut lineage = Lineage::default();
    lineage.open(0, Stamp(77));
    lineage
}

fn at(seq: u64) -> Cursor {
    lineage().cursor_at(seq)
}

/// One row of a made-up device.
fn change(counter: u64, ms: u64) -> Changeset {
    let version = Version::new(Hlc::from_ms(ms), site(1));
    Changeset {
        tables: vec![TableChanges {
            name: "note".to_owned(),
            columns: vec!["text".to_owned()],
            rows: vec![RowChange {
                id: RowId::Surrogate { site: site(1), counter },
                life: Life::born(version),
                cells: vec![CellChange { column: 0, version, value: Value::text("x") }],
            }],
        }],
    }
}

fn push(from: u64, to: u64, changeset: &Changeset) -> Message {
    let body = Body::seal(changeset, false);
    Message::Push(Push { from: at(from), to: at(to), last: true, body })
}

fn rows(rig: &HubRig) -> usize {
    rig.store.rows(&scope()).get("note").map_or(0, |rows| rows.len())
}

/// What the hub says last on a connection that it ends.
fn refusal(heard: &[Message]) -> &WireError {
    match heard.last() {
        Some(Message::Error(error)) => error,
        other => panic!("no error but {other:?}"),
    }
}

fn acked(heard: &[Message]) -> Option<u64> {
    heard.iter().rev().find_map(|message| match message {
        Message::Ack(Ack { cursor }) => Some(cursor.seq),
        _ => None,
    })
}

#[test]
fn pipelined_pushes_are_taken_in_order() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.join(site(1), lineage());
    rig.held = Some(Default::default());
    for n in 0..3 {
        rig.say(conn, &push(n, n + 1, &change(n + 1, WALL)));
    }
    assert_eq!(acked(&rig.heard(conn)), None, "nothing is acknowledged before the store has committed");
    rig.release();
    assert_eq!(acked(&rig.heard(conn)), Some(3));
    assert_eq!(rows(&rig), 3);
}

#[test]
fn pipelined_pushes_of_one_row_are_its_history_and_no_conflict() {
    let text = |word: &str, ms: u64| {
        let mut changeset = change(1, WALL);
        let cell = &mut changeset.tables[0].rows[0].cells[0];
        (cell.version, cell.value) = (Version::new(Hlc::from_ms(ms), site(1)), Value::text(word));
        changeset
    };
    let mut rig = HubRig::new(HubConfig::default());
    let (conn, other) = (rig.join(site(1), lineage()), rig.join(site(2), lineage()));
    rig.held = Some(Default::default());
    for (n, word) in [(0, "first"), (1, "second"), (2, "third")] {
        rig.say(conn, &push(n, n + 1, &text(word, WALL + n)));
    }
    rig.release();
    assert_eq!(acked(&rig.heard(conn)), Some(3));
    let rows = rig.store.rows(&scope());
    let shown: Vec<_> = rows["note"].values().map(|cells| &cells["text"]).collect();
    assert_eq!(shown, [&Value::text("third")]);
    let heard = rig.heard(other).into_iter().rev().find_map(|message| match message {
        Message::Push(push) => Some(push.body.open(1 << 20).unwrap()),
        _ => None,
    });
    assert_eq!(heard.unwrap().tables[0].rows[0].cells[0].value, Value::text("third"));
}

#[test]
fn an_ack_lost_and_pushed_again_merges_to_nothing() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.join(site(1), lineage());
    assert_eq!(acked(&rig.say(conn, &push(0, 1, &change(1, WALL)))), Some(1));
    let head = rig.store.head(&scope());
    // The device did not hear it. Even one that begins from nothing changes nothing.
    let conn = rig.join(site(1), lineage());
    assert_eq!(acked(&rig.say(conn, &push(0, 1, &change(1, WALL)))), Some(1));
    assert_eq!(rig.store.head(&scope()), head, "what merges to nothing takes no number");
}

#[test]
fn a_push_after_a_gap_is_refused_and_what_came_before_stays() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.join(site(1), lineage());
    rig.say(conn, &push(0, 1, &change(1, WALL)));
    let heard = rig.say(conn, &push(2, 3, &change(3, WALL)));
    assert_eq!(refusal(&heard).code, ErrorCode::Gap);
    assert!(refusal(&heard).code.is_retryable());
    assert_eq!(rows(&rig), 1);
    assert!(matches!(rig.closed[&conn], SessionEnd::WeFailed(_)));
    // What was already under way behind it is too late, though it would fit.
    assert_eq!(rig.say(conn, &push(1, 2, &change(2, WALL))), []);
    assert_eq!(rows(&rig), 1);
}

#[test]
fn a_first_push_after_a_gap_is_refused() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.join(site(1), lineage());
    let heard = rig.say(conn, &push(5, 6, &change(6, WALL)));
    assert_eq!(refusal(&heard).code, ErrorCode::Gap);
    assert_eq!(rows(&rig), 0);
}

#[test]
fn an_ack_that_runs_ahead_ends_the_session() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.join(site(1), lineage());
    let heard = rig.say(conn, &Message::Ack(Ack { cursor: Cursor::at(99, Stamp(1)) }));
    assert_eq!(refusal(&heard).code, ErrorCode::BadMessage);
}

#[test]
fn an_ack_that_goes_back_is_ignored() {
    let mut rig = HubRig::new(HubConfig::default());
    let (a, b) = (rig.join(site(1), lineage()), rig.join(site(2), lineage()));
    rig.say(a, &push(0, 1, &change(1, WALL)));
    let heard = rig.heard(b);
    let Some(Message::Push(live)) = heard.first() else { panic!("{heard:?}") };
    rig.say(b, &Message::Ack(Ack { cursor: live.to.clone() }));
    assert!(rig.say(b, &Message::Ack(Ack { cursor: Cursor::ZERO })).is_empty());
    assert!(!rig.closed.contains_key(&b));
}

#[test]
fn an_ack_does_not_move_a_download_position() {
    let mut rig = HubRig::new(HubConfig::default());
    let (a, b) = (rig.join(site(1), lineage()), rig.join(site(2), lineage()));
    rig.say(a, &push(0, 1, &change(1, WALL)));
    let Some(Message::Push(first)) = rig.heard(b).pop() else { panic!("no live push") };
    // Whether or not b acknowledges, the next push begins where the last one ended.
    rig.say(a, &push(1, 2, &change(2, WALL)));
    let Some(Message::Push(second)) = rig.heard(b).pop() else { panic!("no live push") };
    assert_eq!(second.from, first.to);
    rig.say(b, &Message::Ack(Ack { cursor: second.to.clone() }));
    rig.say(a, &push(2, 3, &change(3, WALL)));
    let Some(Message::Push(third)) = rig.heard(b).pop() else { panic!("no live push") };
    assert_eq!(third.from, second.to);
}

#[test]
fn a_push_that_ends_before_it_begins_is_refused() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.join(site(1), lineage());
    rig.say(conn, &push(0, 2, &change(1, WALL)));
    let heard = rig.say(conn, &push(2, 1, &change(2, WALL)));
    assert_eq!(refusal(&heard).code, ErrorCode::BadMessage);
}

#[test]
fn a_version_from_the_future_is_refused_and_earlier_pushes_stay() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.join(site(1), lineage());
    rig.held = Some(Default::default());
    rig.say(conn, &push(0, 1, &change(1, WALL)));
    rig.say(conn, &push(1, 2, &change(2, WALL)));
    rig.say(conn, &push(2, 3, &change(3, WALL + 3_600_000)));
    rig.release();
    let heard = rig.heard(conn);
    assert_eq!(refusal(&heard).code, ErrorCode::ClockAhead);
    assert_eq!(acked(&heard), Some(2));
    assert_eq!(rows(&rig), 2);
}

#[test]
fn garbage_is_refused_at_once() {
    for garbage in [&b""[..], b"\0", b"\xff\xff\xff\xff", b"\x01garbage that is no message", b"\x01\x00"] {
        let mut rig = HubRig::new(HubConfig::default());
        let healthy = rig.join(site(2), lineage());
        let conn = rig.open();
        rig.frame(conn, Bytes::copy_from_slice(garbage));
        assert_eq!(refusal(&rig.heard(conn)).code, ErrorCode::BadMessage, "{garbage:?}");
        assert!(rig.closed.contains_key(&conn));
        assert_eq!(rig.say(healthy, &Message::Ping(1)), [Message::Pong(1)], "it costs nobody else anything");
    }
}

#[test]
fn a_changeset_that_cannot_be_read_is_refused() {
    let mut rig = HubRig::new(HubConfig::default());
    for body in [Body::Plain(Bytes::from_static(b"\x07nonsense")), Body::Lz4(Bytes::from_static(b"\xff\xff"))]
    {
        let conn = rig.join(site(1), lineage());
        let push = Message::Push(Push { from: at(0), to: at(1), last: true, body });
        assert_eq!(refusal(&rig.say(conn, &push)).code, ErrorCode::BadMessage);
    }
}

#[test]
fn oversized_frames_and_messages_are_refused() {
    let mut config = HubConfig::default();
    config.session.max_frame_bytes = 1_024;
    let mut rig = HubRig::new(config);
    let conn = rig.open();
    rig.frame(conn, Bytes::from(vec![0; 1_025]));
    assert_eq!(refusal(&rig.heard(conn)).code, ErrorCode::TooLarge);
    // Frames that never complete a message.
    let conn = rig.open();
    for _ in 0..300 {
        rig.frame(conn, Bytes::from(vec![0; 1_024]));
    }
    assert_eq!(refusal(&rig.heard(conn)).code, ErrorCode::TooLarge, "nobody may park megabytes unnamed");
}

#[test]
fn more_than_the_window_is_refused() {
    let mut config = HubConfig::default();
    config.session.window_bytes = 300;
    let mut rig = HubRig::new(config);
    let conn = rig.join(site(1), lineage());
    rig.held = Some(Default::default());
    for n in 0..10 {
        rig.say(conn, &push(n, n + 1, &change(n + 1, WALL)));
    }
    rig.release();
    let SessionEnd::WeFailed(error) = &rig.closed[&conn] else { panic!("{:?}", rig.closed) };
    assert_eq!(error.code, ErrorCode::TooLarge);
}

#[test]
fn changes_before_an_introduction_are_refused() {
    for message in [push(0, 1, &change(1, WALL)), Message::Ack(Ack { cursor: Cursor::ZERO })] {
        let mut rig = HubRig::new(HubConfig::default());
        let conn = rig.open();
        assert_eq!(refusal(&rig.say(conn, &message)).code, ErrorCode::BadMessage);
    }
}

#[test]
fn who_may_not_write_is_refused_and_who_may_not_read_is_sent_nothing() {
    let mut rig = HubRig::new(HubConfig::default());
    let writer = rig.join(site(1), lineage());
    rig.rights = Rights { read: true, write: false, relay: false };
    // It knows no refusals of single changes.
    let reader = rig.join_with(Hello { protocol: 2, ..hello(site(2), lineage()) });
    rig.rights = Rights { read: false, write: true, relay: false };
    let blind = rig.join(site(3), lineage());
    rig.say(writer, &push(0, 1, &change(1, WALL)));
    let heard = rig.heard(reader);
    let [Message::Push(pushed)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(rig.heard(blind), []);
    // It is told when it holds what it may read: it would come back with the same push.
    assert_eq!(rig.say(reader, &push(0, 1, &change(2, WALL))), []);
    assert_eq!(rig.say(reader, &push(1, 2, &change(3, WALL))), []);
    let heard = rig.say(reader, &Message::Ack(Ack { cursor: pushed.to.clone() }));
    assert_eq!(refusal(&heard).code, ErrorCode::Forbidden);
    rig.rights = Rights { read: false, write: false, relay: false };
    let nobody = rig.join(site(4), lineage());
    let heard = rig.say(nobody, &push(0, 1, &change(4, WALL)));
    assert_eq!(refusal(&heard).code, ErrorCode::Forbidden);
}

#[test]
fn goodbye_ends_both_sides() {
    let mut rig = SessionRig::accept(MemoryStore::device(site(2), Stamp(1)));
    rig.say(&Message::Hello(hello(site(1), lineage())));
    assert_eq!(rig.input(|session, now| session.close(now)), [Message::Bye]);
    assert_eq!(rig.closed, Some(SessionEnd::Bye));
    let mut rig = SessionRig::accept(MemoryStore::device(site(2), Stamp(1)));
    rig.say(&Message::Hello(hello(site(1), lineage())));
    rig.say(&Message::Bye);
    assert_eq!(rig.closed, Some(SessionEnd::Bye));
}

#[test]
fn two_changes_while_an_extract_runs_make_one_more() {
    let mut rig = SessionRig::accept(MemoryStore::device(site(2), Stamp(1)));
    rig.say(&Message::Hello(hello(site(1), lineage())));
    let before = rig.requests.len();
    rig.store.write(&scope(), WALL, |tx| tx.insert("note", &[]));
    let heard = rig.input(|session, now| {
        session.local_changed(now);
        session.local_changed(now);
        session.local_changed(now);
    });
    assert!(matches!(heard[..], [Message::Push(_) | Message::PushSeen(_)]));
    assert_eq!(rig.requests.len() - before, 2);
    let acks: Vec<Message> = heard
        .into_iter()
        .filter_map(|message| match message {
            Message::Push(push) | Message::PushSeen(PushSeen { push, .. }) => {
                Some(Message::Ack(Ack { cursor: push.to }))
            }
            _ => None,
        })
        .collect();
    rig.say(&acks[0]);
    assert_eq!(rig.events.last(), Some(&Event::UpToDate));
}

#[test]
fn what_is_committed_after_the_link_was_lost_is_still_told() {
    use std::time::Duration;

    use pocketsync_core::clock::Now;
    use pocketsync_core::session::{Admitted, Output, Session, SessionConfig};
    use pocketsync_core::store::Store;

    let now = Now { mono: Duration::from_secs(1), wall_ms: WALL };
    let mut store = MemoryStore::device(site(2), Stamp(1));
    let mut session = Session::accept(SessionConfig::new(scope()), now);
    let mut apply = None;
    for message in [Message::Hello(hello(site(1), lineage())), push(0, 1, &change(1, WALL))] {
        for frame in frame::cut(&message, 256) {
            session.handle_frame(now, frame);
        }
        loop {
            match session.poll_output() {
                Output::Admit(_) => {
                    let admitted = Admitted::new("x", Rights::ALL);
                    session.handle_admission(now, Ok(admitted));
                }
                Output::Store(id, request @ pocketsync_core::store::StoreRequest::Apply { .. }) => {
                    apply = Some((id, store.run(request)));
                }
                Output::Store(id, request) => session.handle_store(now, id, store.run(request)),
                Output::Wait(_) => break,
                _ => {}
            }
        }
    }
    let (id, reply) = apply.expect("the push went to the store");
    session.handle_lost(now, "gone");
    assert!(matches!(session.poll_output(), Output::Wait(_)), "the store owes an answer");
    session.handle_store(now, id, reply);
    assert!(matches!(session.poll_output(), Output::Event(Event::Applied(_))));
    assert!(matches!(session.poll_output(), Output::Closed(SessionEnd::Lost(_))));
}

#[test]
fn an_answer_is_told_before_the_push_that_it_answers_is_acknowledged() {
    let mut rig = HubRig::new(HubConfig::default());
    let (a, b) = (rig.join(site(1), lineage()), rig.join(site(2), lineage()));
    let mut death = change(1, WALL);
    death.tables[0].rows[0].life = Life::died(Version::new(Hlc::from_ms(WALL + 1), site(2)));
    rig.say(b, &push(0, 1, &death));
    rig.heard(a);
    // The birth of a row that is dead already: that it is, is news to whoever tells of the birth.
    let heard = rig.say(a, &push(0, 1, &change(1, WALL)));
    assert!(matches!(heard[..], [Message::Push(_), Message::Ack(_)]), "{heard:?}");
}

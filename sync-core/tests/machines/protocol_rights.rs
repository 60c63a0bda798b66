//! What a hub says of changes that a device may not make, message by message.

use crate::pair;
use crate::pair::{HubRig, SessionRig, WALL, hello, scope, site, welcome};
use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::conflict::MergeType;
use pocketsync_core::hub::HubConfig;
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::merge::Life;
use pocketsync_core::merge::share::ShareName;
use pocketsync_core::session::{Rights, SessionEnd};
use pocketsync_core::store::{MemoryStore, RefusalReason};
use pocketsync_core::value::Value;
use pocketsync_core::wire::{Ack, Body, ErrorCode, Hello, Message, Push, PushSeen, Refusal, Refused};

const OWN: Rights = Rights { read: true, write: true, relay: false };

fn lineage() -> Lineage {
    let mut lineage = Lineage::default();
    lineage.open(0, Stamp(77));
    lineage
}

fn at(seq: u64) -> Cursor {
    lineage().cursor_at(seq)
}

fn version(ms: u64, of: SiteId) -> Version {
    Version::new(Hlc::from_ms(WALL + ms), of)
}

/// A row of a table: born, with one cell.
fn row(table: &str, id: RowId, column: &str, version: Version, value: &str) -> Changeset {
    let cells = vec![CellChange { column: 0, version, value: Value::text(value) }];
    let rows = vec![RowChange { id, life: Life::born(version), cells }];
    Changeset {
        tables: vec![TableChanges { name: table.to_owned(), columns: vec![column.to_owned()], rows }],
    }
}

/// One that device `n` made.
fn own(table: &str, n: u8, counter: u64, value: &str) -> Changeset {
    row(table, RowId::Surrogate { site: site(n), counter }, "text", version(counter, site(n)), value)
}

fn push(from: u64, to: u64, changeset: &Changeset) -> Message {
    let body = Body::seal(changeset, false);
    Message::Push(Push { from: at(from), to: at(to), last: true, body })
}

fn ack(seq: u64) -> Message {
    Message::Ack(Ack { cursor: at(seq) })
}

fn refused(heard: &[Message]) -> &Refused {
    match heard.last() {
        Some(Message::Refused(refused)) => refused,
        other => panic!("no refusal but {other:?}"),
    }
}

/// The only reason, and the rows that it is about.
fn reason(heard: &[Message]) -> (RefusalReason, Changeset) {
    let [Refusal { reason, parts }] = &refused(heard).refusals[..] else { panic!("{heard:?}") };
    (RefusalReason::from(*reason), parts.open(1 << 20).unwrap())
}

fn tables(rig: &HubRig) -> Vec<String> {
    rig.store.rows(&scope()).into_keys().collect()
}

#[test]
fn a_refused_push_comes_again_and_what_is_behind_it_is_passed_over() {
    let mut rig = HubRig::new(HubConfig::default());
    rig.write_tables = Some(vec!["note"]);
    let conn = rig.join(site(1), lineage());
    let heard = rig.say(conn, &push(0, 1, &own("note", 1, 1, "good")));
    assert_eq!(heard, [ack(1)]);
    let mut both = own("note", 1, 2, "good as well");
    both.tables.extend(own("secret", 1, 3, "bad").tables);
    let heard = rig.say(conn, &push(1, 2, &both));
    let refused = refused(&heard);
    assert_eq!((heard.len(), &refused.from), (1, &at(1)));
    assert_eq!(refused.states, Some(Body::Empty), "there is no such row");
    let (why, parts) = reason(&heard);
    assert_eq!((why, parts.row_count()), (RefusalReason::Table, 1));
    assert_eq!(parts.tables[0].name, "secret");
    assert_eq!(parts.tables[0].rows[0].cells[0].value, Value::Null, "who pushed it has the value");
    assert_eq!(rig.say(conn, &push(2, 3, &own("note", 1, 4, "behind it"))), []);
    assert_eq!(rig.store.rows(&scope())["note"].len(), 1, "nothing of it was taken");

    // Whoever did not hear of it says the same, and is answered the same.
    let heard = rig.say(conn, &push(1, 2, &both));
    assert_eq!(reason(&heard).0, RefusalReason::Table);
    let heard = rig.say(conn, &push(1, 3, &own("note", 1, 2, "good as well")));
    assert_eq!(heard, [ack(3)]);
    assert_eq!(rig.say(conn, &push(3, 4, &own("note", 1, 4, "behind it"))), [ack(4)]);
    assert_eq!(rig.store.rows(&scope())["note"].len(), 3);
    assert_eq!(tables(&rig), ["note"]);
}

#[test]
fn what_stands_in_its_place_is_told_to_who_may_read() {
    for read in [true, false] {
        let mut rig = HubRig::new(HubConfig::default());
        let other = rig.join(site(2), lineage());
        let id = RowId::Surrogate { site: site(2), counter: 1 };
        rig.say(other, &push(0, 1, &own("note", 2, 1, "theirs")));
        rig.rights = Rights { read, write: true, relay: true };
        rig.write_tables = Some(vec![]);
        let conn = rig.join(site(1), lineage());
        let mut change = row("note", id.clone(), "text", version(9, site(1)), "mine");
        change.tables[0].rows[0].life = Life::default();
        let heard = rig.say(conn, &push(0, 1, &change));
        let states = refused(&heard).states.as_ref().map(|states| states.open(1 << 20).unwrap());
        assert_eq!(states.is_some(), read);
        if let Some(states) = states {
            let row = &states.tables[0].rows[0];
            assert_eq!(
                (&row.id, row.life, &row.cells[0].value),
                (&id, Life::default(), &Value::text("theirs"))
            );
        }
        // Of a row whose life is refused everything is told.
        change.tables[0].rows[0].life = Life::died(version(9, site(1)));
        let heard = rig.say(conn, &push(0, 1, &change));
        if let Some(states) = &refused(&heard).states {
            assert_eq!(states.open(1 << 20).unwrap().tables[0].rows[0].life, Life::born(version(1, site(2))));
        }
    }
}

#[test]
fn who_may_only_bring_its_own_does_not_speak_for_others() {
    let mut rig = HubRig::new(HubConfig::default());
    let victim = rig.join(site(2), lineage());
    rig.say(victim, &push(0, 1, &own("note", 2, 1, "theirs")));
    let known = RowId::Surrogate { site: site(2), counter: 1 };
    rig.rights = OWN;
    let conn = rig.join(site(1), lineage());
    let share = ShareName { column: "n", merge: MergeType::Counter, site: site(2) }.to_string();
    let fresh = RowId::Surrogate { site: site(1), counter: 1 };
    for forged in [
        // A write of somebody else, in any row; also one that changes nothing, but is later than what that site is
        // known to have written.
        row("note", fresh.clone(), "text", version(5, site(2)), "forged"),
        row("note", known.clone(), "text", version(5, site(2)), "forged"),
        // A row that somebody else would have named so.
        row(
            "note",
            RowId::Surrogate { site: site(2), counter: 1 << 40 },
            "text",
            version(5, site(1)),
            "forged",
        ),
        // What somebody else added to a counter.
        row("note", fresh, &share, version(5, site(1)), "forged"),
    ] {
        let heard = rig.say(conn, &push(0, 1, &forged));
        assert_eq!(reason(&heard).0, RefusalReason::Relay, "{forged:?}");
    }
    // Later than all that it wrote, and yet it would lose.
    let mut late = row("note", known.clone(), "text", version(5, site(2)), "forged");
    rig.say(victim, &push(1, 2, &row("note", known, "text", version(3, site(2)), "theirs")));
    rig.rights = Rights::ALL;
    let third = rig.join(site(3), lineage());
    let over = RowId::Surrogate { site: site(2), counter: 1 };
    rig.say(third, &push(0, 1, &row("note", over, "text", version(90, site(3)), "a third's")));
    late.tables[0].rows[0].life = Life::default();
    let heard = rig.say(conn, &push(0, 1, &late));
    assert_eq!(reason(&heard).0, RefusalReason::Relay);

    // The victim has nothing to wonder about: nobody knows more of it than it has said.
    let conn = rig.open();
    let heard = rig.say(conn, &Message::Hello(hello(site(2), lineage())));
    let Message::Welcome(welcome) = &heard[0] else { panic!("{heard:?}") };
    let known = welcome.holding.knowledge;
    assert_eq!((known.counter, known.hlc), (1, version(3, site(2)).hlc));
}

#[test]
fn what_the_hub_has_is_no_change() {
    let mut rig = HubRig::new(HubConfig::default());
    let other = rig.join(site(2), lineage());
    let theirs = own("note", 2, 1, "theirs");
    rig.say(other, &push(0, 1, &theirs));
    let rights = [(OWN, None), (Rights::ALL, Some(vec!["todo"])), (Rights { write: false, ..OWN }, None)];
    for (n, (rights, tables)) in (10..).zip(rights) {
        (rig.rights, rig.write_tables) = (rights, tables);
        let conn = rig.join(site(n), lineage());
        assert_eq!(rig.say(conn, &push(0, 1, &theirs)), [ack(1)], "{rights:?}");
    }
}

#[test]
fn who_knows_no_refusals_is_told_that_it_may_not() {
    let mut rig = HubRig::new(HubConfig::default());
    rig.write_tables = Some(vec!["note"]);
    let conn = rig.join_with(Hello { protocol: 2, ..hello(site(1), lineage()) });
    assert_eq!(rig.say(conn, &push(0, 1, &own("note", 1, 1, "good"))), [ack(1)]);
    let heard = rig.say(conn, &push(1, 2, &own("secret", 1, 2, "bad")));
    let Some(Message::Error(error)) = heard.last() else { panic!("{heard:?}") };
    assert_eq!(error.code, ErrorCode::Forbidden);
    assert!(error.message.contains("tables"), "{error}");
}

/// A device that a hub let in, and what it pushed.
fn let_in(store: MemoryStore) -> (SessionRig, Push) {
    let mut rig = SessionRig::connect(store);
    let heard = rig.say(&Message::Welcome(welcome(site(200), site(2))));
    let pushed = heard.into_iter().find_map(|message| match message {
        Message::Push(push) | Message::PushSeen(PushSeen { push, .. }) => Some(push),
        _ => None,
    });
    (rig, pushed.expect("a push"))
}

fn error(rig: &SessionRig) -> ErrorCode {
    match &rig.closed {
        Some(SessionEnd::WeFailed(error)) => error.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refusal_of_what_was_not_pushed_is_out_of_place() {
    for from in [at(5), Cursor::at(0, Stamp(9))] {
        let (mut rig, _) = let_in(MemoryStore::device(site(2), Stamp(1)));
        rig.say(&Message::Refused(Refused { from, refusals: Vec::new(), states: None }));
        assert_eq!(error(&rig), ErrorCode::BadMessage);
    }
}

#[test]
fn a_guest_cannot_refuse() {
    let row = own("note", 1, 1, "by the back door");
    let states = Some(Body::seal(&row, false));
    let refused = Message::Refused(Refused { from: Cursor::ZERO, refusals: Vec::new(), states });
    let mut rig = HubRig::new(HubConfig::default());
    rig.rights = Rights { read: true, write: false, relay: false };
    let conn = rig.join(site(1), lineage());
    let heard = rig.say(conn, &refused);
    assert!(
        matches!(heard.as_slice(), [Message::Error(error)] if error.code == ErrorCode::BadMessage),
        "{heard:?}"
    );
    assert_eq!(tables(&rig), Vec::<String>::new());

    let mut rig = SessionRig::accept(MemoryStore::device(site(2), Stamp(1)));
    rig.say(&Message::Hello(hello(site(1), lineage())));
    rig.say(&refused);
    assert_eq!(error(&rig), ErrorCode::BadMessage);
    assert!(rig.store.rows(&scope()).is_empty());
}

#[test]
fn what_stands_in_a_refused_rows_place_is_not_of_the_future() {
    let (mut rig, pushed) = let_in(MemoryStore::device(site(2), Stamp(1)));
    let late = row(
        "note",
        RowId::Surrogate { site: site(3), counter: 1 },
        "text",
        version(300_001, site(3)),
        "late",
    );
    let states = Some(Body::seal(&late, false));
    rig.say(&Message::Refused(Refused { from: pushed.from, refusals: Vec::new(), states }));
    assert_eq!(error(&rig), ErrorCode::ClockAhead);
    assert!(rig.store.rows(&scope()).is_empty());
}

#[test]
fn a_device_takes_out_what_is_refused_and_pushes_the_rest() {
    let mut store = MemoryStore::device(site(2), Stamp(1));
    store.write(&scope(), WALL, |tx| {
        tx.insert("note", &[("text", Value::text("good"))]);
        tx.insert("secret", &[("text", Value::text("bad"))]);
    });
    let (mut rig, pushed) = let_in(store);
    let mut parts = pushed.body.open(1 << 20).unwrap();
    parts.tables.retain(|table| table.name == "secret");
    let refusals = vec![Refusal { reason: RefusalReason::Table.into(), parts: Body::seal(&parts, false) }];
    let refused = Refused { from: pushed.from.clone(), refusals, states: Some(Body::Empty) };
    let heard = rig.say(&Message::Refused(refused.clone()));
    let again = pair::talk::pushes(heard);
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0].from, again[0].last), (&pushed.from, true));
    assert_eq!(again[0].body.open(1 << 20).unwrap().tables[0].name, "note");
    assert_eq!(again[0].body.open(1 << 20).unwrap().tables.len(), 1);
    assert!(!rig.store.rows(&scope()).contains_key("secret"));
    assert_eq!(rig.store.refused(&scope())[0].parts.tables[0].rows[0].cells[0].value, Value::text("bad"));
    // A late echo of the refusal speaks of parts that are out already.
    let heard = rig.say(&Message::Refused(refused));
    assert_eq!(pair::talk::pushes(heard).len(), 1);
    assert_eq!(rig.store.refused(&scope()).len(), 1);
}

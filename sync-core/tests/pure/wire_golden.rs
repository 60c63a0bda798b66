//! The wire format, pinned: files that every build must write the same and read the same.
//!
//! A failure here means that this build does not understand the ones in the field. If the format
//! was changed on purpose: give it a new number (the first byte of a changeset, or
//! `wire::PROTOCOL` for messages), keep reading the old one as long as it is in use, describe it
//! in `docs/changeset-format.md`, and write the files anew with
//! `POCKETSYNC_WRITE_GOLDEN=1 cargo test -p pocketsync-core --test pure wire_golden`.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::conflict::{Seen, SeenStep};
use pocketsync_core::id::{RowId, Scope, SiteId};
use pocketsync_core::lineage::{Cursor, Incarnation, Lineage, Stamp};
use pocketsync_core::merge::Life;
use pocketsync_core::store::{Holding, Knowledge};
use pocketsync_core::value::Value;
use pocketsync_core::wire::frame::{Assembler, cut};
use pocketsync_core::wire::{
    Ack, Body, EarlyPush, ErrorCode, Hello, Message, Push, PushSeen, Refusal, Refused, Welcome, WireError,
};

const A: SiteId = SiteId::from_bytes([0xa1; 16]);
const B: SiteId = SiteId::from_bytes([0xb2; 16]);

fn at(ms: u64, counter: u64, site: SiteId) -> Version {
    Version::new(Hlc::from_bits(Hlc::from_ms(1_700_000_000_000 + ms).bits() + counter), site)
}

fn table(name: &str, columns: &[&str], rows: Vec<RowChange>) -> TableChanges {
    TableChanges {
        name: name.to_owned(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        rows,
    }
}

fn row<const N: usize>(id: RowId, life: Life, cells: [(u32, Version, Value); N]) -> RowChange {
    let cell = |(column, version, value)| CellChange { column, version, value };
    RowChange { id, life, cells: cells.map(cell).into() }
}

fn surrogate(site: SiteId, counter: u64) -> RowId {
    RowId::Surrogate { site, counter }
}

fn natural<const N: usize>(key: [Value; N]) -> RowId {
    RowId::Natural(key.into())
}

fn refers_to(id: RowId) -> Value {
    Value::Ref(Box::new(id))
}

fn uuid(last: u8) -> Value {
    Value::text(&format!("0192d4e0-7b5a-7cc3-98f1-0123456789{last:02x}"))
}

/// The example that the document explains byte by byte.
fn example() -> Changeset {
    let (v, w) = (at(0, 0, A), at(250, 0, A));
    let note = |counter, title: &str, done| {
        let cells = [(0, v, Value::text(title)), (1, v, Value::Integer(done))];
        row(surrogate(A, counter), Life::born(v), cells)
    };
    let notes = vec![
        note(5, "Milk", 0),
        note(6, "Bread", 1),
        row(surrogate(A, 2), Life::default(), [(1, w, Value::Integer(1))]),
        row(surrogate(B, 300), Life::died(w), []),
    ];
    let tagged = row(natural([uuid(0xab), refers_to(surrogate(A, 5))]), Life::born(w), []);
    Changeset { tables: vec![table("note", &["title", "done"], notes), table("tagged", &[], vec![tagged])] }
}

fn values() -> Changeset {
    let v = at(1, 2, A);
    let integers = [
        0,
        1,
        -1,
        -16,
        -17,
        79,
        80,
        8271,
        8272,
        -128,
        -129,
        32_767,
        32_768,
        -8_388_608,
        1 << 31,
        1 << 39,
        1 << 47,
        1 << 55,
        i64::MAX,
        i64::MIN,
    ];
    let reals =
        [0.0, -0.0, 1.0, -300.0, 0.1, 9_007_199_254_740_992.0, 1e300, f64::INFINITY, f64::NEG_INFINITY];
    let others = [
        Value::Null,
        Value::text(""),
        Value::text("Grüße"),
        Value::text(&"x".repeat(63)),
        Value::text(&"y".repeat(200)),
        Value::Text(b"\xff\xfe not UTF-8".to_vec()),
        uuid(1),
        Value::text("0192D4E0-7B5A-7CC3-98F1-012345678901"),
        Value::Blob(vec![]),
        Value::Blob(vec![0, 1, 2, 255]),
        refers_to(surrogate(A, 7)),
        refers_to(surrogate(B, u64::MAX)),
        refers_to(surrogate(A, 3)),
        refers_to(RowId::Genesis([9; 16])),
        refers_to(natural([Value::Integer(4), refers_to(natural([uuid(2)]))])),
        Value::Dangling(Box::new(Value::Integer(404))),
        Value::Dangling(Box::new(Value::text("nobody"))),
    ];
    let all = integers.map(Value::Integer).into_iter().chain(reals.map(Value::Real)).chain(others);
    let rows = all.zip(1..).map(|(value, n)| row(surrogate(A, n), Life::default(), [(0, v, value)]));
    Changeset { tables: vec![table("value", &["v"], rows.collect())] }
}

fn ids_and_lives() -> Changeset {
    let (u, v, w) = (at(0, 0, A), at(5, 0, B), at(5, 9, A));
    let genesis = Version::GENESIS;
    let end = Version::new(Hlc::MAX, SiteId::from_bytes([0xff; 16]));
    let life = |born, died, undone| Life { born, died, undone };
    let rows = vec![
        row(surrogate(A, 1), life(Some(u), None, None), []),
        row(surrogate(A, 2), life(None, Some(v), None), []),
        row(surrogate(A, 300), life(None, None, Some(v)), []),
        row(surrogate(B, 40), life(Some(u), Some(v), None), []),
        row(surrogate(A, 299), life(Some(u), None, Some(w)), []),
        row(surrogate(A, u64::MAX), life(None, Some(w), Some(v)), []),
        row(surrogate(A, 0), life(Some(u), Some(v), Some(w)), []),
        row(RowId::Genesis([6; 16]), life(Some(genesis), None, None), []),
        row(natural([]), life(Some(end), None, None), []),
        row(natural([Value::text("key")]), life(None, Some(u), None), []),
        row(natural([Value::Integer(1), Value::Null]), life(None, None, None), []),
    ];
    Changeset { tables: vec![table("", &[], rows)] }
}

/// A table of more than eight columns, and cells with versions of their own.
fn columns_and_versions() -> Changeset {
    let (u, v, w) = (at(0, 0, A), at(7000, 0, B), at(7000, 1, B));
    let names: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let cell = |column: u32, version| (column, version, Value::Integer(i64::from(column)));
    let full: [_; 20] = std::array::from_fn(|n| cell(n as u32, if n % 9 == 4 { w } else { u }));
    let rows = vec![
        row(surrogate(A, 1), Life::born(u), full.clone()),
        row(surrogate(A, 2), Life::born(u), full),
        row(surrogate(A, 3), Life::default(), [cell(3, v)]),
        row(surrogate(A, 4), Life::default(), [cell(3, v)]),
        row(surrogate(A, 5), Life::default(), [cell(0, v), cell(8, w), cell(19, v)]),
        row(surrogate(A, 6), Life::default(), [cell(1, v), cell(2, v), cell(3, u), cell(9, v), cell(17, w)]),
        row(surrogate(A, 9), Life::died(w), []),
    ];
    let narrow = vec![row(surrogate(A, 10), Life::born(w), [cell(0, u), cell(7, w)])];
    Changeset { tables: vec![table("wide", &names, rows), table("narrow", &names[..8], narrow)] }
}

fn lineage() -> Lineage {
    let opened = |first_seq, stamp| Incarnation { first_seq, stamp: Stamp(stamp) };
    Lineage::new(vec![opened(1, 0x1111), opened(500, u64::MAX)])
}

fn cursor() -> Cursor {
    Cursor { within: vec![1, 2, 3], ..Cursor::at(700, Stamp(u64::MAX)) }
}

fn holding() -> Holding {
    let knowledge = Knowledge { counter: 12_345, hlc: at(0, 3, B).hlc };
    Holding { replica: B, cursor: Cursor::at(9, Stamp(0x2222)), lineage: lineage(), knowledge }
}

fn push(body: Body) -> Message {
    Message::Push(Push { from: Cursor::at(699, Stamp(u64::MAX)), to: cursor(), last: false, body })
}

/// A push of a sender that says what it knew.
fn push_seen() -> Message {
    let mut seen = Seen::default();
    seen.push(SeenStep { until: at(0, 0, A).hlc, position: None, peers: Vec::new() });
    seen.push(SeenStep { until: at(5, 9, A).hlc, position: Some(0), peers: vec![(B, at(0, 3, B).hlc)] });
    seen.push(SeenStep { until: Hlc::MAX, position: Some(5000), peers: vec![(B, at(0, 3, B).hlc)] });
    let Message::Push(push) = push(Body::seal(&example(), false)) else { unreachable!() };
    Message::PushSeen(PushSeen { seen, push })
}

/// A push along with an introduction.
fn early() -> Message {
    let Message::PushSeen(informed) = push_seen() else { unreachable!() };
    let offered = Knowledge { counter: 7, hlc: at(5, 9, A).hlc };
    Message::Early(EarlyPush { peer: B, offered, informed })
}

/// What is said of a push with changes that its sender may not make.
fn refused() -> Message {
    let (v, w) = (at(0, 0, A), at(250, 0, A));
    let parts = vec![row(surrogate(A, 5), Life::born(v), [(0, v, Value::Null)])];
    let parts = Changeset { tables: vec![table("note", &["title"], parts)] };
    let states = vec![row(surrogate(A, 5), Life::died(w), [])];
    let states = Changeset { tables: vec![table("note", &[], states)] };
    Message::Refused(Refused {
        from: cursor(),
        refusals: vec![Refusal { reason: 2, parts: Body::seal(&parts, false) }],
        states: Some(Body::seal(&states, false)),
    })
}

fn messages() -> Vec<(&'static str, Message)> {
    let hello = Hello {
        protocol: 3,
        min_protocol: 1,
        scope: Scope::new("team-7").unwrap(),
        token: Some("secret".to_owned()),
        site: A,
        lineage: lineage(),
        head: Cursor::at(700, Stamp(u64::MAX)),
        holdings: vec![holding(), Holding::none(SiteId::NIL)],
        max_frame_bytes: 1 << 20,
        window_bytes: 4 << 20,
        compression: true,
        wall_ms: 1_700_000_000_123,
    };
    let welcome = Welcome {
        protocol: 1,
        site: B,
        lineage: Lineage::default(),
        head: Cursor::ZERO,
        holding: holding(),
        resumes: cursor(),
        max_frame_bytes: 256,
        window_bytes: 65_536,
        compression: false,
        wall_ms: 1_700_000_000_456,
        max_drift_ms: 60_000,
        keeps_time: true,
    };
    let error = WireError {
        code: ErrorCode::Overloaded,
        message: "come back later".to_owned(),
        retry_after_ms: Some(1500),
    };
    vec![
        ("hello", Message::Hello(hello)),
        ("welcome", Message::Welcome(welcome)),
        ("push", push(Body::seal(&example(), false))),
        ("push-empty", push(Body::Empty)),
        ("push-seen", push_seen()),
        ("refused", refused()),
        ("early", early()),
        ("ack", Message::Ack(Ack { cursor: cursor() })),
        ("error", Message::Error(error)),
        ("ping", Message::Ping(300)),
        ("pong", Message::Pong(0)),
        ("bye", Message::Bye),
    ]
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/golden").join(name).with_extension("bin")
}

/// Compares with the file, and returns what it holds.
fn golden(name: &str, bytes: &[u8]) -> Vec<u8> {
    if std::env::var_os("POCKETSYNC_WRITE_GOLDEN").is_some() {
        std::fs::write(path(name), bytes).unwrap();
    }
    let pinned = std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(hex(&pinned), hex(bytes), "the bytes of {name} changed; see the top of this file");
    pinned
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn changesets_are_written_and_read_as_ever() {
    for (name, changeset) in [
        ("changeset-empty", Changeset::default()),
        ("changeset-example", example()),
        ("changeset-values", values()),
        ("changeset-ids-and-lives", ids_and_lives()),
        ("changeset-columns-and-versions", columns_and_versions()),
    ] {
        let pinned = golden(name, &changeset.encode());
        assert_eq!(Changeset::decode(&pinned).unwrap(), changeset, "{name}");
    }
}

#[test]
fn messages_are_written_and_read_as_ever() {
    for (name, message) in messages() {
        let frames = cut(&message, 1 << 20);
        let pinned = golden(&format!("frame-{name}"), &frames[0]);
        assert_eq!(Assembler::new(1 << 20).push(pinned.into()).unwrap(), Some(message), "{name}");
    }
}

#[test]
fn frames_are_cut_as_ever() {
    let message = push(Body::seal(&values(), false));
    let frames = cut(&message, 256);
    assert!(frames.len() > 2);
    // All but the last are full, so the file needs no marks between them.
    let pinned = Bytes::from(golden("frames-of-256", &frames.concat()));
    let mut assembler = Assembler::new(1 << 20);
    let mut pieces = pinned.chunks(256).map(|frame| assembler.push(pinned.slice_ref(frame)).unwrap());
    assert_eq!(pieces.by_ref().take(frames.len() - 1).flatten().count(), 0);
    assert_eq!(pieces.next(), Some(Some(message)));
}

/// Compressors differ, so only the reading is pinned.
#[test]
fn a_compressed_body_is_read_as_ever() {
    if std::env::var_os("POCKETSYNC_WRITE_GOLDEN").is_some() {
        let Body::Lz4(bytes) = Body::seal(&values(), true) else { panic!("it pays to compress this") };
        std::fs::write(path("body-lz4"), bytes).unwrap();
    }
    let body = Body::Lz4(std::fs::read(path("body-lz4")).unwrap().into());
    assert_eq!(body.open(1 << 20).unwrap(), values());
}

/// The document spells out the example's bytes; they are the real ones.
#[test]
fn the_documented_example_is_the_real_one() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/changeset-format.md");
    let document = std::fs::read_to_string(document).unwrap();
    let (_, rest) = document.split_once("```hex\n").expect("the example is a block of hex");
    let (block, _) = rest.split_once("```").unwrap();
    let digits =
        |line: &str| line.split('|').next().unwrap_or_default().split_whitespace().collect::<String>();
    let documented: String = block.lines().map(digits).collect();
    assert_eq!(documented, hex(&example().encode()));
}

//! Values, columns and tables that travel unchanged, whether or not they can be shown.

use crate::changes;
use crate::device;

use crate::changes::{
    Peer, apply_chunks, at, change, changeset, insert, int, natural, parked, rows, surrogate, text, to,
};
use crate::device::Device;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::rusqlite::types::ValueRef;
use pocketsync_core::store::sqlite::system::AsideReason;
use pocketsync_core::store::sqlite::{extract, park, refs};
use pocketsync_core::store::{ChunkOutcome, STAGING_BYTES};
use pocketsync_core::value::Value;

const ANY: &str = "CREATE TABLE thing(id INTEGER PRIMARY KEY, v)";

/// What the device would tell a peer of a row: its cells by name.
fn told(device: &mut Device, id: &pocketsync_core::id::RowId) -> Vec<(String, Value)> {
    let extracted = device
        .engine
        .write(|engine| extract::run(engine, changes::site(99), &Cursor::ZERO, 1 << 20))
        .unwrap();
    let mut cells = Vec::new();
    for table in &extracted.changeset.tables {
        for row in table.rows.iter().filter(|row| row.id == *id) {
            let named = |cell: &pocketsync_core::change::CellChange| {
                (table.columns[cell.column as usize].clone(), cell.value.clone())
            };
            cells.extend(row.cells.iter().map(named));
        }
    }
    cells.sort_by(|a, b| a.0.cmp(&b.0));
    cells
}

#[test]
fn values_come_through_to_the_bit() {
    let values = [
        Value::Null,
        int(i64::MAX),
        int(i64::MIN),
        int((1 << 53) + 1),
        Value::Real(0.1),
        Value::Real(1.0),
        Value::Real(-0.0),
        Value::Real(f64::INFINITY),
        Value::Real(f64::NEG_INFINITY),
        Value::Real(5e-324),
        Value::Real(1e300),
        text(""),
        text("1"),
        Value::Text(b"\xff\x00not UTF-8".to_vec()),
        Value::Blob(Vec::new()),
        Value::Blob(vec![0, 1, 255]),
    ];
    let mut device = Device::new(ANY);
    let mut peer = Peer::new(1);
    for (n, value) in values.iter().enumerate() {
        let id = surrogate(1, n as u64 + 1);
        let row = insert("thing", &id, at(10, 1), &[("id", int(n as i64)), ("v", value.clone())]);
        peer.send(&mut device, &[row]);
        let shown = device.app.query_row("SELECT v FROM thing WHERE id = ?1", [n as i64], |row| {
            Ok(match row.get_ref(0)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(integer) => Value::Integer(integer),
                ValueRef::Real(real) => Value::Real(real),
                ValueRef::Text(bytes) => Value::Text(bytes.to_vec()),
                ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
            })
        });
        assert_eq!(shown.unwrap(), *value);
        assert_eq!(told(&mut device, &id)[1].1, *value, "what others are told is what was merged");
    }
}

#[test]
fn what_affinity_changes_is_kept_as_it_was_merged() {
    let schema = "CREATE TABLE thing(id INTEGER PRIMARY KEY, i INTEGER, t TEXT, r REAL, n NUMERIC, b BLOB)";
    let mut device = Device::new(schema);
    let id = surrogate(1, 1);
    let cells = [
        ("b", text("1")),
        ("i", text("1")),
        ("id", int(1)),
        ("n", Value::Real(2.0)),
        ("r", int(3)),
        ("t", int(4)),
    ];
    let mut peer = Peer::new(1);
    let row = insert("thing", &id, at(10, 1), &cells);
    peer.send(&mut device, std::slice::from_ref(&row));
    assert_eq!(
        rows(&device, "SELECT typeof(i), typeof(t), typeof(r), typeof(n), typeof(b) FROM thing"),
        ["integer|text|real|integer|text"]
    );
    let expected: Vec<_> = cells.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    assert_eq!(told(&mut device, &id), expected);
    assert_eq!(peer.send(&mut device, &[row]), None, "the same again is no news");
    // A local write is what counts then, and a remote one that is shown as it is.
    device.sql("UPDATE thing SET i = 7");
    device.fold();
    peer.send(&mut device, &[change("thing", &id).set("t", at(20, 1), text("4"))]);
    let shadows = refs::shadows(&device.engine, device.table("thing"), &id).unwrap();
    assert_eq!(shadows.len(), 2, "{shadows:?}");
    assert_eq!(told(&mut device, &id)[1].1, int(7));
}

#[test]
fn rows_of_an_unknown_table_are_kept_and_handed_on() {
    let mut device = Device::new(ANY);
    let id = natural([text("k")]);
    let mut peer = Peer::new(1);
    peer.send(&mut device, &[insert("later", &id, at(10, 1), &[("v", int(1)), ("w", int(2))])]);
    peer.send(&mut device, &[change("later", &id).set("v", at(20, 1), int(3))]);
    assert_eq!(parked(&device), ["later|unknown table"]);
    assert_eq!(told(&mut device, &id), [("v".to_owned(), int(3)), ("w".to_owned(), int(2))]);
    peer.send(&mut device, &[change("later", &id).died(at(30, 1))]);
    assert_eq!(parked(&device), [""; 0]);
}

#[test]
fn values_of_an_unknown_column_are_kept_and_shown_when_it_is_there() {
    let mut device = Device::new(ANY);
    let id = surrogate(1, 1);
    let mut peer = Peer::new(1);
    peer.send(
        &mut device,
        &[insert("thing", &id, at(10, 1), &[("id", int(1)), ("v", int(1)), ("w", int(5))])],
    );
    assert_eq!(rows(&device, "SELECT * FROM thing"), ["1|1"]);
    // It stays with the row while that goes and comes, and other columns change.
    peer.send(&mut device, &[change("thing", &id).set("v", at(20, 1), int(2))]);
    device.sql("UPDATE thing SET v = 3");
    device.fold();
    let cells: Vec<_> = told(&mut device, &id);
    assert_eq!(cells[1..], [("v".to_owned(), int(3)), ("w".to_owned(), int(5))]);
    peer.send(&mut device, &[change("thing", &id).set("w", at(30, 1), int(6))]);
    device.sql("ALTER TABLE thing ADD COLUMN w");
    reload(&mut device);
    device.engine.write(park::retry).unwrap();
    assert_eq!(rows(&device, "SELECT * FROM thing"), ["1|3|6"]);
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_shadow"), 0);
    assert_eq!(told(&mut device, &id)[2], ("w".to_owned(), int(6)));
}

/// Reads the changed schema, as every write of the engine begins.
fn reload(device: &mut Device) {
    use pocketsync_core::store::sqlite::tracking::{Tables, track};
    track(&mut device.engine, &Tables::all()).unwrap();
}

#[test]
fn parked_rows_are_shown_when_their_table_is_there() {
    let mut device = Device::new(ANY);
    let mut peer = Peer::new(1);
    let row = |n: u64, name: &str| {
        let cells = [("id", int(n as i64)), ("name", text(name))];
        insert("late", &surrogate(1, n), at(n, 1), &cells)
    };
    peer.send(&mut device, &[row(1, "a"), row(2, "b"), row(3, "a")]);
    device.sql("CREATE TABLE late(id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
    reload(&mut device);
    device.engine.write(park::retry).unwrap();
    assert_eq!(rows(&device, "SELECT * FROM late"), ["1|a", "2|b"]);
    assert_eq!(parked(&device), ["late|unique claim"]);
    peer.send(&mut device, &[change("late", &surrogate(1, 1)).died(at(50, 1))]);
    assert_eq!(rows(&device, "SELECT * FROM late"), ["2|b", "3|a"]);
}

#[test]
fn a_row_that_its_table_refuses_is_parked_and_blocks_nobody() {
    let schema = "CREATE TABLE span(id INTEGER PRIMARY KEY, a INT, b INT, name TEXT UNIQUE, CHECK(a < b))";
    let mut device = Device::new(schema);
    let mut peer = Peer::new(1);
    let span = |n: u64, a, b, name: &str| {
        let cells = [("id", int(n as i64)), ("a", int(a)), ("b", int(b)), ("name", text(name))];
        insert("span", &surrogate(1, n), at(n, 1), &cells)
    };
    peer.send(&mut device, &[span(1, 1, 10, "x"), span(2, 5, 4, "y"), span(3, 1, 2, "y")]);
    // The refused row does not claim its key, though it is older.
    assert_eq!(rows(&device, "SELECT id FROM span ORDER BY id"), ["1", "3"]);
    assert_eq!(parked(&device), ["span|refused"]);
    let detail = rows(&device, "SELECT detail FROM __pocketsync_parked").remove(0);
    assert!(detail.contains("span") && detail.contains("a < b"), "{detail}");
    // Each change was good where it was made.
    let first = surrogate(1, 1);
    peer.send(&mut device, &[change("span", &first).set("a", at(20, 1), int(5))]);
    peer.send(&mut device, &[change("span", &first).set("b", at(20, 2), int(3))]);
    assert_eq!(rows(&device, "SELECT id FROM span ORDER BY id"), ["3"]);
    assert_eq!(told(&mut device, &first)[..2], [("a".to_owned(), int(5)), ("b".to_owned(), int(3))]);
    peer.send(&mut device, &[change("span", &first).set("b", at(30, 1), int(6))]);
    assert_eq!(rows(&device, "SELECT id FROM span ORDER BY id"), ["1", "3"]);
    // The other one comes back as the older one, and has the key now.
    peer.send(&mut device, &[change("span", &surrogate(1, 2)).set("a", at(30, 1), int(0))]);
    assert_eq!(rows(&device, "SELECT id FROM span ORDER BY id"), ["1", "2"]);
    assert_eq!(parked(&device), ["span|unique claim"]);
}

#[test]
fn a_hidden_row_that_would_be_refused_does_not_claim() {
    let schema = "CREATE TABLE box(id INTEGER PRIMARY KEY);
        CREATE TABLE item(id INTEGER PRIMARY KEY, box INT REFERENCES box, n INT CHECK(n > 0), name TEXT UNIQUE)";
    let mut device = Device::new(schema);
    let item = |n: u64, of: Value, count: i64| {
        let cells = [("id", int(n as i64)), ("box", of), ("n", int(count)), ("name", text("a"))];
        insert("item", &surrogate(1, n), at(n, 1), &cells)
    };
    let missing = Value::Ref(Box::new(surrogate(9, 9)));
    Peer::new(1).send(&mut device, &[item(1, missing, 0), item(2, Value::Null, 1)]);
    assert_eq!(rows(&device, "SELECT id FROM item"), ["2"]);
    assert_eq!(parked(&device), ["item|refused"]);
}

#[test]
fn not_null_and_strict_types_are_respected() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT NOT NULL, s TEXT) STRICT";
    let mut device = Device::new(schema);
    let mut peer = Peer::new(1);
    peer.send(
        &mut device,
        &[
            insert("t", &surrogate(1, 1), at(1, 1), &[("id", int(1)), ("n", Value::Null)]),
            insert("t", &surrogate(1, 2), at(1, 1), &[("id", int(2)), ("n", text("no number"))]),
            insert("t", &surrogate(1, 3), at(1, 1), &[("id", int(3)), ("s", text("no n"))]),
            insert("t", &surrogate(1, 4), at(1, 1), &[("id", int(4)), ("n", int(4))]),
        ],
    );
    assert_eq!(rows(&device, "SELECT id FROM t"), ["4"]);
    assert_eq!(parked(&device), ["t|refused", "t|refused", "t|refused"]);
    peer.send(&mut device, &[change("t", &surrogate(1, 3)).set("n", at(2, 1), int(3))]);
    assert_eq!(rows(&device, "SELECT id FROM t"), ["3", "4"]);
}

#[test]
fn an_id_of_another_kind_is_refused_and_kept() {
    let mut device = Device::new(ANY);
    let id = natural([text("k")]);
    Peer::new(1).send(&mut device, &[insert("thing", &id, at(10, 1), &[("v", int(1))])]);
    assert_eq!(parked(&device), ["thing|refused"]);
    assert_eq!(device.aside("thing", &id).unwrap().0, AsideReason::Refused);
}

#[test]
fn a_row_with_a_null_in_its_key_is_known_by_an_id() {
    let mut device = Device::new("CREATE TABLE pair(a INT, b INT, v INT, PRIMARY KEY(a, b))");
    let mut peer = Peer::new(1);
    let pair = |n: u64, v| {
        let cells = [("a", int(1)), ("b", Value::Null), ("v", int(v))];
        insert("pair", &surrogate(1, n), at(10, 1), &cells)
    };
    peer.send(
        &mut device,
        &[pair(1, 1), pair(2, 2), insert("pair", &natural([int(1), int(2)]), at(1, 1), &[])],
    );
    peer.send(&mut device, &[change("pair", &surrogate(1, 2)).set("v", at(20, 1), int(7))]);
    assert_eq!(rows(&device, "SELECT * FROM pair ORDER BY v"), ["1|2|NULL", "1|NULL|1", "1|NULL|7"]);
    peer.send(&mut device, &[change("pair", &surrogate(1, 1)).died(at(20, 1))]);
    assert_eq!(rows(&device, "SELECT * FROM pair ORDER BY v"), ["1|2|NULL", "1|NULL|7"]);
}

#[test]
fn a_group_is_staged_until_it_is_complete() {
    let mut device = Device::new(ANY);
    let mut peer = Peer::new(1);
    let thing = |n: u64| {
        changeset(&[insert("thing", &surrogate(1, n), at(10, 1), &[("id", int(n as i64)), ("v", int(0))])])
    };
    let first = peer.chunk(thing(1), false);
    let staged = peer.cursor();
    assert_eq!(apply_chunks(&mut device, vec![first]), [ChunkOutcome::Staged { held: staged.clone() }]);
    assert_eq!(device.number("SELECT count(*) FROM thing"), 0);
    device.reopen();
    let second = peer.chunk(thing(2), true);
    let third = peer.chunk(thing(3), true);
    assert_eq!(apply_chunks(&mut device, vec![third]), [ChunkOutcome::Gap { held: staged }]);
    let outcomes = apply_chunks(&mut device, vec![second]);
    assert!(matches!(&outcomes[..], [ChunkOutcome::Applied { committed: Some(_), .. }]), "{outcomes:?}");
    assert_eq!(device.number("SELECT count(*) FROM thing"), 2);
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_staging"), 0);
    assert_eq!(device.engine.meta.head, 1, "one log number for the group");
}

#[test]
fn a_group_that_is_too_large_is_merged_in_parts() {
    let mut device = Device::new(ANY);
    let mut peer = Peer::new(1);
    let large = |n: u64| {
        let blob = Value::Blob(vec![0; STAGING_BYTES / 2]);
        changeset(&[insert("thing", &surrogate(1, n), at(10, 1), &[("id", int(n as i64)), ("v", blob)])])
    };
    let catching_up = "SELECT catching_up FROM __pocketsync_peer";
    let chunk = peer.chunk(large(1), false);
    assert!(matches!(apply_chunks(&mut device, vec![chunk])[..], [ChunkOutcome::Staged { .. }]));
    let chunk = peer.chunk(large(2), false);
    assert!(matches!(apply_chunks(&mut device, vec![chunk])[..], [ChunkOutcome::Applied { .. }]));
    assert_eq!(device.number("SELECT count(*) FROM thing"), 2);
    assert_eq!(device.number(catching_up), 1);
    let chunk = peer.chunk(changeset(&[]), true);
    assert!(matches!(
        apply_chunks(&mut device, vec![chunk])[..],
        [ChunkOutcome::Applied { committed: None, .. }]
    ));
    assert_eq!(device.number(catching_up), 0);
}

/// What is referred to is a column that is NULL in the row: what is shown says nothing of it.
#[test]
fn a_reference_by_a_value_that_is_null_stays_a_reference() {
    let mut device = Device::new(
        "CREATE TABLE unit(id INTEGER PRIMARY KEY, code TEXT UNIQUE);
         CREATE TABLE part(id INTEGER PRIMARY KEY, code TEXT REFERENCES unit(code))",
    );
    let mut peer = Peer::new(1);
    let (unit, part) = (surrogate(1, 1), surrogate(1, 2));
    peer.send(&mut device, &[insert("unit", &unit, at(1, 1), &[("id", int(1)), ("code", Value::Null)])]);
    peer.send(&mut device, &[insert("part", &part, at(2, 1), &[("id", int(1)), ("code", to(&unit))])]);
    assert_eq!(rows(&device, "SELECT * FROM part"), ["1|NULL"]);
    let mut mirror = device::Mirror::default();
    mirror.follow(&mut device, usize::MAX);
    assert_eq!(mirror.rows[&("part".to_owned(), part)].cells["code"].value, to(&unit));
}

#[test]
fn rows_find_free_integers_where_the_largest_is_taken() {
    let mut device = Device::new("CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT)");
    let max = i64::MAX;
    device.sql(&format!("INSERT INTO note VALUES(1, 'a'), (2, 'b'), (3, 'c'), ({max}, 'max')"));
    device.fold();
    let note = |n: u64, text: &str| {
        insert("note", &surrogate(1, n), at(10, 1), &[("id", int(n as i64)), ("text", self::text(text))])
    };
    Peer::new(9).send(&mut device, &[note(1, "x"), note(2, "y"), note(3, "z")]);
    assert_eq!(rows(&device, "SELECT text FROM note ORDER BY text"), ["a", "b", "c", "max", "x", "y", "z"]);
    assert_eq!(parked(&device), [""; 0]);
}

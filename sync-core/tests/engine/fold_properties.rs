//! Random writes by an ordinary connection, with the real triggers: whatever happened, whenever it
//! was folded and however it was told, others see the rows that are there.

use std::collections::BTreeMap;

use crate::device::{Device, Mirror};
use pocketsync_core::id::RowId;
use pocketsync_core::value::Value;
use proptest::prelude::*;

const SCHEMA: &str = "
    CREATE TABLE folder(id INTEGER PRIMARY KEY, name TEXT UNIQUE COLLATE NOCASE, n INT DEFAULT 0);
    CREATE TABLE note(id INTEGER PRIMARY KEY AUTOINCREMENT, a, b, folder INT REFERENCES folder(id)
      ON UPDATE CASCADE ON DELETE SET NULL);
    CREATE TABLE pair(x INT NOT NULL REFERENCES folder(id) ON UPDATE CASCADE ON DELETE CASCADE,
      y TEXT NOT NULL, v, PRIMARY KEY(x, y)) WITHOUT ROWID;
    CREATE TABLE loose(k, l, v, PRIMARY KEY(k, l));
    CREATE TABLE counted(id INTEGER PRIMARY KEY, folder INT, total INT);
    CREATE TRIGGER count_notes AFTER INSERT ON note BEGIN
      INSERT INTO counted(folder, total) VALUES(NEW.folder, 1);
      DELETE FROM counted WHERE id % 3 = 0; END;
    CREATE TRIGGER stamp AFTER UPDATE OF a ON note BEGIN UPDATE note SET b = 'stamped' WHERE id = NEW.id; END;";

/// One statement; some are refused by the schema, which is part of the game.
fn statement() -> impl Strategy<Value = String> {
    let key = || 1..8i64;
    let name = || prop::sample::select(vec!["'a'", "'A'", "'b'", "'c'", "NULL"]);
    let value = || prop::sample::select(vec!["1", "1.0", "'1'", "x'00'", "NULL", "'x'"]);
    let verb = || prop::sample::select(vec!["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE"]);
    let update = || prop::sample::select(vec!["UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE"]);
    prop_oneof![
        (verb(), key(), name()).prop_map(|(v, k, n)| format!("{v} INTO folder(id, name) VALUES({k}, {n})")),
        (update(), key(), key()).prop_map(|(u, k, to)| format!("{u} folder SET id = {to} WHERE id = {k}")),
        (update(), key(), name())
            .prop_map(|(u, k, n)| format!("{u} folder SET name = {n}, n = n + 1 WHERE id = {k}")),
        key().prop_map(|k| format!("DELETE FROM folder WHERE id = {k}")),
        Just("UPDATE folder SET id = -id".to_owned()),
        (verb(), key(), key()).prop_map(|(v, k, f)| format!(
            "{v} INTO note(id, a, folder) SELECT {k}, 'n', id FROM folder WHERE id <= {f} LIMIT 1"
        )),
        (verb(), value()).prop_map(|(v, a)| format!("{v} INTO note(a, b) VALUES({a}, 'b')")),
        (update(), key(), value()).prop_map(|(u, k, v)| format!("{u} note SET a = {v} WHERE id = {k}")),
        (update(), key(), key())
            .prop_map(|(u, k, to)| format!("{u} note SET id = {to}, b = 'moved' WHERE id = {k}")),
        key().prop_map(|k| format!("DELETE FROM note WHERE id >= {k} + 2")),
        (verb(), key(), name(), value()).prop_map(|(verb, x, y, v)| format!(
            "{verb} INTO pair SELECT id, coalesce({y}, 'z'), {v} FROM folder WHERE id = {x}"
        )),
        (update(), key(), name(), value())
            .prop_map(|(u, x, y, v)| format!("{u} pair SET y = coalesce({y}, 'z'), v = {v} WHERE x = {x}")),
        key().prop_map(|x| format!("DELETE FROM pair WHERE x = {x}")),
        (verb(), value(), name(), value())
            .prop_map(|(verb, k, l, v)| format!("{verb} INTO loose VALUES({k}, {l}, {v})")),
        (update(), value(), name())
            .prop_map(|(u, k, l)| format!("{u} loose SET k = {k}, v = v || 'x' WHERE l IS {l}")),
        (update(), value(), name()).prop_map(|(u, k, l)| format!("{u} loose SET l = {l} WHERE k IS {k}")),
        name().prop_map(|l| format!("DELETE FROM loose WHERE l IS {l}")),
    ]
}

/// A statement, and what happens after it: folded, told in pieces, or nothing yet.
#[derive(Clone, Copy, Debug)]
enum Then {
    GoOn,
    Fold,
    Tell(usize),
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![4 => Just(Then::GoOn), 2 => Just(Then::Fold), 1 => (1..400usize).prop_map(Then::Tell)]
}

fn device(enforced: bool) -> Device {
    let device = Device::new(SCHEMA);
    device.app.pragma_update(None, "foreign_keys", enforced).unwrap();
    device
}

type Identities = BTreeMap<(u32, i64), RowId>;

/// The ids of the rows with an integer key, as the clocks have them.
fn identities(device: &Device) -> Identities {
    let mut ids = Identities::new();
    for table in device.engine.catalog.tables.values().filter(|table| table.is_surrogate()) {
        let query = format!("SELECT id FROM {}", table.name);
        let mut statement = device.app.prepare(&query).unwrap();
        let keys = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        for key in keys.map(Result::unwrap) {
            let id = device.id(&table.name, key);
            ids.insert((table.no, key), id.unwrap_or_else(|| panic!("{} {key} has no id", table.name)));
        }
    }
    ids
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn others_see_what_is_there(enforced in any::<bool>(), steps in prop::collection::vec((statement(), then()), 1..40)) {
        let mut device = device(enforced);
        let mut told = Mirror::default();
        for (statement, then) in steps {
            let _refused_or_not = device.app.execute_batch(&statement);
            match then {
                Then::GoOn => {}
                Then::Fold => {
                    let before = device.engine.meta.head;
                    let folded = device.fold();
                    prop_assert_eq!(device.engine.meta.head, before + i64::from(folded.is_some()));
                    let ids = identities(&device);
                    let distinct: std::collections::BTreeSet<_> = ids.iter().map(|((t, _), id)| (t, id)).collect();
                    prop_assert_eq!(distinct.len(), ids.len(), "an id twice");
                }
                Then::Tell(bytes) => { told.follow(&mut device, bytes); }
            }
        }
        // Whoever followed all the way, and whoever comes now.
        told.follow(&mut device, 100);
        told.assert_shows(&device);
        let mut fresh = Mirror::default();
        fresh.follow(&mut device, usize::MAX);
        fresh.assert_shows(&device);
        prop_assert_eq!(fresh.visible(), told.visible());
        for (row, state) in &fresh.rows {
            // The cells of past lives may be told or not: they are never visible.
            let mut followed = told.rows[row].clone();
            followed.cells.retain(|_, cell| followed.life.covers(cell.version));
            prop_assert_eq!(&followed, state);
        }
    }

    #[test]
    fn one_fold_or_many_show_the_same(enforced in any::<bool>(), steps in prop::collection::vec(statement(), 1..30)) {
        let (mut once, mut often) = (device(enforced), device(enforced));
        for statement in steps {
            let _refused_or_not = once.app.execute_batch(&statement);
            let _refused_or_not = often.app.execute_batch(&statement);
            often.fold();
        }
        let shown = |device: &mut Device| {
            let mut mirror = Mirror::default();
            mirror.follow(device, usize::MAX);
            mirror.assert_shows(device);
            // Ids differ from device to device. Without enforcement, what a reference to nothing
            // comes to mean later depends on whether anybody looked in between.
            let mut rows: Vec<(String, Vec<(String, Value)>)> = mirror
                .visible()
                .into_iter()
                .map(|((table, _), cells)| {
                    let plain = cells
                        .into_iter()
                        .filter(|(_, value)| !matches!(value, Value::Ref(_) | Value::Dangling(_)));
                    (table, plain.collect())
                })
                .collect();
            rows.sort();
            rows
        };
        prop_assert_eq!(shown(&mut once), shown(&mut often));
    }

    #[test]
    fn an_identity_stays_until_its_row_is_deleted(
        moves in prop::collection::vec((1..6i64, 1..6i64), 1..25),
        folds in prop::collection::vec(any::<bool>(), 25),
    ) {
        let mut device = Device::new("CREATE TABLE t(id INTEGER PRIMARY KEY, who INT)");
        device.sql("INSERT INTO t VALUES(1, 1), (2, 2), (3, 3)");
        device.fold();
        device.all_after(&pocketsync_core::lineage::Cursor::ZERO);
        let who: BTreeMap<i64, RowId> = (1..=3).map(|key| (key, device.id("t", key).unwrap())).collect();
        for ((from, to), fold) in moves.into_iter().zip(folds) {
            let _refused_or_not = device.app.execute("UPDATE t SET id = ?2 WHERE id = ?1", [from, to]);
            if fold {
                device.fold();
            }
        }
        device.fold();
        let mut statement = device.app.prepare("SELECT id, who FROM t").unwrap();
        let rows: Vec<(i64, i64)> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(rows.len(), 3);
        for (key, row) in rows {
            prop_assert_eq!(device.id("t", key), Some(who[&row].clone()));
        }
    }
}

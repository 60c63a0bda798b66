//! A replica: a database in memory, an application's plain connection to it, and an engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pocketsync_core::change::Changeset;
use pocketsync_core::clock::Version;
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::lineage::Cursor;
use pocketsync_core::merge::Life;
use pocketsync_core::rusqlite::config::DbConfig;
use pocketsync_core::rusqlite::{Connection, OpenFlags};
use pocketsync_core::store::sqlite::engine::Engine;
use pocketsync_core::store::sqlite::row_clock::expand_id;
use pocketsync_core::store::sqlite::system::quote;
use pocketsync_core::store::sqlite::tracking::{Tables, track};
use pocketsync_core::store::sqlite::{apply, extract, refs};
use pocketsync_core::store::{Chunk, ChunkOutcome};
use pocketsync_core::value::Value;

use crate::world::World;

static NEXT: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Replica {
    pub(crate) app: Connection,
    pub(crate) engine: Engine,
    /// How far others were read.
    held: BTreeMap<SiteId, Cursor>,
}

/// What a replica holds of a row: where it is, its life, and each cell's version and value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Held {
    pub(crate) place: String,
    pub(crate) life: Life,
    pub(crate) cells: BTreeMap<String, (Version, Value)>,
}

/// All that a replica holds, by table and identity.
pub(crate) type State = BTreeMap<(String, RowId), Held>;

/// Two replicas hold the same and show the same rows.
pub(crate) fn assert_same(left: &State, right: &State, when: &str) {
    let keys: Vec<&(String, RowId)> = left.keys().chain(right.keys()).collect();
    for key in keys {
        assert_eq!(left.get(key), right.get(key), "{when}: {} {}", key.0, key.1);
    }
}

impl Replica {
    /// The `n`th database of an input, with this schema, all of it tracked; `None` where SQLite or the engine refuses
    /// the schema.
    pub(crate) fn new(schema: &str, n: u8) -> Option<Self> {
        let uri = format!("file:/pocketsync-fuzz-{}?vfs=memdb", NEXT.fetch_add(1, Ordering::Relaxed));
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || Connection::open_with_flags(&uri, flags).expect("memory can be opened");
        let app = open();
        let world = World::of(n);
        world.rule(&app).expect("functions");
        app.execute_batch("PRAGMA foreign_keys = ON").expect("a pragma");
        app.execute_batch(schema).ok()?;
        let conn = open();
        world.rule(&conn).expect("functions");
        // As the engine opens a file.
        conn.execute_batch(
            "PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF; PRAGMA temp_store = MEMORY",
        )
        .expect("pragmas");
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).expect("a setting");
        conn.set_prepared_statement_cache_capacity(256);
        let mut engine = Engine::load(conn).expect("an empty file can be loaded");
        track(&mut engine, &Tables::all()).ok()?;
        Some(Replica { app, engine, held: BTreeMap::new() })
    }

    /// Takes everything that another replica has, in pieces of about so many bytes.
    pub(crate) fn pull(&mut self, from: &mut Replica, max_bytes: usize) {
        loop {
            let (site, peer) = (self.engine.site(), from.engine.site());
            let after = self.held.get(&peer).cloned().unwrap_or(Cursor::ZERO);
            let extracted = from.engine.write(|engine| extract::run(engine, site, &after, max_bytes));
            let extracted = extracted.expect("what was written can be extracted");
            // What goes over the wire is bytes.
            let changeset = Changeset::decode(&extracted.changeset.encode());
            assert_eq!(changeset.as_ref(), Ok(&extracted.changeset));
            let chunk = Chunk {
                peer,
                lineage: Arc::new(from.engine.lineage.clone()),
                from: after.clone(),
                to: extracted.to.clone(),
                last: extracted.last,
                changeset: extracted.changeset,
                seen: extracted.seen,
            };
            self.apply(vec![chunk]);
            assert!(extracted.last || extracted.to != after, "an extract without progress");
            self.held.insert(peer, extracted.to);
            if extracted.last {
                return;
            }
        }
    }

    /// Applies pieces that begin where the replica stands.
    pub(crate) fn apply(&mut self, chunks: Vec<Chunk>) {
        let wanted: Vec<Cursor> = chunks.iter().map(|chunk| chunk.to.clone()).collect();
        let outcomes =
            self.engine.write(|engine| apply::run(engine, chunks)).expect("a changeset can be applied");
        assert_eq!(outcomes.len(), wanted.len());
        for (outcome, to) in outcomes.iter().zip(wanted) {
            match outcome {
                ChunkOutcome::Staged { held } | ChunkOutcome::Applied { held, .. } => assert_eq!(*held, to),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The database is intact, and applying left no trace in the journal.
    pub(crate) fn check(&self) {
        let ok: String = self.app.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(ok, "ok");
        let journal = "SELECT count(*) FROM __pocketsync_journal";
        let journal: i64 = self.app.query_row(journal, [], |row| row.get(0)).expect("a journal");
        assert_eq!(journal, 0, "the engine's own writes are in the journal");
    }

    /// Whether a shown row refers to nothing.
    pub(crate) fn has_broken_references(&self) -> bool {
        let check = self.app.prepare("PRAGMA foreign_key_check");
        // A reference to columns that are not unique is the schema's own fault.
        check.and_then(|mut check| check.exists([])).unwrap_or(false)
    }

    /// The rows of every table, to the bit, in an order of their own.
    pub(crate) fn shown(&self) -> BTreeMap<String, Vec<Vec<Value>>> {
        let tables = self.engine.catalog.tables.values();
        tables
            .map(|table| {
                let sql = format!("SELECT * FROM {}", quote(&table.name));
                let mut statement = self.app.prepare(&sql).expect("a table");
                let columns = statement.column_count();
                let rows = statement.query_map([], |row| {
                    (0..columns).map(|at| Ok(refs::value(row.get_ref(at)?))).collect::<Result<Vec<_>, _>>()
                });
                let rows = rows.expect("rows").collect::<Result<Vec<_>, _>>();
                let mut rows = rows.expect("rows");
                rows.sort();
                (table.name.clone(), rows)
            })
            .collect()
    }

    /// Rows that are held and not shown, but for the deleted and the unborn.
    pub(crate) fn parked(&self) -> Vec<(String, String, String)> {
        let sql = "SELECT table_name, reason, ifnull(detail, '') FROM __pocketsync_parked ORDER BY 1, 2, 3";
        let mut statement = self.app.prepare(sql).expect("the view of parked rows");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.expect("rows").collect::<Result<_, _>>().expect("rows")
    }

    /// Everything that is held, shown or not.
    pub(crate) fn state(&self) -> State {
        let mut state = State::new();
        let names: Vec<String> =
            self.engine.catalog.tables.values().map(|table| table.name.clone()).collect();
        for name in names {
            self.add_shown(&name, &mut state);
            self.add_hidden(&name, &mut state);
        }
        state
    }

    fn add_shown(&self, name: &str, state: &mut State) {
        let engine = &self.engine;
        let table = engine.catalog.by_name(name).expect("a tracked table");
        let mut selected: Vec<String> = table.columns.iter().map(|column| quote(&column.name)).collect();
        selected.extend(table.rowid.filter(|_| table.nullable_key).map(str::to_owned));
        let sql = format!("SELECT {} FROM main.{}", selected.join(", "), quote(name));
        let mut statement = engine.conn.prepare_cached(&sql).expect("a table");
        let mut rows = statement.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            let shown = |at: usize| refs::value(row.get_ref(at).expect("a value"));
            let mut key: Vec<Value> = table.key.iter().map(|&at| shown(at)).collect();
            let has_null = table.nullable_key && key.contains(&Value::Null);
            if has_null {
                key = refs::null_key(row.get(table.columns.len()).expect("a rowid")).to_vec();
            }
            let (id, clock) =
                refs::clock(engine, table.no, &key).expect("clocks").expect("a shown row has a clock");
            let shadows = refs::shadows(engine, table.no, &id).expect("shadows");
            assert_eq!(clock.shadowed, !shadows.is_empty(), "of {name} {id}");
            let mut cells = BTreeMap::new();
            for (position, column) in table.columns.iter().enumerate() {
                let (version, seq) = clock.column(column.no);
                let is_key = table.key.contains(&position) && !table.is_surrogate() && !has_null;
                if is_key || seq == 0 {
                    continue;
                }
                let merged = match (shadows.get(&column.no), &column.reference) {
                    (Some(merged), _) => merged.clone(),
                    (None, Some(reference)) => {
                        refs::to_global(engine, reference, &shown(position)).expect("a reference")
                    }
                    (None, None) if table.integer_key() == Some(position) => {
                        clock.hint.map_or(shown(position), Value::Integer)
                    }
                    (None, None) => shown(position),
                };
                cells.insert(column.name.clone(), (version, merged));
            }
            let held = Held { place: "shown".to_owned(), life: clock.life, cells };
            let twice = state.insert((name.to_owned(), id.clone()), held);
            assert!(twice.is_none(), "a row of {name} is shown twice: {id}");
        }
    }

    fn add_hidden(&self, name: &str, state: &mut State) {
        let engine = &self.engine;
        let table = engine.catalog.by_name(name).expect("a tracked table");
        let ids = "SELECT id FROM __pocketsync_aside WHERE tbl = ?1";
        let mut ids = engine.conn.prepare_cached(ids).expect("rows aside");
        let ids = ids.query_map([table.no], |row| row.get::<_, Vec<u8>>(0)).expect("ids");
        for id in ids.map(|id| id.expect("an id")) {
            let id = expand_id(&id, &engine.sites).expect("an id");
            let (reason, record) = refs::aside(engine, table.no, &id).expect("a record").expect("is there");
            // A deleted row's own values are kept by who had them, in case that its death is taken back.
            let dead = record.life.died.filter(|_| !record.life.is_alive());
            let cells = record.cells.iter().filter(|(_, held)| dead < Some(held.cell.version));
            let cells = cells.filter_map(|(no, held)| {
                let column = table.columns[table.position(*no)?].name.clone();
                Some((column, (held.cell.version, held.cell.value.clone())))
            });
            let held = Held { place: reason.as_str().to_owned(), life: record.life, cells: cells.collect() };
            let twice = state.insert((name.to_owned(), id.clone()), held.clone());
            assert!(twice.is_none(), "a row of {name} is shown and hidden: {id} {twice:?} {held:?}");
        }
    }
}

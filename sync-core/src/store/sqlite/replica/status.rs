//! What a replica says of itself.

use std::path::{Path, PathBuf};

use super::super::catalog::IdentityKind;
use super::super::conflict;
use super::super::engine::Engine;
use super::super::identity;
use super::super::introspect;
use super::super::names::LocalNames;
use super::super::refused;
use super::super::row_clock::expand_id;
use super::super::schema_notes::{self, SchemaWarning};
use super::super::system::{FORMAT, clock_table, null_key_clock_table, quote};
use super::not_allowed;
use super::parked::Parked;
use crate::driver::Summary;
use crate::id::{RowId, SiteId};
use crate::lineage::{Cursor, Stamp};
use crate::store::StoreError;

/// How many parked rows a status lists.
const MAX_PARKED_LISTED: i64 = 1000;

/// Up to how many rows it is looked into each whether it holds changes of our own.
const MAX_COUNTED: u64 = 10_000;

/// The state of a replica.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct ReplicaStatus {
    /// The file.
    pub path: PathBuf,
    /// The format of the system tables; 0 where the file is not tracked.
    pub format: i64,
    /// Under which name the replica writes; `None` where the file is not tracked.
    pub site: Option<SiteId>,
    /// The end of its log.
    pub position: Cursor,
    /// The tracked tables.
    pub tables: Vec<TableStatus>,
    /// Tables of the user that are not tracked.
    pub untracked: Vec<String>,
    /// Writes that were captured and not folded yet.
    pub journal: u64,
    /// Local changes, in rows, that the peer met last has not acknowledged; those in the journal
    /// included.
    pub pending_changes: u64,
    /// How many rows are held and cannot be shown.
    pub parked: u64,
    /// The first thousand of them.
    pub parked_rows: Vec<ParkedRow>,
    /// What changes of the schema left open, in words.
    pub schema_warnings: Vec<SchemaWarning>,
    /// How many conflicts are in the log.
    pub conflicts: u64,
    /// The replicas that were met, the latest first.
    pub peers: Vec<PeerStatus>,
}

/// A tracked table.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TableStatus {
    /// Its name.
    pub name: String,
    /// How its rows are identified.
    pub identity: IdentityKind,
    /// How many rows it has.
    pub rows: u64,
    /// It was found without its triggers, and what it shows was not yet compared with what all peers have.
    pub suspect: bool,
    /// It is not in the schema any more. Its rows were not deleted anywhere.
    pub missing: bool,
}

/// A row that is held and cannot be shown.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct ParkedRow {
    /// Its table.
    pub table: String,
    /// Which row.
    pub row: RowId,
    /// The stable name of the reason.
    pub reason: String,
    /// What is known besides.
    pub detail: Option<String>,
}

/// Another replica.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct PeerStatus {
    /// Its site.
    pub site: SiteId,
    /// How far we have read its log.
    pub held: Cursor,
    /// How far it has acknowledged ours.
    pub acked: Cursor,
    /// Whether we are inside a group of its.
    pub catching_up: bool,
}

/// Gathers the status, counting rows.
pub(super) fn status(engine: &Engine, path: &Path) -> Result<ReplicaStatus, StoreError> {
    let mut status = ReplicaStatus {
        path: path.to_owned(),
        format: engine.meta.format,
        site: None,
        position: Cursor::ZERO,
        tables: Vec::new(),
        untracked: introspect::table_names(&engine.conn)?,
        journal: 0,
        pending_changes: 0,
        parked: 0,
        parked_rows: Vec::new(),
        schema_warnings: Vec::new(),
        conflicts: 0,
        peers: Vec::new(),
    };
    if !engine.is_tracked() {
        return Ok(status);
    }
    debug_assert!(engine.meta.format <= FORMAT, "newer formats are refused when opening");
    status.site = Some(engine.site());
    status.journal = count(engine, "SELECT count(*) FROM __pocketsync_journal")?;
    let summary = summary(engine)?;
    status.position = summary.position;
    status.pending_changes = summary.pending_changes;
    status.parked = summary.parked;
    status.conflicts = summary.conflicts;
    status.tables = tables(engine, &mut status.untracked)?;
    status.parked_rows = parked_rows(engine)?;
    status.schema_warnings = schema_notes::warnings(&engine.conn)?;
    status.peers = peers(engine)?;
    Ok(status)
}

fn count(engine: &Engine, sql: &str) -> Result<u64, StoreError> {
    Ok(engine.conn.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0))? as u64)
}

fn tables(engine: &Engine, untracked: &mut Vec<String>) -> Result<Vec<TableStatus>, StoreError> {
    let mut statement = engine.conn.prepare_cached(
        "SELECT no, name, identity, suspect IN (1, 3) FROM __pocketsync_table
         WHERE tracked AND name NOT IN ('__pocketsync_rename', '__pocketsync_rules') ORDER BY name",
    )?;
    let names = LocalNames::load(&engine.conn)?;
    let mut rows = statement.query([])?;
    let mut tables = Vec::new();
    while let Some(row) = rows.next()? {
        let (no, name): (u32, String) = (row.get(0)?, row.get(1)?);
        let name = names.table(no).map_or(name, str::to_owned);
        let present = untracked.iter().position(|here| here.eq_ignore_ascii_case(&name));
        let name = present.map_or(name, |at| untracked.remove(at));
        let rows = match present {
            Some(_) => count(engine, &format!("SELECT count(*) FROM main.{}", quote(&name)))?,
            None => 0,
        };
        let identity: String = row.get(2)?;
        tables.push(TableStatus {
            name,
            identity: IdentityKind::from_name(&identity),
            rows,
            suspect: row.get(3)?,
            missing: present.is_none(),
        });
    }
    Ok(tables)
}

fn parked_rows(engine: &Engine) -> Result<Vec<ParkedRow>, StoreError> {
    let mut statement = engine.conn.prepare_cached(
        "SELECT table_name, row_id, reason, detail FROM __pocketsync_parked ORDER BY 1, 2 LIMIT ?1",
    )?;
    let mut rows = statement.query([MAX_PARKED_LISTED])?;
    let mut parked = Vec::new();
    while let Some(row) = rows.next()? {
        let id = expand_id(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, &engine.sites)?;
        parked.push(ParkedRow { table: row.get(0)?, row: id, reason: row.get(2)?, detail: row.get(3)? });
    }
    let room = usize::try_from(MAX_PARKED_LISTED).unwrap_or(0).saturating_sub(parked.len());
    for refused in not_allowed::list(engine)?.into_iter().take(room) {
        let Parked { table, row, reason, sentence, .. } = refused;
        parked.push(ParkedRow { table, row, reason: reason.as_str().to_owned(), detail: Some(sentence) });
    }
    Ok(parked)
}

fn peers(engine: &Engine) -> Result<Vec<PeerStatus>, StoreError> {
    let mut statement = engine.conn.prepare_cached(
        "SELECT site, held_seq, held_stamp, held_within, catching_up, acked_seq, acked_stamp
         FROM __pocketsync_peer ORDER BY met DESC",
    )?;
    let mut rows = statement.query([])?;
    let mut peers = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(site) = engine.sites.site(row.get::<_, i64>(0)? as u64) else { continue };
        let number = |at: usize| row.get::<_, i64>(at).map(|number| number as u64);
        peers.push(PeerStatus {
            site,
            held: Cursor { within: row.get(3)?, ..Cursor::at(number(1)?, Stamp(number(2)?)) },
            acked: Cursor::at(number(5)?, Stamp(number(6)?)),
            catching_up: row.get(4)?,
        });
    }
    Ok(peers)
}

/// Counts what there is to do for the peer that was met last.
pub(super) fn summary(engine: &Engine) -> Result<Summary, StoreError> {
    if !engine.is_tracked() {
        return Ok(Summary::default());
    }
    let (peer, acked): (i64, i64) = engine
        .conn
        .prepare_cached("SELECT site, acked_seq FROM __pocketsync_peer ORDER BY met DESC LIMIT 1")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .next()
        .transpose()?
        .unwrap_or((-1, 0));
    let journal = count(engine, "SELECT count(*) FROM __pocketsync_journal")?;
    let parked = count(engine, "SELECT count(*) FROM __pocketsync_aside WHERE reason <> 'deleted'")?
        + refused::count(engine)?;
    let of_peer: i64 = engine
        .conn
        .prepare_cached("SELECT count(*) FROM __pocketsync_log WHERE peer = ?1 AND seq > ?2")?
        .query_row((peer, acked), |row| row.get(0))?;
    let mut unacked = 0;
    if engine.meta.head - acked > of_peer {
        unacked = unacked_rows(engine, peer, acked)?;
        if let Some(site) = engine.sites.site(peer as u64).filter(|_| unacked <= MAX_COUNTED) {
            // A row whose latest change came from the peer may hold an older one that did not.
            unacked = identity::pending(engine, site)?;
        }
    }
    Ok(Summary {
        pending_changes: journal + unacked,
        parked,
        conflicts: conflict::count(engine)?,
        position: engine.lineage.cursor_at(engine.meta.head as u64),
    })
}

fn unacked_rows(engine: &Engine, peer: i64, acked: i64) -> Result<u64, StoreError> {
    let mut sources = vec![("__pocketsync_aside".to_owned(), "seq")];
    for table in engine.catalog.tables.values() {
        sources.push((clock_table(table.no), "s"));
        if table.nullable_key {
            sources.push((null_key_clock_table(table.no), "s"));
        }
    }
    let mut rows = 0;
    for (name, seq) in sources {
        let sql = format!(
            "SELECT count(*) FROM {name} WHERE {seq} > ?2
             AND {seq} NOT IN (SELECT seq FROM __pocketsync_log WHERE peer = ?1)"
        );
        rows +=
            engine.conn.prepare_cached(&sql)?.query_row((peer, acked), |row| row.get::<_, i64>(0))? as u64;
    }
    Ok(rows)
}

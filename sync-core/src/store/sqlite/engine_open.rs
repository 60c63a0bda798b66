//! An engine from what the file says.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::catalog_load;
use super::changed::Changed;
use super::engine::Engine;
use super::extract::Sources;
use super::meta::Meta;
use super::refs::StatementCache;
use super::system::FORMAT;
use super::tracking::mirror;
use crate::clock::Hlc;
use crate::conflict::ConflictLimits;
use crate::id::SiteId;
use crate::lineage::{Incarnation, Lineage, Stamp};
use crate::store::{Knowledge, Sites, StoreError, StoreErrorKind};

impl Engine {
    /// Takes over a connection, as [`connection::open`](super::connection::open) makes it. Draws
    /// the stamp of this opening; writes nothing.
    ///
    /// A file that is not tracked gives an engine with an empty catalog, for `track` to fill.
    ///
    /// # Errors
    /// When the system tables are of a newer format, or cannot be read.
    pub fn load(conn: Connection) -> Result<Engine, StoreError> {
        let mut engine = Engine {
            conn,
            catalog: Arc::default(),
            sites: Sites::default(),
            meta: Meta::default(),
            lineage: Lineage::default(),
            stored: Meta::default(),
            statements: StatementCache::default(),
            sources: Sources::default(),
            changed: Changed::default(),
            conflict_limits: ConflictLimits::default(),
            shown_by_folds: Default::default(),
            has_aliases: Default::default(),
            left: Default::default(),
            met_at: Default::default(),
            recent: None,
        };
        // One snapshot for all that is read.
        engine.conn.execute_batch("BEGIN")?;
        let result = engine.load_memory();
        engine.conn.execute_batch("COMMIT")?;
        result?;
        Ok(engine)
    }

    fn load_memory(&mut self) -> Result<(), StoreError> {
        if has_system_tables(&self.conn)? {
            self.meta = Meta::load(&self.conn)?;
            if self.meta.format > FORMAT {
                return Err(newer_format(self.meta.format));
            }
            self.changed = Changed::load(&self.conn)?;
            load_sites(&self.conn, &mut self.sites)?;
            self.lineage = load_lineage(&self.conn)?;
            let catalog = catalog_load::load(&self.conn)?;
            self.set_catalog(catalog);
            mirror(&self.conn, &self.catalog)?;
        }
        let stamp = self.draw_stamp()?;
        let (head, offered) = (self.meta.head as u64, self.meta.offered_seq as u64);
        self.lineage.open_after(head, offered, stamp);
        if self.is_tracked() {
            self.number_apart(stamp);
        }
        self.stored = self.meta;
        Ok(())
    }

    /// Numbers new rows from somewhere else on. A file that is restored from a backup, or copied, would number its rows
    /// as the other one does, and two rows of one number are one row wherever both come to. Each opening but the first
    /// skips up to 2^40 numbers, of which there are enough for millions of openings that insert something.
    fn number_apart(&mut self, stamp: Stamp) {
        const ENOUGH_LEFT: i64 = 1 << 62;
        if self.meta.counter < ENOUGH_LEFT {
            self.meta.counter += (stamp.0 >> 24) as i64;
        }
    }

    fn draw_stamp(&self) -> Result<Stamp, StoreError> {
        let stamp: i64 = self.conn.query_row("SELECT random()", [], |row| row.get(0))?;
        // Zero stands before the first opening.
        Ok(Stamp((stamp as u64).max(1)))
    }

    /// Hands out the log numbers after `offered`, which nobody was told of, under a new stamp.
    pub(super) fn reopen_after(&mut self, offered: u64) -> Result<(), StoreError> {
        let stamp = self.draw_stamp()?;
        self.lineage.open(offered, stamp);
        self.store_lineage()
    }

    /// Writes the list of openings anew: openings may have been joined, or taken back.
    pub(super) fn store_lineage(&self) -> Result<(), StoreError> {
        self.conn.execute("DELETE FROM __pocketsync_incarnation", [])?;
        let mut insert = self
            .conn
            .prepare_cached("INSERT INTO __pocketsync_incarnation(first_seq, stamp) VALUES(?1, ?2)")?;
        for opening in self.lineage.incarnations() {
            insert.execute((opening.first_seq as i64, opening.stamp.0 as i64))?;
        }
        Ok(())
    }

    /// Whether the file is tracked.
    pub fn is_tracked(&self) -> bool {
        self.meta.format != 0
    }

    /// Makes this file a replica of its own: format and a new site.
    pub(crate) fn found(&mut self) -> Result<(), StoreError> {
        let (wall_ms, random): (i64, Vec<u8>) = self.conn.query_row(
            "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), randomblob(10)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let random = random.try_into().expect("SQLite was asked for ten bytes");
        let site = SiteId::new_v7(wall_ms.max(0) as u64, random);
        self.meta.format = FORMAT;
        self.meta.site = self.sites.ordinal(site) as i64;
        Ok(())
    }
}

fn newer_format(format: i64) -> StoreError {
    StoreError::new(
        StoreErrorKind::NewerFormat,
        format!(
            "the system tables are of format {format}, and this version of PocketSync knows formats up to \
             {FORMAT}: update the program"
        ),
    )
}

fn has_system_tables(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row(
        "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = '__pocketsync_meta'",
        [],
        |_| Ok(()),
    )
    .optional()
    .map(|found| found.is_some())
}

fn load_sites(conn: &Connection, sites: &mut Sites) -> Result<(), StoreError> {
    let mut statement = conn.prepare("SELECT ord, id, counter, hlc FROM __pocketsync_site ORDER BY ord")?;
    let mut rows = statement.query([])?;
    let mut next = 0;
    while let Some(row) = rows.next()? {
        let ordinal = row.get::<_, i64>(0)? as u64;
        let id: [u8; 16] =
            row.get_ref(1)?.as_blob().ok().and_then(|id| id.try_into().ok()).ok_or_else(damaged)?;
        if ordinal != next && ordinal != next + 1 {
            return Err(damaged());
        }
        next = ordinal + 1;
        let knowledge = Knowledge {
            counter: row.get::<_, i64>(2)? as u64,
            hlc: Hlc::from_bits(row.get::<_, i64>(3)? as u64),
        };
        sites.load(ordinal, SiteId::from_bytes(id), knowledge);
    }
    Ok(())
}

fn damaged() -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "the list of sites in __pocketsync_site is damaged")
}

fn load_lineage(conn: &Connection) -> Result<Lineage, StoreError> {
    let mut statement =
        conn.prepare("SELECT first_seq, stamp FROM __pocketsync_incarnation ORDER BY first_seq")?;
    let incarnations = statement
        .query_map([], |row| {
            Ok(Incarnation {
                first_seq: row.get::<_, i64>(0)? as u64,
                stamp: Stamp(row.get::<_, i64>(1)? as u64),
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Lineage::new(incarnations))
}

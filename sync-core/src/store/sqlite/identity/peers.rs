//! What is stored of each peer.

use rusqlite::{OptionalExtension, Row};

use super::super::engine::Engine;
use super::super::extract::Origins;
use super::visit;
use crate::id::SiteId;
use crate::lineage::{Cursor, Lineage, Stamp};
use crate::store::{StoreError, StoreErrorKind};

/// What is known of a peer.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Known {
    /// How far its log was read, staged pieces included.
    pub(super) held: Cursor,
    /// Its openings, as announced by the session that brought `held`.
    pub(super) lineage: Lineage,
    /// How far it certainly holds our log.
    pub(super) acked: Cursor,
    /// It lost what it had brought us: it is told again what is after this number …
    pub(super) resend_from: u64,
    /// … and up to this one nothing is left out as an echo: not now, and not when it loses that
    /// once more, which it then had of us.
    pub(super) resend_until: u64,
}

impl Known {
    /// After which log number it has still to be told again what it had brought us and lost.
    pub(super) fn told_again_from(&self) -> Option<u64> {
        (self.resend_from < self.resend_until).then_some(self.resend_from)
    }
}

const COLUMNS: &str =
    "held_seq, held_stamp, held_within, held_lineage, acked_seq, acked_stamp, resend_from, resend_until";

fn read(row: &Row<'_>) -> Result<Known, StoreError> {
    let number = |column: usize| row.get::<_, i64>(column).map(|number| number as u64);
    let lineage = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
    let lineage = if lineage.is_empty() {
        Lineage::default()
    } else {
        postcard::from_bytes(lineage).map_err(|error| {
            StoreError::new(
                StoreErrorKind::Corrupt,
                format!("the stored openings of a peer are damaged: {error}"),
            )
        })?
    };
    Ok(Known {
        held: Cursor { seq: number(0)?, stamp: Stamp(number(1)?), within: row.get(2)? },
        lineage,
        acked: Cursor::at(number(4)?, Stamp(number(5)?)),
        resend_from: number(6)?,
        resend_until: number(7)?,
    })
}

/// What is known of one peer.
pub(super) fn get(engine: &Engine, site: SiteId) -> Result<Option<Known>, StoreError> {
    let Some(ordinal) = engine.sites.existing(site) else { return Ok(None) };
    let sql = format!("SELECT {COLUMNS} FROM __pocketsync_peer WHERE site = ?1");
    let mut statement = engine.conn.prepare_cached(&sql)?;
    let mut rows = statement.query([ordinal as i64])?;
    rows.next()?.map(read).transpose()
}

/// The peers, those met last first.
pub(super) fn all(engine: &Engine) -> Result<Vec<(SiteId, Known)>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, site FROM __pocketsync_peer ORDER BY met DESC, site");
    let mut statement = engine.conn.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut peers = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(site) = engine.sites.site(row.get::<_, i64>(8)? as u64) {
            peers.push((site, read(row)?));
        }
    }
    Ok(peers)
}

/// Whether any peer has something of us, or we of it.
pub(in super::super) fn has_exchanged(engine: &Engine) -> Result<bool, StoreError> {
    Ok(all(engine)?.iter().any(|(_, known)| known.held != Cursor::ZERO || known.acked != Cursor::ZERO))
}

/// Peers are told again what is up to a log number, in sessions that begin anew; those that were not yet.
pub(in super::super) fn tell_again(
    engine: &mut Engine,
    peers: &[SiteId],
    until: u64,
) -> Result<(), StoreError> {
    for &site in peers {
        let Some(mut known) = get(engine, site)?.filter(|known| known.resend_until < until) else { continue };
        known.resend_from = 0;
        known.resend_until = until;
        put(engine, site, &known)?;
        engine.left.insert(site);
    }
    Ok(())
}

/// How far each peer's log was read.
pub(in super::super) fn held(engine: &Engine) -> Result<Vec<(SiteId, Cursor)>, StoreError> {
    Ok(all(engine)?.into_iter().map(|(site, known)| (site, known.held)).collect())
}

/// Stores what is known of a peer. Does not move it in the order of meetings.
pub(super) fn put(engine: &mut Engine, site: SiteId, known: &Known) -> Result<(), StoreError> {
    let ordinal = engine.sites.ordinal(site) as i64;
    let lineage = postcard::to_allocvec(&known.lineage)
        .map_err(|error| StoreError::new(StoreErrorKind::Io, format!("openings have no bytes: {error}")))?;
    engine
        .conn
        .prepare_cached(
            "INSERT INTO __pocketsync_peer(site, held_seq, held_stamp, held_within, held_lineage, catching_up,
               acked_seq, acked_stamp, resend_from, resend_until, met)
             VALUES(?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, 0)
             ON CONFLICT(site) DO UPDATE SET held_seq = excluded.held_seq, held_stamp = excluded.held_stamp,
               held_within = excluded.held_within, held_lineage = excluded.held_lineage,
               acked_seq = excluded.acked_seq, acked_stamp = excluded.acked_stamp,
               resend_from = excluded.resend_from, resend_until = excluded.resend_until",
        )?
        .execute((
            ordinal,
            known.held.seq as i64,
            known.held.stamp.0 as i64,
            &known.held.within,
            lineage,
            known.acked.seq as i64,
            known.acked.stamp.0 as i64,
            known.resend_from as i64,
            known.resend_until as i64,
        ))?;
    Ok(())
}

/// This peer was met last.
pub(super) fn met(engine: &mut Engine, site: SiteId) -> Result<(), StoreError> {
    let ordinal = engine.sites.ordinal(site) as i64;
    engine
        .conn
        .prepare_cached(
            "UPDATE __pocketsync_peer SET met = 1 + (SELECT max(met) FROM __pocketsync_peer)
             WHERE site = ?1 AND (met = 0 OR met < (SELECT max(met) FROM __pocketsync_peer))",
        )?
        .execute([ordinal])?;
    Ok(())
}

/// Forgets the pieces of a peer's group that is not complete: it will be sent again.
pub(super) fn drop_staged(engine: &mut Engine, site: SiteId) -> Result<(), StoreError> {
    let ordinal = engine.sites.ordinal(site) as i64;
    engine.conn.prepare_cached("DELETE FROM __pocketsync_staging WHERE peer = ?1")?.execute([ordinal])?;
    engine
        .conn
        .prepare_cached("UPDATE __pocketsync_peer SET catching_up = 0 WHERE site = ?1")?
        .execute([ordinal])?;
    Ok(())
}

/// The log number under which the first of what a peer sent after its `peer_seq` was applied.
pub(super) fn first_from(engine: &Engine, site: SiteId, peer_seq: u64) -> Result<Option<u64>, StoreError> {
    let Some(ordinal) = engine.sites.existing(site) else { return Ok(None) };
    let first: Option<i64> = engine
        .conn
        .prepare_cached("SELECT min(seq) FROM __pocketsync_log WHERE peer = ?1 AND peer_seq > ?2")?
        .query_row((ordinal as i64, peer_seq as i64), |row| row.get(0))
        .optional()?
        .flatten();
    Ok(first.map(|seq| seq as u64))
}

/// How many folded rows have changes that `peer` does not hold yet for certain and that did not
/// come from it.
///
/// # Errors
/// When the file cannot be read.
pub fn pending(engine: &Engine, peer: SiteId) -> Result<u64, StoreError> {
    let after = get(engine, peer)?.unwrap_or_default().acked.seq;
    let mut origins = Origins::of(engine, peer)?;
    let mut count = 0;
    visit::log_numbers(engine, after, |seqs| {
        for seq in seqs {
            if seq > after && !origins.is_echo(engine, seq)? {
                count += 1;
                break;
            }
        }
        Ok(())
    })?;
    Ok(count)
}

//! What we hold of each peer, and the pieces of a group of its that is not complete yet.

use rusqlite::OptionalExtension;

use super::engine::Engine;
use crate::change::Changeset;
use crate::id::SiteId;
use crate::lineage::{Cursor, Lineage, Stamp};
use crate::store::{StoreError, StoreErrorKind};

/// How far a peer's log was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Held {
    /// Up to where, staged pieces included.
    pub(crate) cursor: Cursor,
    /// Whether a group is being merged in parts.
    pub(crate) catching_up: bool,
}

/// What is held of a peer.
pub(crate) fn held(engine: &Engine, peer: SiteId) -> Result<Held, StoreError> {
    let Some(ordinal) = engine.sites.existing(peer) else { return Ok(Held::default()) };
    let mut statement = engine.conn.prepare_cached(
        "SELECT held_seq, held_stamp, held_within, catching_up FROM __pocketsync_peer WHERE site = ?1",
    )?;
    let held = statement
        .query_row([ordinal as i64], |row| {
            Ok(Held {
                cursor: Cursor {
                    seq: row.get::<_, i64>(0)? as u64,
                    stamp: Stamp(row.get::<_, i64>(1)? as u64),
                    within: row.get(2)?,
                },
                catching_up: row.get(3)?,
            })
        })
        .optional()?;
    Ok(held.unwrap_or_default())
}

/// Moves what is held of a peer.
pub(crate) fn put_held(
    engine: &mut Engine,
    peer: SiteId,
    held: &Held,
    lineage: &Lineage,
) -> Result<(), StoreError> {
    let ordinal = engine.sites.ordinal(peer);
    let lineage = postcard::to_allocvec(lineage)
        .map_err(|error| StoreError::new(StoreErrorKind::Io, format!("a lineage has no bytes: {error}")))?;
    engine
        .conn
        .prepare_cached(
            "INSERT INTO __pocketsync_peer(site, held_seq, held_stamp, held_within, held_lineage, catching_up,
               acked_seq, acked_stamp, resend_until, met)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, 0)
             ON CONFLICT(site) DO UPDATE SET held_seq = excluded.held_seq, held_stamp = excluded.held_stamp,
               held_within = excluded.held_within, held_lineage = excluded.held_lineage,
               catching_up = excluded.catching_up",
        )?
        .execute((
            ordinal as i64,
            held.cursor.seq as i64,
            held.cursor.stamp.0 as i64,
            &held.cursor.within,
            lineage,
            held.catching_up,
        ))?;
    Ok(())
}

/// Keeps a piece of `bytes` (by weight) until its group is complete.
pub(crate) fn stage(
    engine: &mut Engine,
    peer: SiteId,
    changeset: &Changeset,
    bytes: usize,
) -> Result<(), StoreError> {
    let ordinal = engine.sites.ordinal(peer) as i64;
    let mut body = (bytes as u64).to_le_bytes().to_vec();
    body.extend(changeset.encode());
    engine
        .conn
        .prepare_cached(
            "INSERT INTO __pocketsync_staging(peer, n, body)
             SELECT ?1, coalesce(max(n), 0) + 1, ?2 FROM __pocketsync_staging WHERE peer = ?1",
        )?
        .execute((ordinal, body))?;
    Ok(())
}

/// The weight of what is staged.
pub(crate) fn staged_bytes(engine: &Engine, peer: SiteId) -> Result<usize, StoreError> {
    let Some(ordinal) = engine.sites.existing(peer) else { return Ok(0) };
    let mut statement =
        engine.conn.prepare_cached("SELECT substr(body, 1, 8) FROM __pocketsync_staging WHERE peer = ?1")?;
    let mut rows = statement.query([ordinal as i64])?;
    let mut sum = 0usize;
    while let Some(row) = rows.next()? {
        let weight: [u8; 8] =
            row.get_ref(0)?.as_blob().ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(damaged)?;
        sum = sum.saturating_add(u64::from_le_bytes(weight) as usize);
    }
    Ok(sum)
}

/// Takes what is staged, in the order in which it came.
pub(crate) fn take_staged(engine: &Engine, peer: SiteId) -> Result<Vec<Changeset>, StoreError> {
    let Some(ordinal) = engine.sites.existing(peer) else { return Ok(Vec::new()) };
    let mut statement =
        engine.conn.prepare_cached("SELECT body FROM __pocketsync_staging WHERE peer = ?1 ORDER BY n")?;
    let mut rows = statement.query([ordinal as i64])?;
    let mut group = Vec::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_blob().ok().and_then(|body| body.get(8..)).ok_or_else(damaged)?;
        group.push(Changeset::decode(body)?);
    }
    drop(rows);
    drop_staged(engine, peer)?;
    Ok(group)
}

/// Forgets what is staged.
pub(crate) fn drop_staged(engine: &Engine, peer: SiteId) -> Result<(), StoreError> {
    if let Some(ordinal) = engine.sites.existing(peer) {
        engine
            .conn
            .prepare_cached("DELETE FROM __pocketsync_staging WHERE peer = ?1")?
            .execute([ordinal as i64])?;
    }
    Ok(())
}

fn damaged() -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "a staged piece in __pocketsync_staging is damaged")
}

//! Which log numbers came from the peer that asks.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::OptionalExtension;

use super::super::engine::Engine;
use super::super::suspect;
use crate::id::SiteId;
use crate::store::{StoreError, is_echo};

/// Remembers what it has looked up.
#[derive(Debug)]
pub(in super::super) struct Origins {
    peer: SiteId,
    /// `None`: it was never heard of, so nothing came from it.
    ordinal: Option<i64>,
    resend_until: u64,
    /// The tables of which the peer was told up to `told_seq`, and which may show something else by now.
    suspects: BTreeSet<u32>,
    /// Whether its log is read again, and nothing is told up to there before that.
    reads_again: bool,
    told_seq: u64,
    known: BTreeMap<u64, bool>,
}

impl Origins {
    pub(in super::super) fn of(engine: &Engine, peer: SiteId) -> Result<Self, StoreError> {
        let ordinal = engine.sites.existing(peer).map(|ordinal| ordinal as i64);
        let resend_until: Option<i64> = engine
            .conn
            .prepare_cached("SELECT resend_until FROM __pocketsync_peer WHERE site = ?1")?
            .query_row([ordinal], |row| row.get(0))
            .optional()?;
        let (resend_until, told_seq) = (resend_until.unwrap_or(0) as u64, engine.meta.told_seq as u64);
        let was_told = ordinal.is_some_and(|ordinal| ordinal < engine.meta.asked_as);
        let suspects = match was_told && resend_until < told_seq {
            true => suspect::tables(engine)?,
            false => BTreeSet::new(),
        };
        // Who never had anything from it may not be let read.
        let sql = "SELECT 1 FROM __pocketsync_log WHERE peer = ?1";
        let reads_again = !suspects.is_empty() && engine.conn.prepare_cached(sql)?.exists([ordinal])?;
        Ok(Origins { peer, ordinal, resend_until, suspects, reads_again, told_seq, known: BTreeMap::new() })
    }

    /// The log number up to which nothing is told.
    pub(super) fn withheld(&self) -> u64 {
        if self.reads_again { self.told_seq } else { 0 }
    }

    /// The log number up to which nothing is told of the shown rows of a table.
    pub(super) fn withheld_of(&self, table: u32) -> u64 {
        if self.suspects.contains(&table) { self.told_seq } else { 0 }
    }

    /// Whether nothing but echoes is under the log numbers after `after` up to `head`.
    pub(super) fn are_all(&self, engine: &Engine, after: u64, head: u64) -> Result<bool, StoreError> {
        let Some(ordinal) = self.ordinal.filter(|_| after >= self.resend_until) else { return Ok(false) };
        let heard: i64 = engine
            .conn
            .prepare_cached("SELECT count(*) FROM __pocketsync_log WHERE seq > ?1 AND peer = ?2")?
            .query_row((after as i64, ordinal), |row| row.get(0))?;
        Ok(heard as u64 == head - after)
    }

    /// Whether a change under this log number is left out of what the peer is told.
    pub(in super::super) fn is_echo(&mut self, engine: &Engine, seq: u64) -> Result<bool, StoreError> {
        let Some(ordinal) = self.ordinal else { return Ok(false) };
        if let Some(&known) = self.known.get(&seq) {
            return Ok(known);
        }
        let from_peer = engine
            .conn
            .prepare_cached("SELECT 1 FROM __pocketsync_log WHERE seq = ?1 AND peer = ?2")?
            .exists((seq as i64, ordinal))?;
        let echo = is_echo(seq, from_peer.then_some(self.peer), self.peer, self.resend_until);
        self.known.insert(seq, echo);
        Ok(echo)
    }
}

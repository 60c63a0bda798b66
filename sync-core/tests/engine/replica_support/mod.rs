//! Replicas that take each other's changes.

use std::path::PathBuf;
use std::sync::Arc;

use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Cursor;
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::sqlite::replica::{Replica, ReplicaOptions};
use pocketsync_core::store::sqlite::tracking::Tables;
use pocketsync_core::store::{
    Chunk, ChunkOutcome, Identity, Meet, Met, Peer, Store, StoreReply, StoreRequest,
};

/// A file, an application's connection to it, and its replica.
pub(crate) struct Device {
    pub(crate) _dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) app: Connection,
    pub(crate) replica: Replica,
}

pub(crate) fn scope() -> Scope {
    Scope::new("test").unwrap()
}

impl Device {
    pub(crate) fn new(schema: &str) -> Device {
        let device = Device::untracked(schema);
        device.replica.track(&Tables::all()).unwrap();
        device
    }

    pub(crate) fn untracked(schema: &str) -> Device {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.db");
        let app = Connection::open(&path).unwrap();
        app.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").unwrap();
        app.execute_batch(schema).unwrap();
        let replica = Replica::open(&path, ReplicaOptions::default()).unwrap();
        Device { _dir: dir, path, app, replica }
    }

    pub(crate) fn identity(&self) -> Identity {
        match self.replica.clone().run(StoreRequest::Identify { scope: scope() }).unwrap() {
            StoreReply::Identity(identity) => identity,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn site(&self) -> SiteId {
        self.identity().site
    }

    /// Everything that `from` has after what this one holds of it.
    pub(crate) fn pull(&self, from: &Device) -> ChunkOutcome {
        let peer = from.identity();
        let held = self.identity().holdings.into_iter().find(|holding| holding.replica == peer.site);
        let after = held.map_or(Cursor::ZERO, |holding| holding.cursor);
        let request = StoreRequest::Extract {
            scope: scope(),
            peer: self.site(),
            after: after.clone(),
            max_bytes: 1 << 24,
            not_after: None,
        };
        let extracted = match from.replica.clone().run(request).unwrap() {
            StoreReply::Extracted(extracted) => extracted,
            StoreReply::Moved { .. } => {
                from.meet(self);
                return self.pull(from);
            }
            other => panic!("{other:?}"),
        };
        assert!(extracted.last);
        let cursor = extracted.to.clone();
        let chunk = Chunk {
            peer: peer.site,
            lineage: Arc::new(peer.lineage),
            from: after,
            to: extracted.to,
            last: extracted.last,
            changeset: extracted.changeset,
            seen: extracted.seen,
        };
        let request = StoreRequest::Apply { scope: scope(), chunks: vec![chunk] };
        let mut outcomes = match self.replica.clone().run(request).unwrap() {
            StoreReply::Applied(outcomes) => outcomes,
            StoreReply::Moved { .. } => {
                self.meet(from);
                return self.pull(from);
            }
            other => panic!("{other:?}"),
        };
        let acked = StoreRequest::Acked { scope: scope(), peer: self.site(), cursor };
        assert_eq!(from.replica.clone().run(acked).unwrap(), StoreReply::Done);
        outcomes.remove(0)
    }

    /// Hears who the other one is.
    pub(crate) fn meet(&self, other: &Device) {
        let Identity { site, lineage, head, holdings, .. } = other.identity();
        let us = self.site();
        let holding = holdings.into_iter().find(|holding| holding.replica == us);
        let peer = Peer { site, lineage, head };
        let meet = Meet { scope: scope(), peer, holding, resumes: None, clock: None };
        let met = self.replica.clone().run(StoreRequest::Meet(meet)).unwrap();
        assert!(matches!(met, StoreReply::Met(Met::Resume(_))), "{met:?}");
    }

    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        let mut statement = self.app.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

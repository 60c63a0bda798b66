//! Requests done in a transaction: one by itself, or those that wait at the same time in one.

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior};

use super::error::failed;
use super::load::Loaded;
use super::scope::HubScope;
use super::{HubStore, MAX_LOADED};
use crate::id::Scope;
use crate::store::{StoreError, StoreReply, StoreRequest, log};

type Reply = Result<StoreReply, StoreError>;

/// Whether a reply to this may be given only when it is on the disk.
pub(super) fn has_to_last(request: &StoreRequest) -> bool {
    !reads(request) && !matches!(request, StoreRequest::Acked { .. })
}

fn reads(request: &StoreRequest) -> bool {
    matches!(request, StoreRequest::Identify { .. } | StoreRequest::Extract { .. })
}

impl HubStore {
    /// Does one request in a transaction of its own.
    pub(super) fn work(&mut self, request: StoreRequest) -> Reply {
        let behavior =
            if reads(&request) { TransactionBehavior::Deferred } else { TransactionBehavior::Immediate };
        let scope = request.scope().clone();
        let loaded = self.loaded.remove(&scope);
        let path = self.path.clone();
        let sql = |error: rusqlite::Error| failed(&path, &error);
        // Dropped on an error, which rolls back.
        let tx = rusqlite::Transaction::new_unchecked(&self.conn, behavior).map_err(sql)?;
        let (reply, loaded) = self.perform(&tx, &scope, loaded, request)?;
        tx.commit().map_err(sql)?;
        self.keep(scope, loaded);
        Ok(reply)
    }

    /// Does all of them in one transaction, each as if it were alone: one that fails takes nothing else along. But
    /// where the transaction as a whole cannot be kept, as on a full disk, none of it has happened.
    ///
    /// A commit waits for the disk, so many that wait at the same time wait once.
    pub(super) fn work_together(&mut self, requests: Vec<StoreRequest>) -> Result<Vec<Reply>, StoreError> {
        let path = self.path.clone();
        let sql = |error: rusqlite::Error| failed(&path, &error);
        let mut touched: BTreeMap<Scope, Loaded> = BTreeMap::new();
        for request in &requests {
            if let Some(loaded) = self.loaded.remove(request.scope()) {
                touched.insert(request.scope().clone(), loaded);
            }
        }
        let tx =
            rusqlite::Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate).map_err(sql)?;
        let mut replies = Vec::with_capacity(requests.len());
        for request in requests {
            let scope = request.scope().clone();
            tx.execute_batch("SAVEPOINT request").map_err(sql)?;
            match self.perform(&tx, &scope, touched.remove(&scope), request) {
                Ok((reply, loaded)) => {
                    tx.execute_batch("RELEASE request").map_err(sql)?;
                    touched.insert(scope, loaded);
                    replies.push(Ok(reply));
                }
                // SQLite took all of it back.
                Err(error) if tx.is_autocommit() => return Err(error),
                Err(error) => {
                    tx.execute_batch("ROLLBACK TO request; RELEASE request").map_err(sql)?;
                    replies.push(Err(error));
                }
            }
        }
        tx.commit().map_err(sql)?;
        touched.into_iter().for_each(|(scope, loaded)| self.keep(scope, loaded));
        Ok(replies)
    }

    /// Does a request in the transaction that is open. What is at hand of the scope comes back with the reply;
    /// it is no good any more where there is none.
    fn perform(
        &self,
        conn: &Connection,
        scope: &Scope,
        loaded: Option<Loaded>,
        request: StoreRequest,
    ) -> Result<(StoreReply, Loaded), StoreError> {
        let mut loaded = match loaded {
            Some(loaded) => loaded,
            None => Loaded::read(conn, &self.path, scope, self.site, self.stamp)?,
        };
        loaded.state.resolver = self.resolver.clone();
        let mut records = HubScope::new(conn, &self.path, scope, &mut loaded, self.limits);
        records.limit(self.max_scope_bytes)?;
        let reply = log::run(&mut records, request)?;
        records.save()?;
        Ok((reply, loaded))
    }

    fn keep(&mut self, scope: Scope, loaded: Loaded) {
        if self.loaded.len() >= MAX_LOADED {
            self.loaded.pop_first();
        }
        self.loaded.insert(scope, loaded);
    }
}

//! A replica as the store of the state machines.

use futures::stream::BoxStream;

use super::handle::Replica;
use super::status;
use crate::driver::{LocalStore, Summary};
use crate::id::SiteId;
use crate::store::permit::judge;
use crate::store::sqlite::engine::Engine;
use crate::store::sqlite::{apply, extract, fold, identity, schema_change, suspect};
use crate::store::{ChunkOutcome, Committed, Store, StoreError, StoreErrorKind, StoreReply, StoreRequest};

impl Store for Replica {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        let (reply, begins_anew) = self.engaged(|engine| {
            let left = engine.left.len();
            let reply = answer(engine, request)?;
            Ok((reply, engine.left.len() > left))
        })?;
        if begins_anew {
            // Sessions hear of it as soon as they ask for something.
            self.notify_committed();
        }
        let committed: Vec<&Committed> = match &reply {
            StoreReply::Applied(outcomes) => outcomes.iter().filter_map(committed).collect(),
            StoreReply::Refused(committed) => committed.iter().collect(),
            _ => Vec::new(),
        };
        committed.iter().for_each(|committed| self.readers().publish(&committed.shown));
        if !committed.is_empty() {
            self.notify_others();
        }
        Ok(reply)
    }
}

fn committed(outcome: &ChunkOutcome) -> Option<&Committed> {
    match outcome {
        ChunkOutcome::Applied { committed, .. } => committed.as_ref(),
        _ => None,
    }
}

impl Replica {
    /// Does a piece of a session's work in one transaction, and tells the application what folds have changed.
    pub(super) fn engaged<T>(
        &self,
        work: impl FnOnce(&mut Engine) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (answer, shown) = self.with(|open| {
            ensure_tracked(&open.engine)?;
            open.engine.write(|engine| {
                let settled = schema_change::settle(engine)?;
                engine.shown_by_folds.extend(settled);
                let answer = work(engine)?;
                let shown = std::mem::take(&mut engine.shown_by_folds);
                Ok((answer, shown.into_rows(&engine.catalog)))
            })
        })?;
        self.readers().publish(&shown);
        Ok(answer)
    }
}

/// What is asked of a replica makes no sense before a table of it is tracked.
pub(super) fn ensure_tracked(engine: &Engine) -> Result<(), StoreError> {
    if engine.is_tracked() {
        return Ok(());
    }
    let message = "no table of this file is tracked: call track first";
    Err(StoreError::new(StoreErrorKind::Unsupported, message))
}

fn answer(engine: &mut Engine, request: StoreRequest) -> Result<StoreReply, StoreError> {
    if !engine.left.is_empty() && of_session(&request).is_some_and(|peer| engine.left.contains(&peer)) {
        return Ok(StoreReply::Moved { site: engine.site() });
    }
    Ok(match request {
        StoreRequest::Identify { .. } => {
            identity::begin_session(engine);
            StoreReply::Identity(identity::identify(engine)?)
        }
        StoreRequest::Early { site, now, max_bytes, .. } => {
            StoreReply::Early(identity::early(engine, site, now, max_bytes)?.map(Box::new))
        }
        StoreRequest::Meet(meet) => {
            let peer = meet.peer.site;
            let met = identity::meet(engine, meet)?;
            suspect::heard_all(engine, peer)?;
            StoreReply::Met(met)
        }
        StoreRequest::Extract { peer, after, max_bytes, not_after, .. } => {
            fold::run(engine)?;
            match not_after {
                Some(latest) if identity::is_ahead(engine, latest)? => StoreReply::Ahead,
                _ => StoreReply::Extracted(extract::run(engine, peer, &after, max_bytes)?),
            }
        }
        StoreRequest::Apply { chunks, .. } => StoreReply::Applied(apply::run(engine, chunks)?),
        StoreRequest::Refuse { peer, refused, states, .. } => {
            StoreReply::Refused(apply::refuse(engine, peer, refused, states)?)
        }
        // Sites are bound by a hub's own store. Whoever serves others with a replica asks only whom it lets in.
        StoreRequest::Bind { .. } => StoreReply::Bound(true),
        StoreRequest::Judge { peer, permit, changesets, .. } => {
            fold::run(engine)?;
            StoreReply::Judged(judge(engine, peer, &permit, &changesets)?)
        }
        StoreRequest::Acked { peer, cursor, .. } => {
            identity::acked(engine, peer, &cursor)?;
            StoreReply::Done
        }
        StoreRequest::ClockJumped { .. } => {
            identity::clock_jumped(engine)?;
            StoreReply::Done
        }
        StoreRequest::Announce { .. } => {
            identity::announce(engine)?;
            StoreReply::Done
        }
    })
}

/// With whom the session is that asks, once it is introduced.
fn of_session(request: &StoreRequest) -> Option<SiteId> {
    match request {
        StoreRequest::Extract { peer, .. }
        | StoreRequest::Refuse { peer, .. }
        | StoreRequest::Acked { peer, .. } => Some(*peer),
        StoreRequest::Apply { chunks, .. } => chunks.first().map(|chunk| chunk.peer),
        _ => None,
    }
}

impl LocalStore for Replica {
    fn changed(&mut self) -> Result<bool, StoreError> {
        Replica::changed(self)
    }

    fn committed(&self) -> BoxStream<'static, ()> {
        Replica::committed(self)
    }

    fn summary(&mut self) -> Result<Summary, StoreError> {
        self.with(|open| status::summary(&open.engine))
    }

    fn suspend(&self) {
        Replica::suspend(self);
    }

    fn resume(&self) {
        Replica::resume(self);
    }
}

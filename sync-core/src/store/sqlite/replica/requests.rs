//! A replica as the store of the state machines.

use futures::stream::BoxStream;

use super::handle::Replica;
use super::status;
use crate::driver::{LocalStore, Summary};
use crate::id::SiteId;
use crate::store::sqlite::engine::Engine;
use crate::store::sqlite::{apply, extract, fold, identity, schema_change};
use crate::store::{ChunkOutcome, Store, StoreError, StoreErrorKind, StoreReply, StoreRequest};

impl Store for Replica {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        let (reply, shown) = self.with(|open| {
            ensure_tracked(&open.engine)?;
            open.engine.write(|engine| {
                let settled = schema_change::settle(engine)?;
                engine.shown_by_folds.extend(settled);
                let reply = answer(engine, request)?;
                let shown = std::mem::take(&mut engine.shown_by_folds);
                Ok((reply, shown.into_rows(&engine.catalog)))
            })
        })?;
        self.readers().publish(&shown);
        if let StoreReply::Applied(outcomes) = &reply {
            let mut any = false;
            for outcome in outcomes {
                if let ChunkOutcome::Applied { committed: Some(committed), .. } = outcome {
                    self.readers().publish(&committed.shown);
                    any = true;
                }
            }
            if any {
                self.notify_others();
            }
        }
        Ok(reply)
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
        StoreRequest::Identify { .. } => StoreReply::Identity(identity::identify(engine)?),
        StoreRequest::Meet(meet) => StoreReply::Met(identity::meet(engine, meet)?),
        StoreRequest::Extract { peer, after, max_bytes, not_after, .. } => {
            fold::run(engine)?;
            match not_after {
                Some(latest) if identity::is_ahead(engine, latest)? => StoreReply::Ahead,
                _ => StoreReply::Extracted(extract::run(engine, peer, &after, max_bytes)?),
            }
        }
        StoreRequest::Apply { chunks, .. } => StoreReply::Applied(apply::run(engine, chunks)?),
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
        StoreRequest::Extract { peer, .. } | StoreRequest::Acked { peer, .. } => Some(*peer),
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

//! A store that is looked at while it works: what oracles hear of logs and of who holds them.

use std::sync::Arc;

use futures::stream::BoxStream;
use pocketsync_core::driver::{LocalStore, Summary};
use pocketsync_core::id::SiteId;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::store::{
    ChunkOutcome, Identity, Mark, Met, Store, StoreError, StoreReply, StoreRequest,
};

use super::process::Process;
use crate::history::Event;
use crate::story::DeviceNo;

/// A store, and whose it is.
#[derive(Clone)]
pub(super) struct Watched<S> {
    inner: S,
    process: Arc<Process>,
    /// `None`: the hub's.
    device: Option<DeviceNo>,
}

impl<S> Watched<S> {
    pub(super) fn new(inner: S, process: &Arc<Process>, device: Option<DeviceNo>) -> Self {
        Watched { inner, process: Arc::clone(process), device }
    }

    fn position(&self, scope: u32, head: &Cursor) {
        if let Some(site) = self.process.site() {
            let (device, site, seq) = (self.device, *site.as_bytes(), Mark::of(head).base);
            self.process.saw(Event::Position { device, scope, site, seq });
        }
    }

    fn holds(&self, scope: u32, of: SiteId, held: &Cursor) {
        let (of, stamp, seq) = (*of.as_bytes(), held.stamp.0, Mark::of(held).base);
        self.process.saw(Event::Holds { device: self.device, scope, of, stamp, seq });
    }

    fn identified(&self, scope: u32, identity: &Identity) {
        self.process.writes_as(identity.site);
        self.position(scope, &identity.head);
        for holding in &identity.holdings {
            self.holds(scope, holding.replica, &holding.cursor);
        }
    }

    fn applied(&self, scope: u32, peers: &[SiteId], outcomes: &[ChunkOutcome]) {
        for (index, outcome) in outcomes.iter().enumerate() {
            let Some(&peer) = peers.get(index) else { return };
            match outcome {
                ChunkOutcome::Staged { held } => self.holds(scope, peer, held),
                ChunkOutcome::Applied { held, committed } => {
                    self.holds(scope, peer, held);
                    if let Some(committed) = committed {
                        self.position(scope, &committed.to);
                    }
                }
                _ => {}
            }
        }
    }
}

impl<S: Store> Store for Watched<S> {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        let scope = scope_no(request.scope().as_str());
        let peers: Vec<SiteId> = match &request {
            StoreRequest::Apply { chunks, .. } => chunks.iter().map(|chunk| chunk.peer).collect(),
            _ => Vec::new(),
        };
        let reply = self.inner.run(request)?;
        match &reply {
            StoreReply::Identity(identity) => self.identified(scope, identity),
            StoreReply::Met(Met::Resume(resume)) => {
                self.holds(scope, resume.holding.replica, &resume.holding.cursor);
            }
            StoreReply::Met(Met::Forked { site }) => self.process.writes_as(*site),
            StoreReply::Applied(outcomes) => self.applied(scope, &peers, outcomes),
            StoreReply::Extracted(extracted) if extracted.last => self.position(scope, &extracted.to),
            _ => {}
        }
        Ok(reply)
    }
}

impl<S: LocalStore> LocalStore for Watched<S> {
    fn changed(&mut self) -> Result<bool, StoreError> {
        self.inner.changed()
    }

    fn committed(&self) -> BoxStream<'static, ()> {
        self.inner.committed()
    }

    fn summary(&mut self) -> Result<Summary, StoreError> {
        let summary = self.inner.summary()?;
        self.process.counting();
        Ok(summary)
    }

    fn suspend(&self) {
        self.inner.suspend();
    }

    fn resume(&self) {
        self.inner.resume();
    }
}

/// What the scope of this number is called.
pub(super) fn scope_name(number: u32) -> String {
    format!("s{number}")
}

pub(super) fn scope_no(name: &str) -> u32 {
    name.strip_prefix('s').and_then(|number| number.parse().ok()).unwrap_or(0)
}

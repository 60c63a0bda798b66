//! Exchanges with a store, as sessions make them: by requests, and cut off where the link breaks.

use std::sync::Arc;

use pocketsync_core::change::Changeset;
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Cursor;
use pocketsync_core::store::sqlite::{apply, extract, identity};
use pocketsync_core::store::{
    Chunk, ChunkOutcome, Identity, Meet, Met, Peer, Resume, Store, StoreError, StoreReply, StoreRequest,
};

use crate::replica::Replica;

/// How an exchange goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// About how many bytes a piece has.
    pub(super) max_bytes: usize,
    /// After how many pieces the link breaks: of those that go to the hub, and of those that come.
    pub(super) pieces: [usize; 2],
    /// Whether what comes is first.
    pub(super) pulls_first: bool,
    /// Whether acknowledgements arrive.
    pub(super) acks: bool,
}

impl Link {
    /// One that does not break.
    pub(super) const WHOLE: Link =
        Link { max_bytes: 1 << 20, pieces: [usize::MAX; 2], pulls_first: false, acks: true };
}

impl Store for Replica {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        if let StoreRequest::Identify { .. } = request {
            return Ok(StoreReply::Identity(identity::identify(&self.engine)?));
        }
        self.engine.write(|engine| {
            Ok(match request {
                StoreRequest::Meet(meet) => StoreReply::Met(identity::meet(engine, meet)?),
                StoreRequest::Extract { peer, after, max_bytes, .. } => {
                    StoreReply::Extracted(extract::run(engine, peer, &after, max_bytes)?)
                }
                StoreRequest::Apply { chunks, .. } => StoreReply::Applied(apply::run(engine, chunks)?),
                StoreRequest::Acked { peer, cursor, .. } => {
                    identity::acked(engine, peer, &cursor)?;
                    StoreReply::Done
                }
                other => panic!("nobody asks that here: {other:?}"),
            })
        })
    }
}

pub(super) fn scope() -> Scope {
    Scope::new("accounts").expect("a name")
}

/// A device and its hub meet, and tell each other what they have.
pub(super) fn exchange(device: &mut dyn Store, hub: &mut dyn Store, link: Link) {
    let (us, them) = (identify(device), identify(hub).site);
    let holding = us.holdings.into_iter().find(|holding| holding.replica == them);
    let peer = Peer { site: us.site, lineage: us.lineage, head: us.head };
    let welcome = meet(hub, Meet { scope: scope(), peer, holding, resumes: None, clock: None });
    let (holding, resumes) = (Some(welcome.holding), Some(welcome.send_from.clone()));
    let resume = meet(device, Meet { scope: scope(), peer: welcome.us, holding, resumes, clock: None });
    let Link { max_bytes, pieces: [push, pull], acks, .. } = link;
    if link.pulls_first {
        one_way(hub, device, welcome.send_from.clone(), (max_bytes, pull, acks));
    }
    one_way(device, hub, resume.send_from, (max_bytes, push, acks));
    if !link.pulls_first {
        one_way(hub, device, welcome.send_from, (max_bytes, pull, acks));
    }
}

fn meet(store: &mut dyn Store, meet: Meet) -> Resume {
    match store.run(StoreRequest::Meet(meet)) {
        Ok(StoreReply::Met(Met::Resume(resume))) if !resume.rewound => *resume,
        other => panic!("nobody was restored here: {other:?}"),
    }
}

fn identify(store: &mut dyn Store) -> Identity {
    match store.run(StoreRequest::Identify { scope: scope() }) {
        Ok(StoreReply::Identity(identity)) => identity,
        other => panic!("{other:?}"),
    }
}

fn one_way(
    from: &mut dyn Store,
    to: &mut dyn Store,
    mut after: Cursor,
    (max_bytes, pieces, acks): (usize, usize, bool),
) {
    let (us, peer): (Identity, SiteId) = (identify(from), identify(to).site);
    let lineage = Arc::new(us.lineage);
    for _ in 0..pieces {
        let request =
            StoreRequest::Extract { scope: scope(), peer, after: after.clone(), max_bytes, not_after: None };
        let extracted = match from.run(request) {
            Ok(StoreReply::Extracted(extracted)) => extracted,
            other => panic!("{other:?}"),
        };
        // What goes over the wire is bytes.
        let changeset = Changeset::decode(&extracted.changeset.encode());
        assert_eq!(changeset.as_ref(), Ok(&extracted.changeset));
        assert!(extracted.last || extracted.to != after, "an extract without progress");
        let to_cursor = extracted.to.clone();
        let chunk = Chunk {
            peer: us.site,
            lineage: Arc::clone(&lineage),
            from: after,
            to: extracted.to,
            last: extracted.last,
            changeset: extracted.changeset,
            seen: extracted.seen,
        };
        match to.run(StoreRequest::Apply { scope: scope(), chunks: vec![chunk] }) {
            Ok(StoreReply::Applied(outcomes)) => {
                assert!(!matches!(outcomes[..], [ChunkOutcome::Gap { .. }]), "{outcomes:?}");
            }
            other => panic!("{other:?}"),
        }
        if acks {
            let cursor = to_cursor.clone();
            let done = from.run(StoreRequest::Acked { scope: scope(), peer, cursor });
            assert_eq!(done, Ok(StoreReply::Done));
        }
        after = to_cursor;
        if extracted.last {
            return;
        }
    }
}

//! Requests that are done together have the results that they have alone.

use crate::store_support::*;
use pocketsync_core::change::Changeset;
use pocketsync_core::id::Scope;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::store::{
    ChunkOutcome, HubStore, HubStoreOptions, Store, StoreError, StoreErrorKind, StoreReply, StoreRequest,
};
use pocketsync_core::value::Value;
use proptest::prelude::*;

const SCOPES: usize = 3;

fn open(path: &std::path::Path) -> HubStore {
    let mut options = HubStoreOptions::default();
    options.max_scope_bytes = Some(3_000);
    HubStore::open(path, options).unwrap()
}

fn named(scope: usize) -> Scope {
    Scope::new(format!("scope {scope}")).unwrap()
}

#[derive(Clone, Debug)]
enum Ask {
    /// A site tells its next group, or one that does not follow on what is held; some are too large.
    Push {
        scope: usize,
        site: u8,
        row: i64,
        bytes: usize,
        follows: bool,
    },
    Read {
        scope: usize,
    },
    Acked {
        scope: usize,
        site: u8,
    },
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let scope = || 0..SCOPES;
    let bytes = prop_oneof![8 => 0usize..50, 1 => Just(2_000usize), 1 => Just(4_000usize)];
    let push = (scope(), 1u8..4, 0i64..6, bytes, prop::bool::weighted(0.9))
        .prop_map(|(scope, site, row, bytes, follows)| Ask::Push { scope, site, row, bytes, follows });
    let ask = prop_oneof![
        6 => push,
        2 => scope().prop_map(|scope| Ask::Read { scope }),
        1 => (scope(), 1u8..4).prop_map(|(scope, site)| Ask::Acked { scope, site }),
    ];
    prop::collection::vec(ask, 1..30)
}

/// A hub, and how far it holds each site.
struct Asked {
    hub: HubStore,
    clock: u64,
}

impl Asked {
    fn requests(&mut self, asks: &[Ask], held: &mut [[u64; 4]; SCOPES]) -> Vec<StoreRequest> {
        asks.iter().map(|ask| self.request(ask, held)).collect()
    }

    fn request(&mut self, ask: &Ask, held: &mut [[u64; 4]; SCOPES]) -> StoreRequest {
        match *ask {
            Ask::Push { scope, site: by, row: n, bytes, follows } => {
                self.clock += 1;
                let mut changeset = changes(vec![row(n, version(NOW + self.clock, by), true, &[(0, n)])]);
                changeset.tables[0].rows[0].cells[0].value = Value::Blob(vec![by; bytes]);
                let at = &mut held[scope][usize::from(by)];
                let from = if follows { *at } else { *at + 7 };
                *at += u64::from(follows);
                StoreRequest::Apply {
                    scope: named(scope),
                    chunks: vec![group(site(by), from, from + 1, changeset)],
                }
            }
            Ask::Read { scope } => StoreRequest::Extract {
                scope: named(scope),
                peer: site(9),
                after: Cursor::ZERO,
                max_bytes: 1 << 20,
                not_after: None,
            },
            Ask::Acked { scope, site: by } => {
                StoreRequest::Acked { scope: named(scope), peer: site(by), cursor: Cursor::ZERO }
            }
        }
    }

    fn everything(&mut self, scope: usize) -> Changeset {
        let request = self.request(&Ask::Read { scope }, &mut [[0; 4]; SCOPES]);
        let StoreReply::Extracted(extracted) = self.hub.run(request).unwrap() else { panic!() };
        extracted.changeset
    }
}

/// What of a reply is the same at each hub: stamps are not.
fn said(reply: &Result<StoreReply, StoreError>) -> String {
    match reply {
        Ok(StoreReply::Extracted(extracted)) => format!("{:?} to {}", extracted.changeset, extracted.to.seq),
        Ok(StoreReply::Applied(outcomes)) => {
            let applied = |outcome: &ChunkOutcome| matches!(outcome, ChunkOutcome::Applied { .. });
            format!("applied {:?}", outcomes.iter().map(applied).collect::<Vec<_>>())
        }
        Ok(_) => "done".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn requests_together_do_what_they_do_alone(batches in prop::collection::vec(asks(), 1..4)) {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["together.db", "alone.db"].map(|name| dir.path().join(name));
        let mut hubs = paths.clone().map(|path| Asked { hub: open(&path), clock: 0 });
        // What fails is not held; the rest of the site's groups do not follow on it then, at either hub.
        let mut held = [[[0; 4]; SCOPES]; 2];
        for asks in &batches {
            let requests = hubs[0].requests(asks, &mut held[0]);
            let together = hubs[0].hub.run_all(requests);
            let requests = hubs[1].requests(asks, &mut held[1]);
            let alone: Vec<_> = requests.into_iter().map(|request| hubs[1].hub.run(request)).collect();
            prop_assert_eq!(
                together.iter().map(said).collect::<Vec<_>>(),
                alone.iter().map(said).collect::<Vec<_>>()
            );
        }
        let [together, alone] = hubs;
        drop((together.hub, alone.hub));
        let mut hubs = paths.map(|path| Asked { hub: open(&path), clock: 0 });
        for scope in 0..SCOPES {
            let [together, alone] = &mut hubs;
            prop_assert_eq!(together.everything(scope), alone.everything(scope));
        }
    }
}

#[test]
fn what_does_not_fit_takes_nothing_else_along() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut hub = Asked { hub: open(&path), clock: 0 };
    let push = |scope, row, bytes| Ask::Push { scope, site: 1, row, bytes, follows: true };
    let asks = [push(0, 1, 10), push(1, 1, 9_000), push(0, 2, 10), push(2, 1, 10)];
    let requests = hub.requests(&asks, &mut [[0; 4]; SCOPES]);
    let replies = hub.hub.run_all(requests);
    assert_eq!(replies[1].as_ref().unwrap_err().kind, StoreErrorKind::Quota);
    assert_eq!(replies.iter().filter(|reply| reply.is_ok()).count(), 3);
    drop(hub);
    let mut hub = Asked { hub: open(&path), clock: 0 };
    let rows = [0, 1, 2].map(|scope| hub.everything(scope).row_count());
    assert_eq!(rows, [2, 0, 1]);
}

#[test]
fn where_the_file_is_full_none_of_them_has_happened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut options = HubStoreOptions::default();
    options.max_bytes = Some(400_000);
    let mut hub = Asked { hub: HubStore::open(&path, options).unwrap(), clock: 0 };
    let push = |scope, row, bytes| Ask::Push { scope, site: 1, row, bytes, follows: true };
    let mut held = [[0; 4]; SCOPES];
    let before = hub.requests(&[push(0, 1, 10)], &mut held);
    assert!(hub.hub.run_all(before)[0].is_ok());
    let asks = [push(0, 2, 10), push(1, 1, 900_000), push(2, 1, 10)];
    let requests = hub.requests(&asks, &mut held);
    let replies = hub.hub.run_all(requests);
    assert_eq!(replies[1].as_ref().unwrap_err().kind, StoreErrorKind::Full);
    // Whoever was told that it is done finds it done, and nobody else's is half there.
    let rows = [0, 1, 2].map(|scope| hub.everything(scope).row_count());
    let expected = [0, 2].map(|n| usize::from(replies[n].is_ok()));
    assert_eq!(rows, [1 + expected[0], 0, expected[1]]);
    // And it goes on.
    held[0][1] = 1 + expected[0] as u64;
    let after = hub.requests(&[push(0, 3, 10)], &mut held);
    assert!(hub.hub.run_all(after)[0].is_ok());
}

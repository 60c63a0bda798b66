//! A site belongs to whoever used it first.

use std::collections::VecDeque;

use crate::pair::{HubRig, hello, scope, site, talk};
use pocketsync_core::hub::HubConfig;
use pocketsync_core::lineage::Stamp;
use pocketsync_core::store::{HubStore, HubStoreOptions, MemoryStore, Store, StoreReply, StoreRequest};
use pocketsync_core::wire::{ErrorCode, Message};

fn bound(store: &mut dyn Store, n: u8, identity: &str) -> bool {
    let request = StoreRequest::Bind { scope: scope(), site: site(n), identity: identity.to_owned() };
    let StoreReply::Bound(bound) = store.run(request).unwrap() else { panic!("it was asked to bind") };
    bound
}

#[test]
fn a_store_remembers_who_came_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut file = HubStore::open(&path, HubStoreOptions::default()).unwrap();
    let mut memory = MemoryStore::hub(site(200), Stamp(1));
    for store in [&mut file as &mut dyn Store, &mut memory] {
        assert!(bound(store, 1, "alice"));
        assert!(bound(store, 1, "alice"), "again");
        assert!(!bound(store, 1, "bob"));
        assert!(bound(store, 2, "bob"));
        assert!(bound(store, 3, "alice"), "an identity may have many");
        let other = StoreRequest::Bind {
            scope: pocketsync_core::id::Scope::new("other").unwrap(),
            site: site(1),
            identity: "bob".to_owned(),
        };
        assert_eq!(store.run(other).unwrap(), StoreReply::Bound(true), "each scope for itself");
    }
    drop(file);
    let mut file = HubStore::open(&path, HubStoreOptions::default()).unwrap();
    assert!(!bound(&mut file, 1, "bob"), "after a restart as well");
}

#[test]
fn who_claims_a_site_is_refused_and_its_owner_notices_nothing() {
    let mut rig = HubRig::new(HubConfig::default());
    let owner = talk::join(&mut rig, 1);
    rig.identity = "mallory";
    let claims = rig.open();
    let heard = rig.say(claims, &Message::Hello(hello(site(1), talk::lineage(1))));
    let [Message::Error(error)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(error.code, ErrorCode::SiteTaken);
    assert!(error.message.contains("--new-site"), "the way out is named: {error}");
    assert!(!error.code.is_retryable());
    assert!(!rig.closed.contains_key(&owner), "the older session is not the newer one's to end");
    let heard = rig.say(owner, &talk::push(1, 0, "of the owner"));
    assert!(matches!(heard[..], [Message::Ack(_)]), "{heard:?}");
    // Under a site of its own it gets in.
    talk::join(&mut rig, 2);
}

#[test]
fn who_is_gone_before_the_store_has_answered_takes_no_place() {
    let mut rig = HubRig::new(HubConfig::default());
    let owner = talk::join(&mut rig, 1);
    rig.held = Some(VecDeque::new());
    let again = rig.open();
    rig.say(again, &Message::Hello(hello(site(1), talk::lineage(1))));
    rig.hub.handle_lost(rig.now, again, "gone");
    rig.release();
    assert!(!rig.closed.contains_key(&owner));
    assert_eq!(rig.hub.connections(), 1);
}

#[test]
fn where_everybody_is_the_same_nothing_is_bound() {
    let mut rig = HubRig::new(HubConfig::default());
    rig.anybody = true;
    talk::join(&mut rig, 1);
    (rig.anybody, rig.identity) = (false, "alice");
    talk::join(&mut rig, 1);
    (rig.anybody, rig.identity) = (true, "anybody");
    talk::join(&mut rig, 1);
}

#[test]
fn an_identity_has_so_many_sessions_and_another_one_its_own() {
    let mut config = HubConfig::default();
    config.max_sessions_per_identity = 2;
    let mut rig = HubRig::new(config);
    talk::join(&mut rig, 1);
    let second = talk::join(&mut rig, 2);
    let third = rig.open();
    let heard = rig.say(third, &Message::Hello(hello(site(3), talk::lineage(3))));
    let [Message::Error(error)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((error.code, error.retry_after_ms), (ErrorCode::Overloaded, Some(5_000)));
    // A device that comes back takes the place of its older session.
    let again = talk::join(&mut rig, 2);
    assert!(rig.closed.contains_key(&second));
    rig.identity = "bob";
    talk::join(&mut rig, 4);
    rig.identity = "test";
    rig.say(again, &Message::Bye);
    talk::join(&mut rig, 3);
}

//! Introductions, and whether the other side is still there.

use std::time::Duration;

use crate::pair::{HubRig, SessionRig, hello, scope, site, welcome};
use futures::FutureExt;
use pocketsync_core::admission::{Admission, SharedToken};
use pocketsync_core::hub::HubConfig;
use pocketsync_core::id::Scope;
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::session::{AdmitRequest, SessionEnd};
use pocketsync_core::store::{
    Holding, Knowledge, Meet, MemoryStore, Met, Peer, Store, StoreReply, StoreRequest,
};
use pocketsync_core::wire::{ErrorCode, Message, PROTOCOL, Welcome, WireError, frame};

fn lineage() -> Lineage {
    let mut lineage = Lineage::default();
    lineage.open(0, Stamp(77));
    lineage
}

/// What the hub says last on a connection that it ends.
fn refusal(heard: &[Message]) -> &WireError {
    match heard.last() {
        Some(Message::Error(error)) => error,
        other => panic!("no error but {other:?}"),
    }
}

#[test]
fn every_prefix_of_a_hello_waits_or_is_refused() {
    let bytes = frame::cut(&Message::Hello(hello(site(1), lineage())), 1 << 20).remove(0);
    for cut in 0..bytes.len() {
        let mut rig = HubRig::new(HubConfig::default());
        let conn = rig.open();
        rig.frame(conn, bytes.slice(..cut));
        assert!(rig.closed.contains_key(&conn), "a truncated frame of {cut} bytes");
    }
}

#[test]
fn a_second_introduction_is_refused() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.join(site(1), lineage());
    let heard = rig.say(conn, &Message::Hello(hello(site(1), lineage())));
    assert_eq!(refusal(&heard).code, ErrorCode::BadMessage);
}

#[test]
fn protocols_without_a_common_version_part() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.open();
    let mut newer = hello(site(1), lineage());
    (newer.protocol, newer.min_protocol) = (9, 8);
    let heard = rig.say(conn, &Message::Hello(newer));
    assert_eq!(refusal(&heard).code, ErrorCode::Protocol);
    assert!(!rig.closed[&conn].is_retryable());
}

#[test]
fn a_newer_protocol_that_speaks_ours_is_welcome() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.open();
    let mut newer = hello(site(1), lineage());
    newer.protocol = 9;
    let heard = rig.say(conn, &Message::Hello(newer));
    assert!(matches!(&heard[0], Message::Welcome(Welcome { protocol: PROTOCOL, .. })));
}

#[test]
fn a_refused_token_is_told_and_not_tried_again() {
    let mut rig = HubRig::new(HubConfig::default());
    let request =
        AdmitRequest { scope: scope(), site: site(1), token: Some("wrong".to_owned()), identity: None };
    let admission = SharedToken::new("right");
    rig.verdict = admission.admit(&request).now_or_never().and_then(Result::err);
    let conn = rig.open();
    let heard = rig.say(conn, &Message::Hello(hello(site(1), lineage())));
    assert_eq!(refusal(&heard).code, ErrorCode::Unauthorized);
    assert!(!rig.closed[&conn].is_retryable());
    assert!(!format!("{request:?}").contains("wrong"), "a token does not end in a log");
}

#[test]
fn a_silent_handshake_times_out() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.open();
    rig.pass(Duration::from_secs(14));
    assert!(!rig.closed.contains_key(&conn));
    rig.pass(Duration::from_secs(1));
    assert!(matches!(rig.closed[&conn], SessionEnd::Lost(_)));
    assert_eq!(refusal(&rig.heard(conn)).code, ErrorCode::Timeout);
}

#[test]
fn a_silent_peer_is_asked_and_then_given_up() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = rig.join(site(1), lineage());
    rig.pass(Duration::from_secs(20));
    assert_eq!(rig.heard(conn), [Message::Ping(1)]);
    rig.say(conn, &Message::Pong(1));
    rig.pass(Duration::from_secs(59));
    assert!(!rig.closed.contains_key(&conn), "it answered");
    rig.pass(Duration::from_secs(1));
    assert!(matches!(rig.closed[&conn], SessionEnd::Lost(_)));
}

#[test]
fn the_deadline_says_when_and_why() {
    let mut rig = HubRig::new(HubConfig::default());
    rig.open();
    let deadline = rig.deadline.unwrap();
    assert_eq!(deadline.at, Some(Duration::from_secs(16)));
    assert!(deadline.reason.contains("handshake"));
}

#[test]
fn an_acceptor_serves_its_own_scope_only() {
    let mut rig = SessionRig::accept(MemoryStore::device(site(2), Stamp(1)));
    let mut elsewhere = hello(site(1), lineage());
    elsewhere.scope = Scope::new("other").unwrap();
    let heard = rig.say(&Message::Hello(elsewhere));
    assert_eq!(refusal(&heard).code, ErrorCode::Forbidden);
}

#[test]
fn a_copy_of_oneself_is_sent_to_a_hub_first() {
    let mut rig = SessionRig::accept(MemoryStore::device(site(2), Stamp(1)));
    let heard = rig.say(&Message::Hello(hello(site(2), lineage())));
    assert_eq!(refusal(&heard).code, ErrorCode::BadMessage);
    assert!(rig.closed.unwrap().is_retryable());
}

#[test]
fn a_replica_that_forked_between_its_hello_and_its_welcome_introduces_itself_again() {
    let mut rig = SessionRig::connect(MemoryStore::device(site(1), Stamp(1)));
    // Another session of the same file finds out that it was restored.
    let knowledge = Knowledge { counter: 9, ..Knowledge::default() };
    let holding = Some(Holding { knowledge, ..Holding::none(site(1)) });
    let peer = Peer { site: site(3), lineage: lineage(), head: Cursor::ZERO };
    let meet = Meet { scope: scope(), peer, holding, resumes: None, clock: None };
    let met = rig.store.run(StoreRequest::Meet(meet)).unwrap();
    let StoreReply::Met(Met::Forked { site: new }) = met else { panic!("{met:?}") };
    rig.said.clear();
    rig.say(&Message::Welcome(welcome(site(200), site(1))));
    assert_eq!(rig.closed, Some(SessionEnd::Forked { site: new }));
}

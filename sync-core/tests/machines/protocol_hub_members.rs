//! Who is connected to a hub: limits, replicas that come back, and the end of a connection.

use crate::pair::talk::{error, join, lineage, push, pushes};
use crate::pair::{HubRig, hello, scope, site};
use pocketsync_core::hub::HubConfig;
use pocketsync_core::id::Scope;
use pocketsync_core::session::SessionEnd;
use pocketsync_core::wire::{ErrorCode, Message, WireError};

#[test]
fn a_replica_that_connects_again_ends_its_old_connection() {
    let mut rig = HubRig::new(HubConfig::default());
    let old = join(&mut rig, 1);
    let other = join(&mut rig, 2);
    let new = join(&mut rig, 1);
    assert!(rig.closed.contains_key(&old));
    assert_eq!(error(&mut rig, old).code, ErrorCode::Replaced);
    rig.say(other, &push(2, 0, "x"));
    assert_eq!(pushes(rig.heard(new)).len(), 1);
}

#[test]
fn who_is_not_admitted_ends_nobody() {
    let mut rig = HubRig::new(HubConfig::default());
    let old = join(&mut rig, 1);
    let refused = WireError { code: ErrorCode::Unauthorized, message: "no".to_owned(), retry_after_ms: None };
    rig.verdict = Some(refused);
    let thief = rig.open();
    rig.say(thief, &Message::Hello(hello(site(1), lineage(1))));
    assert!(rig.closed.contains_key(&thief));
    assert!(!rig.closed.contains_key(&old));
}

#[test]
fn the_push_of_a_replaced_connection_does_not_hold_up_the_new_one() {
    let mut rig = HubRig::new(HubConfig::default());
    let (a, b) = (join(&mut rig, 1), join(&mut rig, 2));
    rig.held = Some(Default::default());
    rig.say(b, &push(2, 0, "b is under way"));
    rig.say(a, &push(1, 0, "a waits"));
    // While a's push waits for b's, a comes back.
    let again = rig.open();
    rig.say(again, &Message::Hello(hello(site(1), lineage(1))));
    while rig.held.as_ref().is_some_and(|held| !held.is_empty()) {
        rig.release();
        rig.held = Some(Default::default());
    }
    rig.release();
    assert!(matches!(rig.closed[&a], SessionEnd::WeFailed(_)));
    let heard = rig.say(again, &push(1, 0, "a waits"));
    assert!(heard.iter().any(|message| matches!(message, Message::Ack(_))), "{heard:?}");
    assert_eq!(rig.store.rows(&scope())["note"].len(), 2);
}

#[test]
fn connections_over_the_limit_are_told_to_come_back() {
    let mut config = HubConfig::default();
    config.max_connections = 2;
    let mut rig = HubRig::new(config);
    rig.open();
    rig.open();
    let third = rig.open();
    let error = error(&mut rig, third);
    assert_eq!(error.code, ErrorCode::Overloaded);
    assert!(error.retry_after_ms.is_some());
    assert_eq!(rig.hub.connections(), 2);
}

#[test]
fn a_scope_takes_so_many_sessions_and_others_are_not_concerned() {
    let mut config = HubConfig::default();
    config.max_sessions_per_scope = 2;
    let mut rig = HubRig::new(config);
    join(&mut rig, 1);
    join(&mut rig, 2);
    let third = rig.open();
    rig.say(third, &Message::Hello(hello(site(3), lineage(3))));
    assert!(rig.closed.contains_key(&third));
    let mut elsewhere = hello(site(3), lineage(3));
    elsewhere.scope = Scope::new("other").unwrap();
    let fourth = rig.open();
    let heard = rig.say(fourth, &Message::Hello(elsewhere));
    assert!(matches!(heard[0], Message::Welcome(_)));
    // A member that comes back takes its own place.
    join(&mut rig, 2);
}

#[test]
fn a_shut_down_hub_says_so_and_takes_nobody() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = join(&mut rig, 1);
    rig.hub.shutdown(rig.now);
    rig.pass(std::time::Duration::ZERO);
    assert_eq!(error(&mut rig, conn).code, ErrorCode::Closing);
    assert_eq!(rig.hub.connections(), 0);
    let late = rig.open();
    assert_eq!(error(&mut rig, late).code, ErrorCode::Closing);
    assert_eq!(rig.deadline.unwrap().at, None, "nothing is left to wait for");
}

#[test]
fn a_revoked_connection_is_told() {
    let mut rig = HubRig::new(HubConfig::default());
    let conn = join(&mut rig, 1);
    let why = WireError { code: ErrorCode::Forbidden, message: "revoked".to_owned(), retry_after_ms: None };
    rig.hub.close(rig.now, conn, why.clone());
    rig.pass(std::time::Duration::ZERO);
    assert_eq!(error(&mut rig, conn), why);
    assert!(rig.closed.contains_key(&conn));
}

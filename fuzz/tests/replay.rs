//! Machines, stores and replicas, on what was kept of earlier runs.

mod replaying;

use replaying::replay;

#[test]
fn accounts() {
    replay("accounts", 300);
}

#[test]
fn apply() {
    replay("apply", 200);
}

#[test]
fn histories() {
    replay("histories", 300);
}

#[test]
fn hub() {
    replay("hub", 300);
}

#[test]
fn merge() {
    replay("merge", 400);
}

#[test]
fn replicas() {
    replay("replicas", 150);
}

#[test]
fn session() {
    replay("session", 400);
}

#[test]
fn tracking() {
    replay("tracking", 200);
}

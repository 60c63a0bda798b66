//! Fleets: many devices in one process.

use std::sync::Arc;

use crate::support::{FieldTeam, MINUTE, SECOND, Teller, must_converge};
use pocketsync_core::hub::HubConfig;
use pocketsync_sim::engine::Engine;
use pocketsync_sim::machines::Machines;
use pocketsync_sim::oracle::{Case, Judge};
use pocketsync_sim::shape::Shape;
use pocketsync_sim::story::Act;

#[test]
fn two_hundred_devices_of_field_teams_converge() {
    let team = FieldTeam { devices: 200, team: 20, days: 1, writes_a_day: 8 };
    let (outcome, seen) = must_converge(&team.tell(1));
    assert_eq!(seen.settled, 10, "every scope is looked at in the end");
    assert!(outcome.measures.transactions > 1_000 && seen.max_rows > 20);
    assert!(outcome.measures.converged_after_ms.is_some());
}

/// All devices go by one identity: more of them than a hub lets one have are online at once in the end.
#[test]
fn more_devices_than_an_identity_may_have_sessions_converge() {
    let devices = HubConfig::default().max_sessions_per_identity + 10;
    let mut teller = Teller::new(5, devices, 20 * SECOND);
    teller.write(2 * SECOND, 0, 0, Act::Insert);
    must_converge(&teller.tell());
}

#[test]
fn a_schema_that_begins_with_rows_is_refused() {
    let sql =
        "CREATE TABLE list(id INTEGER PRIMARY KEY, tag TEXT NOT NULL); INSERT INTO list VALUES (1, 'home');";
    let shape = Arc::new(Shape::of_sql(sql).unwrap());
    let case = Case { shape, story: Teller::new(1, 2, MINUTE).tell() };
    let mut judge = Judge::new(case.clone(), Vec::new(), false);
    let error = Machines.run(&case.shape, &case.story, &mut judge).unwrap_err();
    assert!(error.to_string().contains("use the world engine"), "{error}");
}

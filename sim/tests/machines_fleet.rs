//! Fleets: many devices in one process.

mod machines_support;

use machines_support::{FieldTeam, must_converge};

#[test]
fn two_hundred_devices_of_field_teams_converge() {
    let team = FieldTeam { devices: 200, team: 20, days: 1, writes_a_day: 8 };
    let (outcome, seen) = must_converge(&team.tell(1));
    assert_eq!(seen.settled, 10, "every scope is looked at in the end");
    assert!(outcome.measures.transactions > 1_000 && seen.max_rows > 20);
    assert!(outcome.measures.converged_after_ms.is_some());
}

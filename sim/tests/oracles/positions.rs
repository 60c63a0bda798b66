//! cursors, bounded: told by events alone.

use std::sync::Arc;

use pocketsync_sim::history::{Event, Fault};
use pocketsync_sim::oracle::{Bounded, Cursors, Oracle};
use pocketsync_sim::story::DeviceNo;

const D0: Option<DeviceNo> = Some(DeviceNo(0));
const HUB: Option<DeviceNo> = None;

fn position(device: Option<DeviceNo>, seq: u64) -> Event {
    Event::Position { device, scope: 0, site: [7; 16], seq }
}

fn holds(device: Option<DeviceNo>, stamp: u64, seq: u64) -> Event {
    Event::Holds { device, scope: 0, of: [9; 16], stamp, seq }
}

fn first_wrong(events: &[Event]) -> Option<usize> {
    let mut cursors = Cursors::default();
    events.iter().position(|event| cursors.saw(0, event).is_err())
}

#[test]
fn a_log_only_grows() {
    assert_eq!(first_wrong(&[position(D0, 1), position(D0, 4), position(D0, 4)]), None);
    assert_eq!(first_wrong(&[position(D0, 4), position(D0, 3)]), Some(1));
    assert_eq!(first_wrong(&[position(HUB, 4), position(D0, 3)]), None, "two logs");
    let restored = Event::Fault(Fault::Restored { device: DeviceNo(0), to: 0 });
    assert_eq!(first_wrong(&[position(D0, 4), restored.clone(), position(D0, 3)]), None);
    assert_eq!(first_wrong(&[position(D0, 4), restored, position(D0, 3), position(D0, 2)]), Some(3));
}

#[test]
fn what_is_held_only_moves_on() {
    assert_eq!(first_wrong(&[holds(D0, 1, 4), holds(D0, 1, 3)]), Some(1));
    assert_eq!(first_wrong(&[holds(D0, 1, 4), holds(D0, 2, 3)]), None, "another opening");
    let hub = Event::Fault(Fault::HubRestored { to: 0 });
    assert_eq!(first_wrong(&[holds(D0, 1, 4), hub.clone(), holds(D0, 1, 3)]), None);
    assert_eq!(first_wrong(&[holds(HUB, 1, 4), hub.clone(), holds(HUB, 1, 3)]), None);
    assert_eq!(
        first_wrong(&[holds(D0, 1, 4), hub, holds(D0, 1, 4), holds(D0, 1, 3), holds(D0, 1, 2)]),
        Some(4)
    );
    let copied = Event::Started { device: DeviceNo(1), copy_of: D0 };
    assert_eq!(first_wrong(&[holds(D0, 1, 4), copied, holds(D0, 1, 0)]), None, "it reads again");
    let crashed = Event::Fault(Fault::Crashed(DeviceNo(0)));
    assert_eq!(first_wrong(&[holds(D0, 1, 4), crashed, holds(D0, 1, 3)]), Some(2));
}

#[test]
fn gauges_stay_within_their_bounds() {
    let gauge = |value| Event::Gauge { name: "hub queue", device: HUB, value, bound: 8 };
    assert!(Bounded.saw(0, &gauge(8)).is_ok());
    assert!(Bounded.saw(0, &gauge(9)).is_err_and(|what| what.contains("hub queue of the hub: 9")));
}

#[test]
fn every_oracle_has_a_name_of_its_own() {
    use pocketsync_sim::oracle::{Case, all};
    let story = pocketsync_sim::story::Story {
        topology: Default::default(),
        seed: 0,
        devices: Vec::new(),
        moves: Vec::new(),
        quiet_at: 0,
        quiet_ms: 0,
        check_every_ms: 1,
    };
    let shape = pocketsync_sim::shape::Shape::default();
    let oracles = all(&Case { shape: Arc::new(shape), story: Arc::new(story) });
    let names: std::collections::BTreeSet<&str> = oracles.iter().map(|oracle| oracle.name()).collect();
    assert_eq!(names.len(), oracles.len());
    assert!(oracles.iter().all(|oracle| !oracle.promise().is_empty()));
}

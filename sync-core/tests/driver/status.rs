use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use pocketsync_core::driver::State;
use pocketsync_core::store::{StoreError, StoreErrorKind};
use pocketsync_core::transport::TransportError;

use super::world::{World, ms};

#[test]
fn live_means_that_both_sides_have_everything() {
    for seed in 0..20 {
        let world = World::new(seed);
        world.runtime.set_job_time(ms(seed % 4));
        world.network.set_max_frame_bytes(256);
        let a = world.device(1);
        for number in 0..300 {
            world.write(&a.replica, &format!("note {number} with some text, so that it takes many frames"));
        }
        world.runtime.block_on(a.client.sync_now()).unwrap();

        let b = world.device(2);
        let wrong = Arc::new(Mutex::new(Vec::new()));
        let (found, hub, replica) = (Arc::clone(&wrong), world.hub.clone(), b.replica.clone());
        let mut changes = b.client.status_changes();
        world.runtime.spawn(async move {
            while let Some(status) = changes.next().await {
                let rows = |replica: &pocketsync_core::testkit::MemoryReplica| {
                    replica.with(|store| store.rows(&super::world::scope()))
                };
                if status.is_in_sync() && (rows(&replica) != rows(&hub) || replica.pending() > 0) {
                    found.lock().unwrap().push(status);
                }
            }
        });
        world.until_live(&b);
        for number in 0..20 {
            world.write(&b.replica, &format!("more {number}"));
            b.replica.notify_committed();
            world.runtime.settle();
            let in_sync = b.client.status().is_in_sync();
            assert!(!in_sync || b.replica.pending() == 0, "seed {seed}: told, and still called in sync");
            world.runtime.advance(ms(number % 5 * 10));
        }
        world.until_live(&b);
        assert_eq!(*wrong.lock().unwrap(), [], "seed {seed}");
        world.until("converged", ms(500), || world.rows(&a.replica) == world.rows(&b.replica));
        world.assert_converged(&[&a.replica, &b.replica]);
    }
}

#[test]
fn what_is_pending_is_counted_while_offline() {
    let world = World::new(1);
    world.network.refuse(Some(TransportError::Unreachable("no route".to_owned())));
    let device = world.device(1);
    world.runtime.advance(ms(100));
    assert_eq!(device.client.status().pending, 0);
    world.write(&device.replica, "one");
    world.write(&device.replica, "two");
    world.runtime.advance(Duration::from_secs(2));
    assert_eq!(device.client.status().pending, 2);
    assert_eq!(device.client.status().last_sync_ms, None);
    world.network.refuse(None);
    world.until_live(&device);
    let status = device.client.status();
    assert_eq!((status.pending, status.failures), (0, 0));
    assert!(status.last_sync_ms.unwrap() <= world.wall_ms());
    assert_eq!(status.position.seq, 2);
    assert!(status.peer.is_some());
}

#[test]
fn commits_that_nobody_tells_of_are_noticed() {
    let world = World::new(2);
    let device = world.device(1);
    world.until_live(&device);
    world.runtime.advance(Duration::from_secs(60));
    world.write(&device.replica, "after a pause");
    world.until("sent", ms(300), || device.replica.pending() == 0);
    world.write(&device.replica, "soon after");
    world.until("sent at once", ms(30), || device.replica.pending() == 0);
}

#[test]
fn an_idle_driver_sleeps() {
    let world = World::new(3);
    let device = world.device(1);
    world.until_live(&device);
    world.runtime.advance(Duration::from_secs(60));
    let mut changes = device.client.status_changes();
    let _now = world.runtime.block_on(changes.next());
    let (requests, looks) = (device.replica.requests(), device.replica.looks());
    world.runtime.advance(Duration::from_secs(600));
    assert_eq!(device.replica.requests(), requests, "nothing is asked but whether something changed");
    let looks = device.replica.looks() - looks;
    assert!((2_350..=2_400).contains(&looks), "{looks} looks in ten minutes: four a second");
    assert_eq!(changes.next().now_or_never(), None, "and nothing is told");
    assert_eq!(device.state(), State::Live);
}

#[test]
fn a_store_that_cannot_be_looked_at_is_told_and_forgotten_when_it_can() {
    let world = World::new(4);
    let device = world.device(1);
    world.until_live(&device);
    device.replica.fail(Some(StoreError::new(StoreErrorKind::Io, "the disk is on fire")));
    world.runtime.advance(Duration::from_secs(2));
    let status = device.client.status();
    assert_eq!(status.last_error.unwrap().code, "io");
    assert_ne!(status.state, State::Live);
    device.replica.fail(None);
    world.until_live(&device);
    assert_eq!(device.client.status().last_error, None);
}

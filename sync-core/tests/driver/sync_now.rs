use std::time::Duration;

use futures::FutureExt;
use pocketsync_core::driver::{State, SyncError};
use pocketsync_core::transport::TransportError;

use super::world::{World, ms, texts};

#[test]
fn everything_committed_before_the_call_is_at_the_hub_after_it() {
    for seed in 0..40 {
        let world = World::new(seed);
        let device = world.device(1);
        world.runtime.set_job_time(ms(seed % 7));
        if seed % 2 == 0 {
            world.until_live(&device);
        }
        for round in 0..5 {
            world.write(&device.replica, &format!("round {round}"));
            let synced = device.client.sync_now();
            // What comes after the call need not be covered, and must not disturb.
            world.write(&device.replica, &format!("after round {round}"));
            world.runtime.block_on(synced).unwrap();
            let at_hub = texts(&world.rows(&world.hub));
            assert!(at_hub.contains(&format!("'round {round}'")), "seed {seed}: {at_hub:?}");
        }
    }
}

#[test]
fn everything_remote_is_here_after_it() {
    let world = World::new(1);
    let (a, b) = (world.device(1), world.device(2));
    world.runtime.block_on(b.client.sync_now()).unwrap();
    world.network.refuse(Some(TransportError::Unreachable("no route".to_owned())));
    world.network.cut_all();
    world.network.refuse(None);
    for number in 0..500 {
        world.write(&a.replica, &format!("note {number}"));
    }
    world.runtime.block_on(a.client.sync_now()).unwrap();
    world.runtime.block_on(b.client.sync_now()).unwrap();
    world.network.cut_all();
    world.runtime.block_on(b.client.sync_now()).unwrap();
    assert_eq!(world.rows(&b.replica), world.rows(&a.replica));
}

#[test]
fn a_writer_that_never_pauses_does_not_keep_the_caller_waiting() {
    let world = World::new(3);
    let device = world.device(1);
    world.until_live(&device);
    world.runtime.set_job_time(ms(3));
    let (writer, handle) = (device.replica.clone(), world.runtime.handle());
    world.runtime.spawn(async move {
        for number in 0..1_000_000 {
            handle.sleep_until(handle.now().mono + ms(1)).await;
            writer.write(handle.now().wall_ms, |tx| {
                tx.insert("note", &[("text", pocketsync_core::value::Value::Integer(number))])
            });
            writer.notify_committed();
        }
    });
    for _ in 0..20 {
        let before = world.runtime.now().mono;
        world.runtime.block_on(device.client.sync_now()).unwrap();
        assert!(world.runtime.now().mono - before < ms(200));
    }
}

#[test]
fn being_asked_while_offline_connects_at_once() {
    let world = World::new(4);
    world.network.refuse(Some(TransportError::Unreachable("no route".to_owned())));
    let device = world.device(1);
    world.runtime.advance(Duration::from_secs(600));
    world.network.refuse(None);
    world.write(&device.replica, "written offline");
    let before = world.runtime.now().mono;
    world.runtime.block_on(device.client.sync_now()).unwrap();
    assert!(world.runtime.now().mono - before < ms(50));
    assert_eq!(world.rows(&world.hub), world.rows(&device.replica));
}

#[test]
fn it_survives_lost_links() {
    let world = World::new(5);
    let device = world.device(1);
    world.until_live(&device);
    world.write(&device.replica, "before");
    let synced = device.client.sync_now();
    world.network.cut_all();
    world.runtime.block_on(synced).unwrap();
    assert_eq!(texts(&world.rows(&world.hub)), ["'before'"]);
}

#[test]
fn a_stopped_client_says_so() {
    let world = World::new(6);
    world.network.refuse(Some(TransportError::Unreachable("no route".to_owned())));
    let device = world.device(1);
    world.runtime.advance(ms(100));
    let waiting = device.client.sync_now();
    world.runtime.block_on(device.client.shutdown());
    let SyncError::Stopped(last) = world.runtime.block_on(waiting).unwrap_err() else { panic!() };
    assert_eq!(last.unwrap().code, "unreachable");
    assert!(world.runtime.block_on(device.client.sync_now()).is_err());

    let dropped = world.device(2);
    let waiting = dropped.client.sync_now();
    world.runtime.abort(dropped.task);
    assert!(matches!(waiting.now_or_never(), Some(Err(SyncError::Stopped(_)))));
    assert_eq!(dropped.state(), State::Stopped);
    assert!(dropped.client.shutdown().now_or_never().is_some());
}

#[test]
fn what_arrived_but_is_not_applied_yet_is_waited_for() {
    for seed in 0..20 {
        let world = World::new(seed);
        let (a, b) = (world.device(1), world.device(2));
        world.runtime.set_job_time(ms(1 + seed % 6));
        world.until_live(&a);
        world.until_live(&b);
        for round in 0..5 {
            world.write(&a.replica, &format!("a {round}"));
            world.write(&b.replica, &format!("b {round}"));
            world.runtime.block_on(a.client.sync_now()).unwrap();
            // Its own push is acknowledged behind what the hub had from the other.
            world.runtime.block_on(b.client.sync_now()).unwrap();
            let here = texts(&world.rows(&b.replica));
            assert!(here.contains(&format!("'a {round}'")), "seed {seed}: {here:?}");
        }
    }
}

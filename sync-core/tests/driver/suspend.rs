use std::time::Duration;

use futures::StreamExt;
use pocketsync_core::driver::State;

use super::world::{World, ms, texts};

#[test]
fn nothing_touches_the_store_while_suspended() {
    for seed in 0..30 {
        let world = World::new(seed);
        let device = world.device(1);
        world.runtime.set_job_time(ms(seed % 5));
        for number in 0..seed * 3 {
            world.write(&device.replica, &format!("note {number}"));
        }
        // At any moment: before the connection, in the handshake, in the middle of pushing.
        world.runtime.advance(Duration::from_micros(seed * 1_700));
        world.runtime.block_on(device.client.suspend(ms(200))).unwrap();
        assert_eq!(device.state(), State::Suspended);
        assert!(device.replica.is_suspended());
        let attempts = world.network.attempts();
        world.runtime.advance(ms(10));
        let requests = device.replica.requests();
        world.runtime.advance(Duration::from_secs(300));
        assert_eq!(device.replica.requests(), requests, "seed {seed}");
        assert_eq!(world.network.attempts(), attempts, "seed {seed}");
        assert_eq!(device.state(), State::Suspended);
        assert_eq!(world.server.status().connections, 0, "the hub was told");

        world.write(&device.replica, "written asleep");
        device.client.resume();
        world.until("live", ms(500), || device.state() == State::Live);
        assert!(texts(&world.rows(&world.hub)).contains(&"'written asleep'".to_owned()));
        world.assert_converged(&[&device.replica]);
    }
}

#[test]
fn a_call_made_asleep_is_answered_after_waking_up() {
    let world = World::new(1);
    let device = world.device(1);
    world.until_live(&device);
    world.runtime.block_on(device.client.suspend(ms(200))).unwrap();
    world.write(&device.replica, "written asleep");
    let synced = device.client.sync_now();
    world.runtime.advance(Duration::from_secs(5));
    device.client.resume();
    world.runtime.block_on(synced).unwrap();
    assert_eq!(texts(&world.rows(&world.hub)), ["'written asleep'"]);
}

#[test]
fn shutdown_says_goodbye_and_ends_the_driver() {
    for seed in 0..30 {
        let world = World::new(seed);
        let device = world.device(1);
        world.runtime.set_job_time(ms(seed % 5));
        world.runtime.advance(Duration::from_micros(seed * 1_700));
        if seed % 3 == 0 {
            world.runtime.block_on(device.client.suspend(ms(200))).unwrap();
        }
        let changes = device.client.status_changes();
        let before = world.runtime.now().mono;
        world.runtime.block_on(device.client.shutdown());
        assert!(world.runtime.now().mono - before < ms(100), "seed {seed}");
        assert!(world.runtime.is_finished(device.task));
        let last = world.runtime.block_on(changes.collect::<Vec<_>>());
        assert_eq!(last.last().unwrap().state, State::Stopped);
        world.runtime.advance(ms(100));
        assert_eq!(world.server.status().connections, 0, "seed {seed}");
    }
}

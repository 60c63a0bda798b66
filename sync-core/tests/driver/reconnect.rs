use std::time::Duration;

use futures::StreamExt;
use pocketsync_core::driver::State;
use pocketsync_core::testkit::Fate;
use pocketsync_core::transport::TransportError;
use pocketsync_core::value::Value;

use super::world::{World, ms};

#[test]
fn waits_grow_while_nobody_answers_and_start_afresh_after_a_session() {
    let world = World::new(1);
    world.network.refuse(Some(TransportError::Unreachable("no route".to_owned())));
    let device = world.device(1);
    let mut attempts = Vec::new();
    let start = world.runtime.now().mono;
    while world.runtime.now().mono < start + Duration::from_secs(3600) {
        let before = world.network.attempts();
        world.runtime.advance(ms(10));
        for _ in before..world.network.attempts() {
            attempts.push(world.runtime.now().mono);
        }
    }
    for (number, pair) in attempts.windows(2).enumerate() {
        let ceiling = ms(500 << number.min(20)).min(Duration::from_secs(60));
        assert!(pair[1] - pair[0] <= ceiling + ms(20), "wait {number} of {:?}", pair[1] - pair[0]);
    }
    // Full jitter: about half of the ceiling on average, and no two waits alike.
    assert!((90..160).contains(&attempts.len()), "{} attempts in an hour", attempts.len());
    let status = device.client.status();
    assert_eq!((status.state, status.failures as usize), (State::Offline, attempts.len()));
    assert_eq!(status.last_error.unwrap().code, "unreachable");
    let wait = status.retry_at_ms.unwrap() - world.wall_ms();
    assert!(wait <= 60_000);

    world.network.refuse(None);
    world.until_live(&device);
    assert_eq!(device.client.status().last_error, None);
    world.network.cut_all();
    world.runtime.advance(ms(1));
    assert_eq!(device.state(), State::Offline);
    assert_eq!(device.client.status().last_error.unwrap().code, "lost");
    world.until("live again", ms(600), || device.state() == State::Live);
}

#[test]
fn a_setting_that_cannot_work_ends_the_driver() {
    let world = World::new(2);
    world.network.refuse(Some(TransportError::Misconfigured("no such scheme: gopher".to_owned())));
    let device = world.device(1);
    let states: Vec<State> =
        world.runtime.block_on(device.client.status_changes().map(|status| status.state).collect());
    assert_eq!(states.last(), Some(&State::Stopped));
    assert!(world.runtime.is_finished(device.task));
    let status = device.client.status();
    assert_eq!(status.last_error.unwrap().code, "misconfigured");
    assert_eq!(world.network.attempts(), 1);
}

#[test]
fn a_connector_that_never_answers_is_given_up() {
    let world = World::new(3);
    world.network.set_fate(Fate::never());
    let device = world.device(1);
    world.until_live(&device);
    // Nobody reads what arrives any more: the handshake times out, and is tried again.
    let mut world = world;
    world.kill_hub();
    world.network.cut_all();
    let listening = world.network.listen();
    world.until("a link", ms(2_000), || device.state() == State::Connecting);
    let attempts = world.network.attempts();
    world.until("another attempt", Duration::from_secs(20), || world.network.attempts() > attempts);
    assert_eq!(device.client.status().last_error.unwrap().code, "lost");
    drop(listening);
}

#[test]
fn a_link_that_never_lives_long_gets_everything_across() {
    let world = World::new(4);
    let a = world.device(1);
    let b = world.device(2);
    for batch in 0..20 {
        a.replica.write(world.wall_ms(), |tx| {
            for row in 0..50 {
                // Nothing that compresses: it is to take many frames.
                let seed = batch * 50 + row + 1;
                let noise =
                    (1..200u64).map(|at| ((at * seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8);
                tx.insert("note", &[("text", Value::Blob(noise.collect()))]);
            }
        });
    }
    world.network.cut_all();
    world.network.set_max_frame_bytes(256);
    world.network.set_fate(Fate::after(60));
    world.runtime.advance(ms(1));
    world.until("everything is across", Duration::from_secs(3600), || {
        a.replica.pending() == 0 && world.rows(&b.replica) == world.rows(&a.replica)
    });
    assert!(world.network.attempts() > 10);
    world.assert_converged(&[&a.replica, &b.replica]);
}

#[test]
fn a_clock_that_is_set_is_told_to_the_store_on_and_off_line() {
    let world = World::new(5);
    world.network.refuse(Some(TransportError::Unreachable("no route".to_owned())));
    let device = world.device(1);
    world.runtime.advance(Duration::from_secs(10));
    assert_eq!(device.replica.clock_jumps(), 0);
    world.runtime.jump_wall(3_600_000);
    world.runtime.advance(Duration::from_secs(2));
    assert_eq!(device.replica.clock_jumps(), 1);
    world.network.refuse(None);
    world.until_live(&device);
    let jumps = device.replica.clock_jumps();
    world.runtime.jump_wall(-7_200_000);
    world.runtime.advance(Duration::from_secs(1));
    assert!(device.replica.clock_jumps() > jumps);
    world.until("live again at once", ms(100), || device.state() == State::Live);
}

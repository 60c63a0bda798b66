use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt};
use pocketsync_core::driver::State;
use pocketsync_core::testkit::memory_pair;

use super::world::{World, ms};

#[test]
fn shutdown_tells_everybody_and_ends_the_driver() {
    let mut world = World::new(1);
    let devices = [world.device(1), world.device(2)];
    devices.iter().for_each(|device| world.until_live(device));
    let before = world.runtime.now().mono;
    world.runtime.block_on(world.server.shutdown());
    assert!(world.runtime.now().mono - before < ms(100));
    world.runtime.advance(ms(10));
    for device in &devices {
        assert_eq!(device.client.status().last_error.unwrap().code, "closing");
        assert_eq!(device.state(), State::Offline);
    }
    let (transport, _) = memory_pair(1024);
    assert!(world.runtime.block_on(world.server.serve(transport)).is_err());
    assert!(world.server.status().is_stopping);
    world.start_hub();
    world.runtime.advance(Duration::from_secs(10));
    devices.iter().for_each(|device| world.until_live(device));
}

#[test]
fn a_revoked_identity_is_out_at_once() {
    let world = World::new(2);
    let device = world.device(1);
    world.until_live(&device);
    world.server.revoke("somebody else");
    world.runtime.advance(ms(10));
    assert_eq!(device.state(), State::Live);
    world.server.revoke("anyone");
    world.runtime.advance(ms(1));
    assert_eq!(device.client.status().last_error.unwrap().code, "unauthorized");
}

#[test]
fn nonsense_and_silence_cost_the_hub_nothing() {
    let world = World::new(3);
    let device = world.device(1);
    world.until_live(&device);
    let (mut talker, theirs) = memory_pair(1024);
    world.runtime.block_on(world.server.serve(theirs)).unwrap();
    let (silent, theirs) = memory_pair(1024);
    world.runtime.block_on(world.server.serve(theirs)).unwrap();
    let answer = world.runtime.block_on(async {
        talker.sink.send(Bytes::from_static(b"GET / HTTP/1.1")).await.unwrap();
        talker.stream.next().await
    });
    assert!(matches!(answer, Some(Ok(_))), "an error that says why");
    assert!(matches!(world.runtime.block_on(talker.stream.next()), None));
    world.runtime.advance(Duration::from_secs(20));
    assert_eq!(world.server.status().connections, 1, "the silent one was given up");
    assert_eq!(device.state(), State::Live);
    drop(silent);
}

#[test]
fn serving_waits_where_too_many_arrive_and_fails_when_the_hub_is_gone() {
    let mut world = World::new(4);
    world.kill_hub();
    let (transport, _) = memory_pair(1024);
    assert!(world.server.serve(transport).now_or_never().unwrap().is_err());
    assert!(world.server.shutdown().now_or_never().is_some());
}

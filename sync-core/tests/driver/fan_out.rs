use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pocketsync_core::driver::{ClientOptions, State};
use pocketsync_core::testkit::Fate;

use super::world::{World, ms, replica};

#[test]
fn three_clients_converge_over_links_that_break() {
    for seed in 0..15 {
        let world = World::new(seed);
        world.network.set_fate(Fate::random(seed, 0.01));
        world.runtime.set_job_time(ms(seed % 3));
        let devices = [world.device(1), world.device(2), world.device(3)];
        for round in 0..30 {
            for (number, device) in devices.iter().enumerate() {
                world.write(&device.replica, &format!("{round} by {number}"));
                if (round + number) % 3 == 0 {
                    device.replica.notify_committed();
                }
            }
            world.runtime.advance(ms(seed * 3 % 40));
        }
        let replicas = devices.each_ref().map(|device| &device.replica);
        world.network.set_fate(Fate::never());
        world.network.cut_all();
        world.until("converged", Duration::from_secs(30), || {
            devices.iter().all(|device| device.state() == State::Live)
                && replicas.iter().all(|replica| world.rows(replica) == world.rows(&world.hub))
        });
        assert_eq!(super::world::texts(&world.rows(&world.hub)).len(), 90);
        world.assert_converged(&replicas);
    }
}

/// A future that can be kept from being polled: a process that was stopped.
struct Pausable<F> {
    future: Pin<Box<F>>,
    paused: Arc<(AtomicBool, Mutex<Option<Waker>>)>,
}

impl<F: Future> Future for Pausable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.paused.0.load(Ordering::SeqCst) {
            *self.paused.1.lock().unwrap() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.future.as_mut().poll(cx)
    }
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody_and_catches_up_later() {
    let world = World::new(1);
    let (a, b) = (world.device(1), world.device(2));
    let slow = replica(3);
    let (client, driver) = world.client_of(&slow, ClientOptions::default());
    let paused = Arc::new((AtomicBool::new(false), Mutex::new(None)));
    world.runtime.spawn(Pausable { future: Box::pin(driver), paused: Arc::clone(&paused) });
    world.until("live", ms(1_000), || client.status().state == State::Live);
    paused.0.store(true, Ordering::SeqCst);
    let text = "x".repeat(60_000);
    for _ in 0..150 {
        world.write(&a.replica, &text);
        a.replica.notify_committed();
        world.until("the others are served", ms(50), || world.rows(&b.replica) == world.rows(&a.replica));
    }
    assert!(world.rows(&slow).is_empty());
    paused.0.store(false, Ordering::SeqCst);
    if let Some(waker) = paused.1.lock().unwrap().take() {
        waker.wake();
    }
    world.until("caught up", Duration::from_secs(30), || world.rows(&slow) == world.rows(&a.replica));
}

#[test]
fn many_idle_connections_do_not_slow_down_two_busy_ones() {
    let world = World::new(2);
    let idle: Vec<_> = (10..90).map(|number| world.device(number)).collect();
    let (a, b) = (world.device(1), world.device(2));
    world.until("all are live", Duration::from_secs(5), || {
        idle.iter().chain([&a, &b]).all(|device| device.state() == State::Live)
    });
    assert_eq!(world.server.status().connections, 82);
    world.write(&a.replica, "hello");
    a.replica.notify_committed();
    world.until("b has it", ms(20), || world.rows(&b.replica) == world.rows(&a.replica));
    world.until("all have it", ms(200), || {
        idle.iter().all(|device| world.rows(&device.replica) == world.rows(&a.replica))
    });
}

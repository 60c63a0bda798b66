//! A process may be killed between any two polls of a driver.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pocketsync_core::driver::ClientOptions;

use super::world::{World, ms, replica};

/// Polls a future so many times, and then drops it.
struct DropAfter<F> {
    future: Option<Pin<Box<F>>>,
    polls: u32,
}

impl<F: Future<Output = ()>> Future for DropAfter<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(left) = self.polls.checked_sub(1) else {
            self.future = None;
            return Poll::Ready(());
        };
        self.polls = left;
        match &mut self.future {
            Some(future) => future.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}

#[test]
fn a_client_dropped_at_any_poll_loses_nothing() {
    for polls in 0..120 {
        let world = World::new(u64::from(polls));
        world.runtime.set_job_time(ms(u64::from(polls % 3)));
        world.network.set_max_frame_bytes(256);
        let other = world.device(2);
        for number in 0..30 {
            world.write(&other.replica, &format!("theirs {number}"));
        }
        world.runtime.block_on(other.client.sync_now()).unwrap();

        let ours = replica(1);
        for number in 0..30 {
            world.write(&ours, &format!("ours {number}"));
        }
        let (client, driver) = world.client_of(&ours, ClientOptions::default());
        let task = world.runtime.spawn(DropAfter { future: Some(Box::pin(driver)), polls });
        world.until("dropped", ms(60_000), || world.runtime.is_finished(task));
        assert!(client.is_stopped());

        world.write(&ours, "one more");
        let (client, driver) = world.client_of(&ours, ClientOptions::default());
        world.runtime.spawn(driver);
        world.runtime.block_on(client.sync_now()).unwrap();
        world.runtime.block_on(other.client.sync_now()).unwrap();
        world.until("all is everywhere", ms(1_000), || world.rows(&ours) == world.rows(&other.replica));
        assert_eq!(super::world::texts(&world.rows(&ours)).len(), 61, "{polls} polls");
        world.assert_converged(&[&ours, &other.replica]);
    }
}

#[test]
fn a_hub_killed_at_any_moment_loses_nothing_that_it_acknowledged() {
    for moment in 0..60 {
        let mut world = World::new(moment);
        world.runtime.set_job_time(ms(moment % 3));
        let (a, b) = (world.device(1), world.device(2));
        for number in 0..20 {
            world.write(&a.replica, &format!("a {number}"));
            world.write(&b.replica, &format!("b {number}"));
        }
        world.runtime.advance(std::time::Duration::from_micros(moment * 350));
        world.kill_hub();
        world.runtime.advance(ms(5));
        world.write(&a.replica, "while the hub was down");
        world.start_hub();
        world.runtime.block_on(a.client.sync_now()).unwrap();
        world.runtime.block_on(b.client.sync_now()).unwrap();
        world.until("all is everywhere", ms(2_000), || world.rows(&a.replica) == world.rows(&b.replica));
        assert_eq!(super::world::texts(&world.rows(&a.replica)).len(), 41);
        world.assert_converged(&[&a.replica, &b.replica]);
    }
}

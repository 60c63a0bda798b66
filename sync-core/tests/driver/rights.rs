//! Rights that end, change, or are less than all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::oneshot;
use pocketsync_core::admission::{admit_with, refused};
use pocketsync_core::driver::{ClientOptions, State};
use pocketsync_core::session::{AdmitRequest, Admitted, Rights};
use pocketsync_core::store::{RefusalReason, RefusedParts};
use pocketsync_core::wire::{ErrorCode, WireError};

use super::world::{World, ms, texts};

type Verdict = Result<Admitted, WireError>;

const READ: Rights = Rights { read: true, write: false, relay: false };
const WRITE: Rights = Rights { read: false, write: true, relay: false };

/// A world whose admission answers what is in the cell at the time.
fn ruled(seed: u64, verdict: Verdict) -> (World, Arc<Mutex<Verdict>>) {
    let rules = Arc::new(Mutex::new(verdict));
    let asked = Arc::clone(&rules);
    let admission = admit_with(move |_: AdmitRequest| {
        let verdict = asked.lock().unwrap().clone();
        async move { verdict }
    });
    (World::with_admission(seed, Arc::new(admission)), rules)
}

fn code(device: &super::world::Device) -> Option<&'static str> {
    device.client.status().last_error.map(|error| error.code)
}

#[test]
fn a_token_expires_in_the_middle_and_the_client_goes_on_with_a_new_one() {
    // The token says until when it is good.
    let admission = admit_with(|request: AdmitRequest| async move {
        let until = request.token.and_then(|token| token.parse().ok());
        let until = until.ok_or_else(|| refused(ErrorCode::Unauthorized, "a token is needed"))?;
        Ok(Admitted::new("phone", Rights::ALL).until(until))
    });
    let world = World::with_admission(1, Arc::new(admission));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let runtime = world.runtime.handle();
    let options = ClientOptions::default().with_token_from(move |refused| {
        log.lock().unwrap().push(refused);
        let token = (runtime.now().wall_ms + 10_000).to_string();
        async move { Some(token) }
    });
    let device = world.device_with(1, options);
    world.until_live(&device);
    let until = world.runtime.now().mono + Duration::from_secs(45);
    let mut expired = 0;
    let mut written = 0;
    let mut was_live = true;
    while world.runtime.now().mono < until {
        world.write(&device.replica, &format!("{written}"));
        written += 1;
        world.runtime.advance(ms(100));
        let is_live = device.state() == State::Live;
        if was_live && !is_live {
            assert_eq!(code(&device), Some("unauthorized"));
            expired += 1;
        }
        was_live = is_live;
    }
    assert!((3..=5).contains(&expired), "expired {expired} times");
    world.runtime.block_on(device.client.sync_now()).unwrap();
    assert_eq!(texts(&world.rows(&device.replica)).len(), written);
    world.assert_converged(&[&device.replica]);
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0], None);
    assert!(asked[1..].iter().all(Option::is_some), "{asked:?}");
}

#[test]
fn rights_that_are_over_when_they_are_given_let_nobody_in() {
    let (world, _) = ruled(2, Ok(Admitted::new("phone", Rights::ALL).until(1)));
    let device = world.device(1);
    world.write(&device.replica, "too late");
    world.runtime.advance(Duration::from_secs(5));
    assert_eq!(code(&device), Some("unauthorized"));
    assert!(world.rows(&world.hub).is_empty());
}

#[test]
fn asked_again_admission_ends_only_the_sessions_that_it_would_not_let_in() {
    let (world, rules) = ruled(3, Ok(Admitted::new("phone", Rights::ALL)));
    let device = world.device(1);
    world.until_live(&device);
    world.server.readmit();
    world.runtime.advance(ms(100));
    assert_eq!((device.state(), code(&device)), (State::Live, None));

    // A longer time is no reason to end.
    let now = world.wall_ms();
    *rules.lock().unwrap() = Ok(Admitted::new("phone", Rights::ALL).until(now + 3_000));
    world.server.readmit();
    world.runtime.advance(ms(2_000));
    *rules.lock().unwrap() = Ok(Admitted::new("phone", Rights::ALL).until(now + 60_000));
    world.server.readmit();
    world.runtime.advance(ms(2_000));
    assert_eq!((device.state(), code(&device)), (State::Live, None));
    assert_eq!(world.network.attempts(), 1);

    *rules.lock().unwrap() = Ok(Admitted::new("phone", READ));
    world.server.readmit();
    world.runtime.advance(ms(10));
    assert_eq!(code(&device), Some("closing"));
    world.until_live(&device);

    *rules.lock().unwrap() = Err(refused(ErrorCode::Forbidden, "not here"));
    world.server.readmit();
    world.runtime.advance(ms(10));
    assert_eq!(code(&device), Some("forbidden"));
}

#[test]
fn rules_that_change_while_admission_thinks_are_the_new_ones() {
    for readmit in [true, false] {
        let rules = Arc::new(Mutex::new(Ok(Admitted::new("phone", Rights::ALL))));
        let thinking = Arc::new(Mutex::new(Vec::new()));
        let (asked, thoughts) = (Arc::clone(&rules), Arc::clone(&thinking));
        let admission = admit_with(move |_: AdmitRequest| {
            let verdict: Verdict = asked.lock().unwrap().clone();
            let (done, thought) = oneshot::channel::<()>();
            thoughts.lock().unwrap().push(done);
            async move {
                let _done = thought.await;
                verdict
            }
        });
        let world = World::with_admission(4, Arc::new(admission));
        let device = world.device(1);
        world.until("asked", ms(1_000), || thinking.lock().unwrap().len() == 1);
        *rules.lock().unwrap() = Err(refused(ErrorCode::Unauthorized, "gone"));
        if readmit {
            world.server.readmit()
        } else {
            world.server.revoke("phone")
        }
        world.runtime.advance(ms(10));
        assert_eq!((thinking.lock().unwrap().len(), device.state()), (2, State::Connecting));
        thinking.lock().unwrap().clear();
        world.runtime.advance(ms(10));
        assert_eq!(code(&device), Some("unauthorized"));
    }
}

#[test]
fn who_may_only_read_goes_back_to_what_it_reads_and_keeps_what_it_wrote() {
    let (world, rules) = ruled(5, Ok(Admitted::new("writer", Rights::ALL)));
    let writer = world.device(1);
    world.until_live(&writer);
    *rules.lock().unwrap() = Ok(Admitted::new("reader", READ));
    let reader = world.device(2);
    world.until_live(&reader);
    world.write(&writer.replica, "from the writer");
    let arrived = ["'from the writer'"];
    world.until("arrived", ms(2_000), || texts(&world.rows(&reader.replica)) == arrived);

    let before = world.network.attempts();
    let refused = || reader.replica.with(|store| store.refused(&super::world::scope()).to_vec());
    world.write(&reader.replica, "mine");
    world.until("refused", ms(2_000), || !refused().is_empty());
    world.until_live(&reader);
    world.runtime.advance(Duration::from_secs(600));
    assert_eq!(world.network.attempts(), before, "the session goes on");
    assert_eq!(texts(&world.rows(&world.hub)), arrived);
    assert_eq!(texts(&world.rows(&reader.replica)), arrived);
    let [RefusedParts { reason: RefusalReason::NoWrite, parts }] = &refused()[..] else {
        panic!("{:?}", refused())
    };
    let values: Vec<_> = parts.tables[0].rows[0].cells.iter().map(|cell| cell.value.to_string()).collect();
    assert_eq!(values, ["'mine'"]);

    // Whatever it writes, others reach it, also where that takes many messages.
    for n in 0..100 {
        world.write(&writer.replica, &format!("{n}{}", "-".repeat(20_000)));
        world.write(&reader.replica, &format!("{n}{}", "+".repeat(20_000)));
    }
    world.until("arrived", Duration::from_secs(120), || {
        let hub = world.rows(&world.hub);
        texts(&hub).len() == 101 && world.rows(&reader.replica) == hub
    });
    world.until_live(&reader);
    let rows: usize = refused().iter().map(|refused| refused.parts.row_count()).sum();
    assert_eq!(rows, 101);

    // What it writes once it may is taken.
    *rules.lock().unwrap() = Ok(Admitted::new("reader", Rights::ALL));
    world.server.readmit();
    world.runtime.advance(ms(2_000));
    world.write(&reader.replica, "allowed");
    world.until("sent", Duration::from_secs(120), || texts(&world.rows(&world.hub)).len() == 102);
}

#[test]
fn who_may_neither_read_nor_write_is_told_so_keeps_its_writes_and_does_not_hammer() {
    let nothing = Rights { read: false, write: false, relay: false };
    let (world, _rules) = ruled(7, Ok(Admitted::new("nobody", nothing)));
    let nobody = world.device(1);
    world.write(&nobody.replica, "mine");
    world.until("refused", ms(2_000), || code(&nobody) == Some("forbidden"));
    assert!(!nobody.client.status().last_error.unwrap().retryable);
    world.runtime.advance(Duration::from_secs(600));
    assert!(world.network.attempts() < 30, "{} attempts", world.network.attempts());
    assert_eq!(texts(&world.rows(&nobody.replica)), ["'mine'"]);
}

#[test]
fn who_may_only_write_is_in_sync_when_its_writes_are_held() {
    let (world, rules) = ruled(6, Ok(Admitted::new("writer", Rights::ALL)));
    let other = world.device(1);
    world.write(&other.replica, "secret");
    world.until_live(&other);
    *rules.lock().unwrap() = Ok(Admitted::new("meter", WRITE));
    let meter = world.device(2);
    world.write(&meter.replica, "42");
    world.until_live(&meter);
    world.runtime.block_on(meter.client.sync_now()).unwrap();
    assert_eq!(texts(&world.rows(&other.replica)), ["'42'", "'secret'"]);
    world.write(&other.replica, "another");
    world.runtime.advance(Duration::from_secs(60));
    assert_eq!(texts(&world.rows(&meter.replica)), ["'42'"]);
    assert_eq!(meter.state(), State::Live);
}

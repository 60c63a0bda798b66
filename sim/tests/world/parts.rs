//! What is put in the places of a world's parts is what the world runs on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::support::{SQL, device, run_in, story, transact};
use futures::StreamExt;
use futures::stream::BoxStream;
use pocketsync_sim::history::Event;
use pocketsync_sim::pocketsync_core::driver::{LocalStore, Status, Summary};
use pocketsync_sim::pocketsync_core::store::sqlite::Replica;
use pocketsync_sim::pocketsync_core::store::{HubStore, Store, StoreError, StoreReply, StoreRequest};
use pocketsync_sim::pocketsync_core::transport::Transport;
use pocketsync_sim::story::{Act, DeviceNo};
use pocketsync_sim::world::{Parts, World};

/// How often something was used, by whose it is and what was asked of it.
type Used = Arc<Mutex<BTreeMap<String, u64>>>;

fn uses(used: &Used, what: String) {
    *used.lock().unwrap().entry(what).or_default() += 1;
}

#[derive(Clone)]
struct Counted<S> {
    of: String,
    inner: S,
    used: Used,
}

impl<S: Store> Store for Counted<S> {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        let asked = match &request {
            StoreRequest::Identify { .. } => "identify",
            StoreRequest::Extract { .. } => "extract",
            StoreRequest::Apply { .. } => "apply",
            _ => "other",
        };
        uses(&self.used, format!("{} {asked}", self.of));
        self.inner.run(request)
    }
}

impl LocalStore for Counted<Replica> {
    fn changed(&mut self) -> Result<bool, StoreError> {
        uses(&self.used, format!("{} changed", self.of));
        LocalStore::changed(&mut self.inner)
    }

    fn committed(&self) -> BoxStream<'static, ()> {
        LocalStore::committed(&self.inner)
    }

    fn summary(&mut self) -> Result<Summary, StoreError> {
        uses(&self.used, format!("{} summary", self.of));
        self.inner.summary()
    }

    fn suspend(&self) {
        LocalStore::suspend(&self.inner);
    }

    fn resume(&self) {
        LocalStore::resume(&self.inner);
    }
}

/// Parts that count, and a client that tells of one row more that it cannot show.
struct Counting(Used);

impl Parts for Counting {
    type Device = Counted<Replica>;
    type Hub = Counted<HubStore>;

    fn device(&self, device: DeviceNo, inner: Replica) -> Counted<Replica> {
        Counted { of: device.to_string(), inner, used: Arc::clone(&self.0) }
    }

    fn hub(&self, inner: HubStore) -> Counted<HubStore> {
        Counted { of: "hub".to_owned(), inner, used: Arc::clone(&self.0) }
    }

    fn link(&self, device: DeviceNo, mut transport: Transport) -> Transport {
        let used = Arc::clone(&self.0);
        let counted = transport.stream.inspect(move |_| uses(&used, format!("{device} frame")));
        transport.stream = Box::pin(counted);
        transport
    }

    fn status(&self, device: DeviceNo, mut status: Status) -> Status {
        if device == DeviceNo(1) {
            status.parked += 1;
        }
        status
    }
}

#[test]
fn a_world_runs_on_the_parts_that_it_is_given() {
    let used = Used::default();
    let mut story = story(11, vec![device(true), device(true)], 10_000);
    story.moves = vec![transact(2_000, 0, 1, 0, Act::Insert), transact(4_000, 1, 2, 0, Act::Insert)];
    let (_, seen) = run_in(&World::of(Counting(Arc::clone(&used))), SQL, story);

    let used = used.lock().unwrap();
    for what in ["identify", "extract", "apply", "changed", "summary", "frame"] {
        for device in ["d0", "d1"] {
            assert!(used.contains_key(&format!("{device} {what}")), "{device} {what}: {used:?}");
        }
    }
    for what in ["identify", "extract", "apply"] {
        assert!(used.contains_key(&format!("hub {what}")), "hub {what}: {used:?}");
    }
    let mut told = [0, 0];
    for (_, event) in &seen.events {
        if let Event::Status { device, status } = event {
            assert_eq!(status.parked, u64::from(device.0));
            told[device.0 as usize] += 1;
        }
    }
    assert!(told.iter().all(|times| *times > 0), "{told:?}");
}

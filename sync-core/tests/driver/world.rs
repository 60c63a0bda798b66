//! A hub, its clients, and the network between them.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use pocketsync_core::admission::{Admission, Open};
use pocketsync_core::driver::{Client, ClientOptions, Driver, HubOptions, HubServer, State};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::store::{MemoryStore, Rows};
use pocketsync_core::testkit::{MemoryNetwork, MemoryReplica, TestRuntime};
use pocketsync_core::value::Value;

pub(crate) struct World {
    pub(crate) runtime: TestRuntime,
    pub(crate) network: MemoryNetwork,
    pub(crate) hub: MemoryReplica,
    pub(crate) server: HubServer,
    hub_tasks: Vec<u64>,
}

pub(crate) struct Device {
    pub(crate) replica: MemoryReplica,
    pub(crate) client: Client,
    pub(crate) task: u64,
}

pub(crate) fn scope() -> Scope {
    Scope::new("notes").unwrap()
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn replica(number: u8) -> MemoryReplica {
    MemoryReplica::new(scope(), SiteId::from_bytes([number; 16]), Stamp(u64::from(number)))
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_admission(seed, Arc::new(Open))
    }

    pub(crate) fn with_admission(seed: u64, admission: Arc<dyn Admission>) -> Self {
        Self::with_options(seed, admission, HubOptions::default())
    }

    pub(crate) fn with_options(seed: u64, admission: Arc<dyn Admission>, options: HubOptions) -> Self {
        let runtime = TestRuntime::new(seed);
        let store = MemoryStore::hub(SiteId::from_bytes([99; 16]), Stamp(99));
        let hub = MemoryReplica::with_store(scope(), store);
        let (server, driver) = HubServer::new(hub.clone(), Arc::clone(&admission), runtime.handle(), options);
        let mut world = World {
            runtime,
            network: MemoryNetwork::new(),
            hub,
            server: server.clone(),
            hub_tasks: Vec::new(),
        };
        world.run_hub(server, driver);
        world
    }

    fn run_hub(&mut self, server: HubServer, driver: impl Future<Output = ()> + Send + 'static) {
        let mut arrivals = self.network.listen();
        let accepting = {
            let server = server.clone();
            async move {
                while let Some(transport) = arrivals.next().await {
                    if server.serve(transport).await.is_err() {
                        break;
                    }
                }
            }
        };
        self.server = server;
        self.hub_tasks = vec![self.runtime.spawn(driver), self.runtime.spawn(accepting)];
    }

    /// The hub's process dies: its driver is dropped where it stands.
    pub(crate) fn kill_hub(&mut self) {
        for task in self.hub_tasks.drain(..) {
            self.runtime.abort(task);
        }
    }

    /// A hub's process starts on what the last one left in the store.
    pub(crate) fn start_hub(&mut self) {
        let (server, driver) =
            HubServer::new(self.hub.clone(), Arc::new(Open), self.runtime.handle(), HubOptions::default());
        self.run_hub(server, driver);
    }

    pub(crate) fn client_of(&self, replica: &MemoryReplica, options: ClientOptions) -> (Client, Driver) {
        let network = Arc::new(self.network.clone());
        Client::new(replica.clone(), scope(), network, self.runtime.handle(), options)
    }

    pub(crate) fn device(&self, number: u8) -> Device {
        self.device_with(number, ClientOptions::default())
    }

    pub(crate) fn device_with(&self, number: u8, options: ClientOptions) -> Device {
        let replica = replica(number);
        let (client, driver) = self.client_of(&replica, options);
        let task = self.runtime.spawn(driver);
        Device { replica, client, task }
    }

    pub(crate) fn wall_ms(&self) -> u64 {
        self.runtime.now().wall_ms
    }

    /// Writes a row without telling anybody.
    pub(crate) fn write(&self, replica: &MemoryReplica, text: &str) {
        replica.write(self.wall_ms(), |tx| tx.insert("note", &[("text", Value::text(text))]));
    }

    /// Lets time pass until `condition` holds.
    pub(crate) fn until(&self, what: &str, within: Duration, condition: impl Fn() -> bool) {
        let deadline = self.runtime.now().mono + within;
        // Looking takes real time: not more than a few thousand times.
        let step = (within / 5_000).max(ms(1));
        while !condition() {
            assert!(self.runtime.now().mono < deadline, "not within {within:?}: {what}");
            self.runtime.advance(step);
        }
    }

    pub(crate) fn until_live(&self, device: &Device) {
        self.until("live", Duration::from_secs(120), || device.state() == State::Live);
    }

    pub(crate) fn rows(&self, replica: &MemoryReplica) -> Rows {
        replica.with(|store| store.rows(&scope()))
    }

    pub(crate) fn assert_converged(&self, replicas: &[&MemoryReplica]) {
        let hub = self.hub.with(|store| store.states(&scope()));
        for replica in replicas {
            assert_eq!(replica.with(|store| store.states(&scope())), hub);
        }
    }
}

impl Device {
    pub(crate) fn state(&self) -> State {
        self.client.status().state
    }
}

pub(crate) fn texts(rows: &Rows) -> Vec<String> {
    let mut texts: Vec<String> =
        rows.values().flat_map(|table| table.values()).map(|cells| cells["text"].to_string()).collect();
    texts.sort();
    texts
}

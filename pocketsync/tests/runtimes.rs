//! The same small exchange, and what needs real threads, on every runtime that there is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use pocketsync::admission::Open;
use pocketsync::driver::{
    Client, ClientOptions, HubOptions, HubServer, LocalStore, State, Summary, SuspendError,
};
use pocketsync::id::{Scope, SiteId};
use pocketsync::lineage::Stamp;
use pocketsync::runtime::{Runtime, SmolRuntime, TokioRuntime};
use pocketsync::store::{MemoryStore, Store, StoreError, StoreReply, StoreRequest};
use pocketsync::testkit::{MemoryNetwork, MemoryReplica, conformance, memory_pair};
use pocketsync::transport::Transport;
use pocketsync::value::Value;

type Spawn = fn(BoxFuture<'static, ()>);

/// Runs a test on Tokio and on smol.
fn on_each<F: Future<Output = ()> + Send + 'static>(test: fn(Arc<dyn Runtime>, Spawn) -> F) {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let runtime = Arc::new(TokioRuntime::new(tokio.handle().clone()));
    tokio.block_on(test(runtime, |future| drop(tokio::spawn(future))));
    smol::block_on(test(Arc::new(SmolRuntime::new()), |future| smol::spawn(future).detach()));
}

fn scope() -> Scope {
    Scope::new("notes").unwrap()
}

fn replica(number: u8) -> MemoryReplica {
    MemoryReplica::new(scope(), SiteId::from_bytes([number; 16]), Stamp(u64::from(number)))
}

fn write(replica: &MemoryReplica, runtime: &dyn Runtime, text: &str) {
    replica.write(runtime.now().wall_ms, |tx| tx.insert("note", &[("text", Value::text(text))]));
}

/// A hub on a network of its own.
fn hub(runtime: &Arc<dyn Runtime>, spawn: Spawn) -> (HubServer, MemoryNetwork) {
    let network = MemoryNetwork::new();
    let store = MemoryStore::hub(SiteId::from_bytes([99; 16]), Stamp(99));
    let (server, driver) = HubServer::new(store, Arc::new(Open), Arc::clone(runtime), HubOptions::default());
    spawn(Box::pin(driver));
    let (mut arrivals, accepting) = (network.listen(), server.clone());
    spawn(Box::pin(async move {
        while let Some(transport) = arrivals.next().await {
            if accepting.serve(transport).await.is_err() {
                break;
            }
        }
    }));
    (server, network)
}

fn client<S: LocalStore>(
    store: &S,
    network: &MemoryNetwork,
    runtime: &Arc<dyn Runtime>,
    spawn: Spawn,
) -> Client {
    let connector = Arc::new(network.clone());
    let (client, driver) =
        Client::new(store.clone(), scope(), connector, Arc::clone(runtime), ClientOptions::default());
    spawn(Box::pin(driver));
    client
}

async fn until(runtime: &dyn Runtime, what: &str, condition: impl Fn() -> bool) {
    let deadline = runtime.now().mono + Duration::from_secs(20);
    while !condition() {
        assert!(runtime.now().mono < deadline, "never: {what}");
        runtime.sleep_until(runtime.now().mono + Duration::from_millis(2)).await;
    }
}

#[test]
fn two_devices_exchange_rows_through_a_hub() {
    on_each(|runtime, spawn| async move {
        let (server, network) = hub(&runtime, spawn);
        let (a, b) = (replica(1), replica(2));
        let clients = [client(&a, &network, &runtime, spawn), client(&b, &network, &runtime, spawn)];
        write(&a, &*runtime, "written by a");
        write(&b, &*runtime, "written by b");
        for client in &clients {
            client.sync_now().await.unwrap();
        }
        let rows = |replica: &MemoryReplica| replica.with(|store| store.rows(&scope()));
        until(&*runtime, "both have both", || rows(&a) == rows(&b) && rows(&a)["note"].len() == 2).await;
        until(&*runtime, "live", || clients.iter().all(|client| client.status().is_in_sync())).await;

        // A commit that nobody tells of crosses in a blink, an idle link's polling included.
        let began = runtime.now().mono;
        write(&a, &*runtime, "live");
        until(&*runtime, "b has it", || rows(&b)["note"].len() == 3).await;
        assert!(runtime.now().mono - began < Duration::from_secs(5));

        clients[0].shutdown().await;
        assert_eq!(clients[0].status().state, State::Stopped);
        server.shutdown().await;
        until(&*runtime, "b is offline", || clients[1].status().state == State::Offline).await;
    });
}

/// A store whose work takes long and cannot be interrupted.
#[derive(Clone)]
struct Stubborn(MemoryReplica);

impl Store for Stubborn {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        std::thread::sleep(Duration::from_millis(400));
        self.0.run(request)
    }
}

impl LocalStore for Stubborn {
    fn changed(&mut self) -> Result<bool, StoreError> {
        self.0.changed()
    }
    fn committed(&self) -> BoxStream<'static, ()> {
        self.0.committed()
    }
    fn summary(&mut self) -> Result<Summary, StoreError> {
        self.0.summary()
    }
    fn suspend(&self) {
        self.0.suspend();
    }
    fn resume(&self) {
        self.0.resume();
    }
}

#[test]
fn suspending_says_honestly_whether_all_is_quiet() {
    on_each(|runtime, spawn| async move {
        let (_server, network) = hub(&runtime, spawn);
        let store = Stubborn(replica(1));
        let client = client(&store, &network, &runtime, spawn);
        until(&*runtime, "connecting", || client.status().state == State::Connecting).await;
        runtime.sleep_until(runtime.now().mono + Duration::from_millis(100)).await;
        let within = Duration::from_millis(20);
        assert_eq!(client.suspend(within).await, Err(SuspendError::NotInTime(within)));
        client.suspend(Duration::from_secs(10)).await.unwrap();
        let requests = store.0.requests();
        runtime.sleep_until(runtime.now().mono + Duration::from_millis(500)).await;
        assert_eq!(store.0.requests(), requests);
        client.resume();
        client.sync_now().await.unwrap();
    });
}

/// A store that panics on the first request.
#[derive(Clone)]
struct Panicking(MemoryReplica);

impl Store for Panicking {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        assert!(self.0.requests() > 0 || self.0.run(request.clone()).is_err(), "on purpose, once");
        self.0.run(request)
    }
}

impl LocalStore for Panicking {
    fn changed(&mut self) -> Result<bool, StoreError> {
        self.0.changed()
    }
    fn committed(&self) -> BoxStream<'static, ()> {
        self.0.committed()
    }
    fn summary(&mut self) -> Result<Summary, StoreError> {
        self.0.summary()
    }
    fn suspend(&self) {
        self.0.suspend();
    }
    fn resume(&self) {
        self.0.resume();
    }
}

#[test]
fn a_panic_in_the_store_is_a_failed_request() {
    on_each(|runtime, spawn| async move {
        let (_server, network) = hub(&runtime, spawn);
        let store = Panicking(replica(1));
        let client = client(&store, &network, &runtime, spawn);
        client.sync_now().await.unwrap();
        assert!(client.status().last_error.is_none(), "the next session got through");
    });
}

#[test]
fn blocking_work_runs_to_its_end_though_nobody_waits() {
    on_each(|runtime, _spawn| async move {
        let (done, wait) = futures::channel::oneshot::channel();
        drop(runtime.unblock(Box::new(move || {
            std::thread::sleep(Duration::from_millis(20));
            let _gone = done.send(());
        })));
        wait.await.unwrap();
    });
}

#[test]
fn sleeping_takes_as_long_as_it_says() {
    on_each(|runtime, _spawn| async move {
        let began = Instant::now();
        runtime.sleep_until(runtime.now().mono + Duration::from_millis(50)).await;
        assert!(began.elapsed() >= Duration::from_millis(49));
        runtime.sleep_until(Duration::ZERO).await;
    });
}

struct Memory(Arc<dyn Runtime>);

#[async_trait::async_trait]
impl conformance::Bench for Memory {
    async fn open(&self) -> (Transport, Transport) {
        memory_pair(4096)
    }
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep_until(self.0.now().mono + time)
    }
}

#[test]
fn links_in_memory_conform() {
    on_each(|runtime, _spawn| async move { conformance::check_all(&Memory(runtime)).await });
}

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt};
use pocketsync_core::admission::{Admission, Open};
use pocketsync_core::driver::{Blocking, Client, ClientOptions, HubOptions, HubServer, State};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::{AdmitRequest, Admitted, Rights};
use pocketsync_core::store::{AsyncStore, MemoryStore, StoreError, StoreReply, StoreRequest};
use pocketsync_core::testkit::{MemoryReplica, TestRuntime, memory_pair};
use pocketsync_core::transport::{Connector, Transport, TransportError};
use pocketsync_core::wire::{ErrorCode, WireError};

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

/// Lets in whom the transport's host vouches for, and takes it for that.
struct Vouched;

#[async_trait]
impl Admission for Vouched {
    async fn admit(&self, request: &AdmitRequest) -> Result<Admitted, WireError> {
        match &request.identity {
            Some(identity) => Ok(Admitted::new(identity, Rights::ALL)),
            None => Err(WireError {
                code: ErrorCode::Unauthorized,
                message: "nobody vouches for you".to_owned(),
                retry_after_ms: None,
            }),
        }
    }
}

#[test]
fn admission_hears_whom_the_transports_host_took_it_for() {
    let world = World::new(6);
    let store = MemoryStore::hub(SiteId::from_bytes([97; 16]), Stamp(97));
    let (server, driver) =
        HubServer::new(store, Arc::new(Vouched), world.runtime.handle(), HubOptions::default());
    world.runtime.spawn(driver);
    let scope = Scope::new("notes").unwrap();
    let device = |number: u8, identity: Option<&str>| {
        let (ours, theirs) = memory_pair(1 << 16);
        let serving = server.serve_as(theirs, identity.map(str::to_owned));
        world.runtime.block_on(serving).unwrap();
        let replica = MemoryReplica::new(scope.clone(), SiteId::from_bytes([number; 16]), Stamp(1));
        let connector = Arc::new(Once(Mutex::new(Some(ours))));
        let options = ClientOptions::default();
        let (client, driver) =
            Client::new(replica, scope.clone(), connector, world.runtime.handle(), options);
        world.runtime.spawn(driver);
        client
    };
    let (known, unknown) = (device(1, Some("alice")), device(2, None));
    world.until("live", ms(1_000), || known.status().state == State::Live);
    assert_eq!(unknown.status().last_error.unwrap().code, "unauthorized");
    let counted = server.counters();
    assert_eq!((counted.sessions, counted.sessions_total), (1, 2));
    assert!(counted.frames_received >= 2 && counted.frames_sent >= 2, "{counted:?}");
    server.revoke("alice");
    world.until("out", ms(1_000), || {
        known.status().last_error.is_some_and(|error| error.code == "unauthorized")
    });
}

/// Has one link to give.
struct Once(Mutex<Option<Transport>>);

#[async_trait]
impl Connector for Once {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let link = self.0.lock().unwrap().take();
        link.ok_or_else(|| TransportError::Unreachable("there was only one link".to_owned()))
    }
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
    assert!(world.runtime.block_on(talker.stream.next()).is_none());
    world.runtime.advance(Duration::from_secs(20));
    assert_eq!(world.server.status().connections, 1, "the silent one was given up");
    assert_eq!(device.state(), State::Live);
    drop(silent);
}

#[test]
fn serving_waits_where_too_many_arrive_and_fails_when_the_hub_is_gone() {
    let runtime = TestRuntime::new(4);
    let store = MemoryStore::hub(SiteId::from_bytes([99; 16]), Stamp(99));
    let (server, driver) = HubServer::new(store, Arc::new(Open), runtime.handle(), HubOptions::default());
    let mut served = 0;
    let mut ends = Vec::new();
    while served < 10_000 {
        let (ours, theirs) = memory_pair(1024);
        let handle = server.clone();
        if handle.serve(theirs).now_or_never().is_none() {
            break;
        }
        ends.push(ours);
        served += 1;
    }
    let arrivals = HubOptions::default().arrivals;
    assert!((arrivals..=arrivals + 1).contains(&served), "{served} were taken while nobody polled");
    drop(driver);
    let (_ours, theirs) = memory_pair(1024);
    assert!(server.serve(theirs).now_or_never().unwrap().is_err());
    assert!(server.shutdown().now_or_never().is_some());
}

/// A store on a network that has stopped answering about one scope.
struct HalfStuck(Blocking<MemoryStore>);

#[async_trait]
impl AsyncStore for HalfStuck {
    async fn run(&self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        if request.scope().as_str() == "stuck" {
            futures::future::pending::<()>().await;
        }
        self.0.run(request).await
    }
}

#[test]
fn a_scope_that_waits_for_its_store_holds_up_no_other() {
    let world = World::new(5);
    let store = MemoryStore::hub(SiteId::from_bytes([98; 16]), Stamp(98));
    let store = Arc::new(HalfStuck(Blocking::new(store, world.runtime.handle())));
    let (server, driver) =
        HubServer::with_async_store(store, Arc::new(Open), world.runtime.handle(), HubOptions::default());
    world.runtime.spawn(driver);
    let mut arrivals = world.network.listen();
    world.runtime.spawn(async move {
        while let Some(transport) = arrivals.next().await {
            server.serve(transport).await.unwrap();
        }
    });
    let client = |number: u8, scope: &str| {
        let scope = Scope::new(scope).unwrap();
        let replica = MemoryReplica::new(scope.clone(), SiteId::from_bytes([number; 16]), Stamp(1));
        let network = Arc::new(world.network.clone());
        let options = ClientOptions::default();
        let (client, driver) = Client::new(replica, scope, network, world.runtime.handle(), options);
        world.runtime.spawn(driver);
        client
    };
    let stuck = client(1, "stuck");
    world.until("a link", ms(1_000), || stuck.status().state == State::Connecting);
    world.runtime.advance(ms(10));
    let other = client(2, "other");
    world.until("live", ms(1_000), || other.status().state == State::Live);
    assert_eq!(stuck.status().state, State::Connecting);
}

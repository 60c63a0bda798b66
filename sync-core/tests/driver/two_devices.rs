//! Two devices that sync without a hub: drivers on both sides, over links in one process.

use std::io::Cursor;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::join;
use pocketsync_core::admission::{Admission, Open, admit_with, refused};
use pocketsync_core::bundle::{ExportOptions, ImportOptions};
use pocketsync_core::driver::{Client, ClientOptions, State};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::runtime::Runtime;
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::session::{AdmitRequest, Admitted, Rights};
use pocketsync_core::store::sqlite::{Replica, ReplicaOptions, Tables};
use pocketsync_core::testkit::{MemoryReplica, TestRuntime, conformance};
use pocketsync_core::transport::{self, Connector, Transport};
use pocketsync_core::value::Value;
use pocketsync_core::wire::ErrorCode;

struct InOneProcess(Arc<dyn Runtime>);

#[async_trait]
impl conformance::Bench for InOneProcess {
    async fn open(&self) -> (Transport, Transport) {
        let (caller, listener) = transport::local();
        let (ours, theirs) = join!(caller.connect(), listener.connect());
        (ours.unwrap(), theirs.unwrap())
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep_until(self.0.now().mono + time)
    }
}

#[test]
fn links_in_one_process_are_what_transports_have_to_be() {
    let runtime = TestRuntime::new(1);
    runtime.block_on(conformance::check_all(&InOneProcess(runtime.handle())));
}

#[test]
fn who_calls_or_listens_in_vain_is_told() {
    let (caller, listener) = transport::local();
    drop(listener);
    let error = futures::executor::block_on(caller.connect()).unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("unreachable", true));
    let (caller, listener) = transport::local();
    drop(caller);
    let error = futures::executor::block_on(listener.connect()).unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("misconfigured", false));
}

struct Devices {
    runtime: TestRuntime,
    replicas: [MemoryReplica; 2],
    calling: Client,
    called: Client,
}

fn scope() -> Scope {
    Scope::new("notes").unwrap()
}

impl Devices {
    fn new(admission: Arc<dyn Admission>, options: ClientOptions) -> Self {
        let runtime = TestRuntime::new(7);
        let replicas =
            [1, 2].map(|n| MemoryReplica::new(scope(), SiteId::from_bytes([n; 16]), Stamp(u64::from(n))));
        let (caller, listener) = transport::local();
        let (called, driver) = Client::accepting(
            replicas[1].clone(),
            scope(),
            Arc::new(listener),
            admission,
            runtime.handle(),
            ClientOptions::default(),
        );
        runtime.spawn(driver);
        let (calling, driver) =
            Client::new(replicas[0].clone(), scope(), Arc::new(caller), runtime.handle(), options);
        runtime.spawn(driver);
        Devices { runtime, replicas, calling, called }
    }

    fn write(&self, n: usize, text: &str) {
        let wall_ms = self.runtime.now().wall_ms;
        self.replicas[n].write(wall_ms, |tx| tx.insert("note", &[("text", Value::text(text))]));
    }

    fn notes(&self, n: usize) -> usize {
        self.replicas[n].with(|store| store.rows(&scope()).get("note").map_or(0, |rows| rows.len()))
    }
}

#[test]
fn each_has_what_the_other_wrote_before_and_after_they_met() {
    let devices = Devices::new(Arc::new(Open), ClientOptions::default());
    devices.write(0, "of the caller");
    devices.write(1, "of the called");
    devices.runtime.block_on(devices.calling.sync_now()).unwrap();
    assert_eq!((devices.notes(0), devices.notes(1)), (2, 2));
    // The one that is called may ask as well.
    devices.write(0, "later");
    devices.write(1, "later, too");
    devices.runtime.block_on(devices.called.sync_now()).unwrap();
    devices.runtime.advance(Duration::from_secs(1));
    assert_eq!((devices.notes(0), devices.notes(1)), (4, 4));
    for client in [&devices.calling, &devices.called] {
        assert_eq!(client.status().state, State::Live);
    }
    let peers = [&devices.calling, &devices.called].map(|client| client.status().peer.unwrap());
    assert_eq!(peers, [2, 1].map(|n| SiteId::from_bytes([n; 16])));
    devices.runtime.block_on(devices.calling.shutdown());
    devices.runtime.advance(Duration::from_secs(5));
    // In one process, nobody else can call.
    assert_eq!(devices.called.status().state, State::Stopped);
}

#[test]
fn what_one_client_of_a_file_brings_another_passes_on() {
    let runtime = TestRuntime::new(11);
    // SQLite stamps by the machine's clock.
    let wall_ms = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    runtime.jump_wall(wall_ms - runtime.now().wall_ms as i64);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("middle.db");
    let app = Connection::open(&path).unwrap();
    app.execute_batch("CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT)").unwrap();
    let middle = Replica::open(&path, ReplicaOptions::default()).unwrap();
    middle.track(&Tables::all()).unwrap();
    let ends = [1, 2].map(|n| MemoryReplica::new(scope(), SiteId::from_bytes([n; 16]), Stamp(1)));
    let clients: Vec<Client> = ends
        .iter()
        .flat_map(|end| {
            let (caller, listener) = transport::local();
            let options = ClientOptions::default;
            let (called, driver) = Client::accepting(
                middle.clone(),
                scope(),
                Arc::new(listener),
                Arc::new(Open),
                runtime.handle(),
                options(),
            );
            runtime.spawn(driver);
            let (calling, driver) =
                Client::new(end.clone(), scope(), Arc::new(caller), runtime.handle(), options());
            runtime.spawn(driver);
            [called, calling]
        })
        .collect();
    let notes =
        |end: &MemoryReplica| end.with(|store| store.rows(&scope()).get("note").map_or(0, |rows| rows.len()));
    runtime.advance(Duration::from_secs(2));
    for round in 1..4 {
        let wall_ms = runtime.now().wall_ms;
        ends[0].write(wall_ms, |tx| tx.insert("note", &[("text", Value::text("of an end"))]));
        app.execute("INSERT INTO note(text) VALUES('of the middle')", []).unwrap();
        runtime.advance(Duration::from_secs(2));
        assert_eq!((notes(&ends[0]), notes(&ends[1])), (2 * round, 2 * round), "round {round}");
    }
    // So is what comes on a stick.
    let path = dir.path().join("other.db");
    let app = Connection::open(&path).unwrap();
    app.execute_batch("CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT)").unwrap();
    let other = Replica::open(&path, ReplicaOptions::default()).unwrap();
    other.track(&Tables::all()).unwrap();
    app.execute("INSERT INTO note(text) VALUES('carried')", []).unwrap();
    let mut stick = Vec::new();
    other.export(&mut stick, &ExportOptions::new(scope(), runtime.now())).unwrap();
    middle.import(Cursor::new(stick), &ImportOptions::new(scope(), runtime.now())).unwrap();
    runtime.advance(Duration::from_secs(2));
    assert_eq!((notes(&ends[0]), notes(&ends[1])), (7, 7));
    assert!(clients.iter().all(|client| client.status().state == State::Live));
}

#[test]
fn who_is_called_may_wait_for_hours() {
    let runtime = TestRuntime::new(3);
    let (caller, listener) = transport::local();
    let replica = MemoryReplica::new(scope(), SiteId::from_bytes([9; 16]), Stamp(9));
    let options = ClientOptions::default();
    let (called, driver) =
        Client::accepting(replica, scope(), Arc::new(listener), Arc::new(Open), runtime.handle(), options);
    runtime.spawn(driver);
    runtime.advance(Duration::from_secs(20 * 3_600));
    let status = called.status();
    assert_eq!((status.state, status.failures, status.last_error), (State::Offline, 0, None));
    drop(caller);
    runtime.block_on(called.shutdown());
}

#[test]
fn the_one_that_is_called_decides_who_may_in_and_for_how_long() {
    let admission = admit_with(|request: AdmitRequest| async move {
        match request.token.as_deref() {
            Some("good") => Ok(Admitted::new("phone", Rights::ALL).until(u64::MAX)),
            _ => Err(refused(ErrorCode::Unauthorized, "who are you?")),
        }
    });
    let devices = Devices::new(Arc::new(admission), ClientOptions::default().with_token("bad"));
    devices.write(0, "not for everybody");
    devices.runtime.advance(Duration::from_secs(30));
    assert_eq!(devices.calling.status().last_error.unwrap().code, "unauthorized");
    assert_eq!(devices.notes(1), 0);

    let runtime = TestRuntime::new(7);
    let ends_ms = runtime.now().wall_ms + 10_000;
    drop(runtime);
    let admission =
        admit_with(move |_| async move { Ok(Admitted::new("guest", Rights::ALL).until(ends_ms)) });
    let devices = Devices::new(Arc::new(admission), ClientOptions::default());
    devices.runtime.block_on(devices.calling.sync_now()).unwrap();
    devices.runtime.advance(Duration::from_secs(5));
    assert_eq!(devices.calling.status().state, State::Live);
    devices.runtime.advance(Duration::from_secs(6));
    assert_eq!(devices.calling.status().last_error.unwrap().code, "unauthorized");
}

#[test]
fn another_database_is_refused() {
    let runtime = TestRuntime::new(5);
    let (caller, listener) = transport::local();
    let replica = |n| MemoryReplica::new(scope(), SiteId::from_bytes([n; 16]), Stamp(1));
    let (_called, driver) = Client::accepting(
        replica(1),
        scope(),
        Arc::new(listener),
        Arc::new(Open),
        runtime.handle(),
        ClientOptions::default(),
    );
    runtime.spawn(driver);
    let letters = Scope::new("letters").unwrap();
    let options = ClientOptions::default();
    let (calling, driver) = Client::new(replica(2), letters, Arc::new(caller), runtime.handle(), options);
    runtime.spawn(driver);
    runtime.advance(Duration::from_secs(2));
    assert_eq!(calling.status().last_error.unwrap().code, "forbidden");
}

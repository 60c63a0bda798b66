//! The Unix-domain socket transport of the examples does what transports have to.
#![cfg(unix)]

#[path = "../examples/unix_socket/link.rs"]
mod link;

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::join;
use link::{Caller, Listener, framed};
use pocketsync::admission::Open;
use pocketsync::id::SiteId;
use pocketsync::runtime::SmolRuntime;
use pocketsync::testkit::{MemoryReplica, conformance};
use pocketsync::{Client, ClientOptions, Connector, Runtime, Scope, State, Transport, Value};
use pocketsync_core::lineage::Stamp;
use smol::Async;

struct UnixSockets;

#[async_trait]
impl conformance::Bench for UnixSockets {
    async fn open(&self) -> (Transport, Transport) {
        let (ours, theirs) = Async::<UnixStream>::pair().unwrap();
        (framed(ours), framed(theirs))
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            smol::Timer::after(time).await;
        })
    }
}

#[test]
fn unix_sockets_conform() {
    smol::block_on(conformance::check_all(&UnixSockets));
}

#[test]
fn two_devices_meet_at_a_socket_and_again_when_one_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("sync.sock");
    let scope = Scope::new("notes").unwrap();
    let runtime = Arc::new(SmolRuntime::new());
    let [a, b] = [1, 2].map(|n| MemoryReplica::new(scope.clone(), SiteId::from_bytes([n; 16]), Stamp(1)));
    let write = |replica: &MemoryReplica, text: &str| {
        replica.write(runtime.now().wall_ms, |tx| tx.insert("note", &[("text", Value::text(text))]));
        replica.notify_committed();
    };
    let rows = |replica: &MemoryReplica| replica.with(|store| store.rows(&scope));
    let caller = Arc::new(Caller::new(&socket));
    assert_eq!(smol::block_on(caller.connect()).unwrap_err().code(), "unreachable");
    let (calling, driver) =
        Client::new(a.clone(), scope.clone(), caller, runtime.clone(), ClientOptions::default());
    smol::spawn(driver).detach();
    for round in 0..2 {
        write(&a, "of the caller");
        let (called, driver) = Client::accepting(
            b.clone(),
            scope.clone(),
            Arc::new(Listener::bind(&socket).unwrap()),
            Arc::new(Open),
            runtime.clone(),
            ClientOptions::default(),
        );
        let listening = smol::spawn(driver);
        write(&b, "of the called");
        let (there, here) = smol::block_on(async { join!(calling.sync_now(), called.sync_now()) });
        there.unwrap();
        here.unwrap();
        assert_eq!(rows(&a), rows(&b));
        assert_eq!(rows(&a)["note"].len(), 2 * (round + 1));
        smol::block_on(called.shutdown());
        smol::block_on(listening);
        assert_eq!(called.status().state, State::Stopped);
        assert!(!socket.exists());
    }
}

//! Devices and a hub over HTTP, on every runtime that there is; and what happens where a WebSocket
//! cannot be had.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::BoxFuture;
use pocketsync::admission::Open;
use pocketsync::http::{self, Fallback, HttpHub, HttpHubOptions, HttpUrl};
use pocketsync::id::SiteId;
use pocketsync::lineage::Stamp;
use pocketsync::runtime::{Runtime, SmolRuntime, TokioRuntime};
use pocketsync::store::MemoryStore;
use pocketsync::testkit::{MemoryReplica, memory_pair};
use pocketsync::transport::TransportError;
use pocketsync::{Client, ClientOptions, Connector, HubOptions, HubServer, Scope, Transport, Value};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// What differs between the runtimes.
struct Kit {
    runtime: Arc<dyn Runtime>,
    spawn: fn(BoxFuture<'static, ()>),
    listen: fn(HttpHub) -> BoxFuture<'static, HttpUrl>,
    connector: fn(HttpUrl) -> Arc<dyn Connector>,
}

#[test]
fn devices_exchange_rows_on_tokio() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let kit = Kit {
        runtime: Arc::new(TokioRuntime::new(tokio.handle().clone())),
        spawn: |future| drop(tokio::spawn(future)),
        listen: |hub| {
            Box::pin(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("http://{}", listener.local_addr().unwrap());
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        let hub = hub.clone();
                        tokio::spawn(async move { hub.serve(stream.compat()).await });
                    }
                });
                url.parse().unwrap()
            })
        },
        connector: |url| Arc::new(http::TokioConnector::new(url)),
    };
    tokio.block_on(exchange(kit));
}

#[test]
fn devices_exchange_rows_on_smol() {
    let kit = Kit {
        runtime: Arc::new(SmolRuntime::new()),
        spawn: |future| smol::spawn(future).detach(),
        listen: |hub| {
            Box::pin(async move {
                let listener = smol::Async::<std::net::TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
                let url = format!("http://{}", listener.get_ref().local_addr().unwrap());
                smol::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        let hub = hub.clone();
                        smol::spawn(async move { hub.serve(stream).await }).detach();
                    }
                })
                .detach();
                url.parse().unwrap()
            })
        },
        connector: |url| Arc::new(http::SmolConnector::new(url)),
    };
    smol::block_on(exchange(kit));
}

async fn exchange(kit: Kit) {
    let scope = Scope::new("notes").unwrap();
    let store = MemoryStore::hub(SiteId::from_bytes([99; 16]), Stamp(99));
    let (server, driver) =
        HubServer::new(store, Arc::new(Open), Arc::clone(&kit.runtime), HubOptions::default());
    (kit.spawn)(Box::pin(driver));
    let hub = HttpHub::new(server.clone(), Arc::clone(&kit.runtime), HttpHubOptions::default());
    let url = (kit.listen)(hub).await;

    let devices = [1, 2].map(|site| {
        let replica =
            MemoryReplica::new(scope.clone(), SiteId::from_bytes([site; 16]), Stamp(u64::from(site)));
        let connector = (kit.connector)(url.clone());
        let (client, driver) = Client::new(
            replica.clone(),
            scope.clone(),
            connector,
            Arc::clone(&kit.runtime),
            ClientOptions::default(),
        );
        (kit.spawn)(Box::pin(driver));
        (replica, client)
    });
    let write = |device: usize, text: &str| {
        let wall_ms = kit.runtime.now().wall_ms;
        devices[device].0.write(wall_ms, |tx| tx.insert("note", &[("text", Value::text(text))]));
    };
    let rows = |device: usize| devices[device].0.with(|store| store.rows(&scope));
    for n in 0..3 {
        write(n % 2, &format!("note {n}"));
        devices[n % 2].1.sync_now().await.unwrap();
        let deadline = kit.runtime.now().mono + Duration::from_secs(20);
        while rows(0) != rows(1) || rows(0)["note"].len() != n + 1 {
            assert!(kit.runtime.now().mono < deadline, "note {n} did not arrive");
            kit.runtime.sleep_until(kit.runtime.now().mono + Duration::from_millis(2)).await;
        }
    }
    let counted = server.counters();
    assert_eq!((counted.sessions, counted.rows_received), (2, 3));
    for (_, client) in &devices {
        client.shutdown().await;
    }
    server.shutdown().await;
}

/// A connector that fails, or has a link in memory to give.
struct Scripted {
    error: Option<TransportError>,
    tried: Arc<AtomicUsize>,
    ends: Arc<Mutex<Vec<Transport>>>,
}

#[async_trait::async_trait]
impl Connector for Scripted {
    async fn connect(&self) -> Result<Transport, TransportError> {
        self.tried.fetch_add(1, Ordering::Relaxed);
        match &self.error {
            Some(error) => Err(error.clone()),
            None => {
                let (ours, theirs) = memory_pair(1 << 16);
                self.ends.lock().unwrap().push(theirs);
                Ok(ours)
            }
        }
    }
}

fn scripted(error: Option<TransportError>) -> (Scripted, Arc<AtomicUsize>, Arc<Mutex<Vec<Transport>>>) {
    let (tried, ends) = (Arc::new(AtomicUsize::new(0)), Arc::default());
    (Scripted { error, tried: Arc::clone(&tried), ends: Arc::clone(&ends) }, tried, ends)
}

#[test]
fn the_second_transport_is_preferred_once_it_has_worked() {
    use futures::{SinkExt, StreamExt};

    let no_upgrade = || Some(TransportError::Unreachable("no upgrade".to_owned()));
    let ((first, tried, _), (second, _, ends)) = (scripted(no_upgrade()), scripted(None));
    let told = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&told);
    let fallback = Fallback::new(first, second, Arc::new(SmolRuntime::new())).on_fallback(move |why| {
        assert!(why.to_string().contains("no upgrade"));
        counting.fetch_add(1, Ordering::Relaxed);
    });
    let mut link = block_on(fallback.connect()).unwrap();
    // Nothing came yet: who knows whether the second works.
    let _another = block_on(fallback.connect()).unwrap();
    assert_eq!((tried.load(Ordering::Relaxed), told.load(Ordering::Relaxed)), (2, 2));
    let mut end = ends.lock().unwrap().remove(0);
    block_on(end.sink.send("a frame".into())).unwrap();
    block_on(link.stream.next()).unwrap().unwrap();
    let _third = block_on(fallback.connect()).unwrap();
    assert_eq!((tried.load(Ordering::Relaxed), told.load(Ordering::Relaxed)), (2, 2));
}

#[test]
fn where_neither_gets_through_the_error_is_that_of_the_first() {
    let first = TransportError::Unreachable("the first".to_owned());
    let second = TransportError::Unreachable("the second".to_owned());
    let ((a, ..), (b, ..)) = (scripted(Some(first.clone())), scripted(Some(second)));
    let fallback = Fallback::new(a, b, Arc::new(SmolRuntime::new()));
    assert_eq!(block_on(fallback.connect()).unwrap_err(), first);
    // What cannot work however often it is tried is not tried otherwise.
    let wrong = TransportError::Misconfigured("the address".to_owned());
    let ((a, ..), (b, tried, _)) = (scripted(Some(wrong.clone())), scripted(None));
    let fallback = Fallback::new(a, b, Arc::new(SmolRuntime::new()));
    assert_eq!(block_on(fallback.connect()).unwrap_err(), wrong);
    assert_eq!(tried.load(Ordering::Relaxed), 0);
}

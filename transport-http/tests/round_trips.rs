//! How many round trips a sync takes, with real sessions on both sides and a slow line between.
#![cfg(feature = "hub")]

mod ends;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ends::{url, world};
use futures::future::join;
use futures::{AsyncReadExt, AsyncWriteExt};
use pocketsync_core::admission::Open;
use pocketsync_core::driver::{Client, ClientOptions, HubOptions, HubServer};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::runtime::Runtime;
use pocketsync_core::store::MemoryStore;
use pocketsync_core::testkit::MemoryReplica;
use pocketsync_core::transport::{Connector, Transport, TransportError};
use pocketsync_core::value::Value;
use pocketsync_http::{Dial, HttpConfig, HttpHub, HttpHubOptions};
use tokio::io::DuplexStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// How long bytes take from one side to the other.
const ONE_WAY: Duration = Duration::from_millis(100);

/// A line to the hub that takes its time, and counts the requests on it.
#[derive(Clone)]
struct SlowLine {
    hub: HttpHub,
    requests: Arc<AtomicUsize>,
    runtime: Arc<dyn Runtime>,
}

#[async_trait]
impl Dial for SlowLine {
    type Stream = Compat<DuplexStream>;

    async fn dial(&self) -> Result<Self::Stream, TransportError> {
        let (ours, near) = tokio::io::duplex(1 << 20);
        let (far, theirs) = tokio::io::duplex(1 << 20);
        let (near_reads, near_writes) = near.compat().split();
        let (far_reads, far_writes) = far.compat().split();
        let requests = Arc::clone(&self.requests);
        tokio::spawn(join(
            carry(near_reads, far_writes, move |bytes| {
                requests.fetch_add(usize::from(bytes.starts_with(b"POST ")), Ordering::Relaxed);
            }),
            carry(far_reads, near_writes, |_| {}),
        ));
        let hub = self.hub.clone();
        tokio::spawn(async move { hub.serve(theirs.compat()).await });
        Ok(ours.compat())
    }
}

async fn carry(
    mut from: impl futures::AsyncRead + Unpin,
    mut to: impl futures::AsyncWrite + Unpin,
    look: impl Fn(&[u8]),
) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        look(&buffer[..read]);
        tokio::time::sleep(ONE_WAY).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
}

#[async_trait]
impl Connector for SlowLine {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let runtime = Arc::clone(&self.runtime);
        pocketsync_http::client(self.clone(), &url(), HttpConfig::default(), runtime).await
    }
}

fn scope() -> Scope {
    Scope::new("notes").unwrap()
}

fn write(replica: &MemoryReplica, runtime: &Arc<dyn Runtime>, rows: usize) {
    replica.write(runtime.now().wall_ms, |tx| {
        for row in 0..rows {
            tx.insert("note", &[("text", Value::text(&format!("note number {row} of many")))]);
        }
    });
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coming_back_with_changes_on_both_sides_takes_one_round_trip_and_the_first_time_two() {
    let runtime = world();
    let store = MemoryStore::hub(SiteId::from_bytes([99; 16]), Stamp(99));
    let (server, driver) = HubServer::new(store, Arc::new(Open), Arc::clone(&runtime), HubOptions::default());
    tokio::spawn(driver);
    let hub = HttpHub::new(server, Arc::clone(&runtime), HttpHubOptions::default());

    let start = |site: u8| {
        let replica = MemoryReplica::new(scope(), SiteId::from_bytes([site; 16]), Stamp(u64::from(site)));
        let line = SlowLine { hub: hub.clone(), requests: Arc::default(), runtime: Arc::clone(&runtime) };
        let requests = Arc::clone(&line.requests);
        let (client, driver) = Client::new(
            replica.clone(),
            scope(),
            Arc::new(line),
            Arc::clone(&runtime),
            ClientOptions::default(),
        );
        tokio::spawn(driver);
        (replica, client, requests)
    };
    let (here, client, requests) = start(1);
    let (there, other, _) = start(2);
    client.suspend(Duration::from_secs(1)).await.unwrap();
    other.sync_now().await.unwrap();

    // The first time, the device has to hear what the hub holds of it, and what time it is.
    let mut taken = Vec::new();
    for rows in [1, 1, 1, 100, 100] {
        write(&there, &runtime, rows);
        other.sync_now().await.unwrap();
        write(&here, &runtime, rows);
        requests.store(0, Ordering::Relaxed);
        let began = Instant::now();
        client.resume();
        client.sync_now().await.unwrap();
        let (took, asked) = (began.elapsed(), requests.load(Ordering::Relaxed));
        let trips = took.as_secs_f64() / (2.0 * ONE_WAY.as_secs_f64());
        println!("{rows} rows each way: {asked} requests, {took:?}, {trips:.2} round trips");
        // On a busy machine, a session may speak in several breaths.
        assert!(asked <= 5, "one request or two, and perhaps a poll: {asked}");
        assert!(trips < 5.0, "{trips} round trips");
        taken.push(trips);
        let rows = |replica: &MemoryReplica| replica.with(|store| store.rows(&scope()));
        until("both have both", || rows(&here) == rows(&there)).await;
        client.suspend(Duration::from_secs(1)).await.unwrap();
    }
    assert!(taken[0] >= 2.0, "{taken:?}");
    let best = taken[1..].iter().copied().fold(f64::MAX, f64::min);
    assert!((1.0..2.0).contains(&best), "then it goes along with the introduction: {taken:?}");
    client.resume();
    client.sync_now().await.unwrap();

    // Live: a change goes up with the second request and comes down with the held one.
    let began = Instant::now();
    let before = here.with(|store| store.rows(&scope()))["note"].len();
    write(&there, &runtime, 1);
    until("it is here", || here.with(|store| store.rows(&scope()))["note"].len() > before).await;
    let trips = began.elapsed().as_secs_f64() / (2.0 * ONE_WAY.as_secs_f64());
    println!("a live change crossed in {trips:.2} round trips");
    assert!(trips < 2.0, "{trips} round trips");
}

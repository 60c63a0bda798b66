//! The contract of transports, held against this one in memory, over TCP, with either side in either
//! role, and over connections that break all the time.
#![cfg(feature = "hub")]

mod ends;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ends::{Breaking, Pipes, Tcp, hub, impatient, listen, open};
use futures::future::BoxFuture;
use pocketsync_core::testkit::conformance::{Bench, check_all};
use pocketsync_core::transport::Transport;
use pocketsync_http::{HttpConfig, HttpHubOptions};

enum Bytes {
    InMemory(usize),
    Tcp,
    Breaking(u64, u64),
}

struct Links {
    bytes: Bytes,
    config: HttpConfig,
    options: HttpHubOptions,
    /// Whether the hub's end plays the first role.
    swapped: bool,
    broken: Arc<AtomicU64>,
}

fn links(bytes: Bytes) -> Links {
    Links {
        bytes,
        config: HttpConfig::default(),
        options: impatient(),
        swapped: false,
        broken: Arc::default(),
    }
}

#[async_trait]
impl Bench for Links {
    async fn open(&self) -> (Transport, Transport) {
        let (hub, mut arrivals) = hub(self.options.clone());
        let (client, hub) = match self.bytes {
            Bytes::InMemory(buffer) => open(Pipes { hub, buffer }, self.config, &mut arrivals).await,
            Bytes::Tcp => open(Tcp::to(listen(&hub).await), self.config, &mut arrivals).await,
            Bytes::Breaking(least, most) => {
                let dial = Tcp::to(listen(&hub).await);
                let dial = Breaking { dial, lives: (least, most), broken: Arc::clone(&self.broken) };
                open(dial, self.config, &mut arrivals).await
            }
        };
        if self.swapped { (hub, client) } else { (client, hub) }
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

#[tokio::test]
async fn through_a_narrow_pipe_with_the_smallest_frames() {
    let mut links = links(Bytes::InMemory(100));
    links.config = links.config.max_frame_bytes(0);
    links.options.max_frame_bytes = 0;
    check_all(&links).await;
    links.swapped = true;
    check_all(&links).await;
}

#[tokio::test]
async fn through_a_wide_pipe() {
    check_all(&links(Bytes::InMemory(1 << 20))).await;
}

#[tokio::test]
async fn over_tcp() {
    check_all(&links(Bytes::Tcp)).await;
}

#[tokio::test]
async fn over_tcp_with_the_hub_in_the_first_role() {
    check_all(&Links { swapped: true, ..links(Bytes::Tcp) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_connections_that_break() {
    for swapped in [false, true] {
        let mut links = links(Bytes::Breaking(2_000, 60_000));
        links.config = links.config.max_frame_bytes(8_000);
        links.options.max_frame_bytes = 8_000;
        links.swapped = swapped;
        check_all(&links).await;
        let broken = links.broken.load(Ordering::Relaxed);
        assert!(broken > 50, "only {broken} connections were needed");
    }
}

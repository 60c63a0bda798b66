//! The contract of transports, held against this one in memory, over TCP and over TLS.

mod pair;
#[cfg(feature = "tls")]
mod trust;

use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use pair::{memory, open, tcp};
use pocketsync_core::testkit::conformance::{Bench, check_all};
use pocketsync_core::transport::Transport;
use pocketsync_ws::WsConfig;

enum Bytes {
    InMemory(usize),
    Tcp,
    #[cfg(feature = "tls")]
    Tls(trust::Trust),
}

struct Links {
    bytes: Bytes,
    config: WsConfig,
}

#[async_trait]
impl Bench for Links {
    async fn open(&self) -> (Transport, Transport) {
        let config = self.config;
        let ends = match &self.bytes {
            Bytes::InMemory(buffer) => open(memory(*buffer), config).await,
            Bytes::Tcp => open(tcp().await, config).await,
            #[cfg(feature = "tls")]
            Bytes::Tls(trust) => open(trust.over(tcp().await).await.unwrap(), config).await,
        };
        ends.unwrap()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

#[tokio::test]
async fn through_a_narrow_pipe() {
    check_all(&Links { bytes: Bytes::InMemory(100), config: WsConfig::default().max_frame_bytes(0) }).await;
}

#[tokio::test]
async fn through_a_wide_pipe() {
    check_all(&Links { bytes: Bytes::InMemory(1 << 20), config: WsConfig::default() }).await;
}

#[tokio::test]
async fn over_tcp() {
    check_all(&Links { bytes: Bytes::Tcp, config: WsConfig::default() }).await;
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn over_tls() {
    check_all(&Links { bytes: Bytes::Tls(trust::trust()), config: WsConfig::default() }).await;
}

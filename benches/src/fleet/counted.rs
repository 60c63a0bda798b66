//! A connector that counts the bytes on the wire, WebSocket and handshakes included.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use pocketsync::transport::{Connector, Transport, TransportError};
use pocketsync::ws::{self, WsConfig, WsUrl};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Connects to a hub, and counts what goes over the sockets.
#[derive(Debug)]
pub(super) struct CountedConnector {
    url: WsUrl,
    bytes: Arc<AtomicU64>,
}

impl CountedConnector {
    pub(super) fn new(url: WsUrl) -> CountedConnector {
        CountedConnector { url, bytes: Arc::default() }
    }

    /// Where the bytes of both directions are counted.
    pub(super) fn bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes)
    }
}

#[async_trait]
impl Connector for CountedConnector {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let stream = TcpStream::connect((self.url.host(), self.url.port()))
            .await
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(|error| TransportError::Unreachable(error.to_string()))?;
        let counted = Counted { stream, bytes: Arc::clone(&self.bytes) };
        ws::client(counted.compat(), &self.url, WsConfig::default()).await
    }
}

struct Counted {
    stream: TcpStream,
    bytes: Arc<AtomicU64>,
}

impl Counted {
    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.count(buffer.filled().len() - before);
        poll
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = poll {
            self.count(written);
        }
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

//! Where a device is called, if there is no hub.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use pocketsync_core::transport::{Connector, Transport, TransportError};
use pocketsync_ws::WsConfig;
use tokio::sync::Mutex;
use tokio_util::compat::TokioAsyncReadCompatExt;
use turmoil::net::{TcpListener, TcpStream};

use super::line::{Line, PORT};
use super::parts::Parts;
use super::shaped;

/// How long a connection may take to become a WebSocket.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Gives a device's client one caller after the other.
pub(super) struct Listen<P: Parts> {
    line: Arc<Line>,
    parts: Arc<P>,
    /// Bound by the host, when it runs.
    listener: Mutex<Option<TcpListener>>,
}

impl<P: Parts> Listen<P> {
    pub(super) fn new(line: &Arc<Line>, parts: &Arc<P>) -> Self {
        Listen { line: Arc::clone(line), parts: Arc::clone(parts), listener: Mutex::new(None) }
    }

    /// Makes a link of a connection; `None` where the caller does not get through, and tries again.
    async fn welcome(&self, stream: TcpStream) -> Option<Transport> {
        let cuts = self.line.check().ok()?;
        let config = WsConfig::default().max_frame_bytes(self.line.link.max_frame_bytes as usize);
        let until = self.line.time.now() + HANDSHAKE;
        let handshake = std::pin::pin!(pocketsync_ws::accept(stream.compat(), config));
        let too_long = std::pin::pin!(self.line.time.sleep_until(until));
        let transport = match select(handshake, too_long).await {
            Either::Left((accepted, _)) => accepted.ok()?,
            Either::Right(_) => return None,
        };
        self.line.check().ok().filter(|now| *now == cuts)?;
        let shaped = shaped::shape(transport, &self.line, self.line.next_connection());
        Some(self.parts.link(self.line.device, shaped))
    }
}

#[async_trait]
impl<P: Parts> Connector for Listen<P> {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let unreachable = |error: std::io::Error| TransportError::Unreachable(error.to_string());
        let mut listener = self.listener.lock().await;
        let listener = match &mut *listener {
            Some(bound) => bound,
            unbound => unbound.insert(TcpListener::bind(("0.0.0.0", PORT)).await.map_err(unreachable)?),
        };
        loop {
            let (stream, _) = listener.accept().await.map_err(unreachable)?;
            if let Some(transport) = self.welcome(stream).await {
                return Ok(transport);
            }
        }
    }
}

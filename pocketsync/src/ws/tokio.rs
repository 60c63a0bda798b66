//! WebSockets over sockets of Tokio.

use async_trait::async_trait;
use pocketsync_core::transport::{Connector, Transport, TransportError};
use pocketsync_ws::{WsConfig, WsUrl};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::settings::Settings;

/// Connects to a hub's WebSocket over TCP, with Tokio; must be polled inside of a Tokio runtime.
#[derive(Clone, Debug)]
pub struct TokioConnector {
    settings: Settings,
}

impl TokioConnector {
    /// A connector to a hub.
    pub fn new(url: WsUrl) -> Self {
        TokioConnector { settings: Settings::new(url) }
    }

    /// Sets the limits of the WebSocket.
    #[must_use]
    pub fn with_config(mut self, config: WsConfig) -> Self {
        self.settings.config = config;
        self
    }

    /// Says whom to trust at a `wss://` address.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: std::sync::Arc<pocketsync_ws::rustls::ClientConfig>) -> Self {
        self.settings.tls = Some(tls);
        self
    }
}

#[async_trait]
impl Connector for TokioConnector {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let settings = &self.settings;
        settings.check()?;
        let address = (settings.url.host(), settings.url.port());
        let stream = TcpStream::connect(address).await.map_err(|error| settings.unreachable(error))?;
        // Frames are whole messages: waiting for more to send only delays them.
        stream.set_nodelay(true).map_err(|error| settings.unreachable(error))?;
        settings.upgrade(stream.compat()).await
    }
}

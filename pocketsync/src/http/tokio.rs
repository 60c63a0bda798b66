//! HTTP over sockets of Tokio.

use std::sync::Arc;

use async_trait::async_trait;
use pocketsync_core::transport::{Connector, Transport, TransportError};
use pocketsync_http::{Dial, HttpConfig, HttpUrl};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::dial::{ByteStream, Settings};
use crate::runtime::TokioRuntime;

/// Links to a hub over HTTP, with Tokio; must be polled inside of a Tokio runtime.
#[derive(Clone, Debug)]
pub struct TokioConnector {
    settings: Settings,
}

impl TokioConnector {
    /// A connector to a hub.
    pub fn new(url: HttpUrl) -> Self {
        TokioConnector { settings: Settings::new(url) }
    }

    /// Sets limits and waits of the links.
    #[must_use]
    pub fn with_config(mut self, config: HttpConfig) -> Self {
        self.settings.config = config;
        self
    }

    /// Says whom to trust at an `https://` address.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: Arc<pocketsync_ws::rustls::ClientConfig>) -> Self {
        self.settings.tls = Some(tls);
        self
    }
}

#[async_trait]
impl Connector for TokioConnector {
    async fn connect(&self) -> Result<Transport, TransportError> {
        self.settings.check()?;
        let dialer = Dialer(self.settings.clone());
        let Settings { url, config, .. } = &self.settings;
        pocketsync_http::client(dialer, url, *config, Arc::new(TokioRuntime::current())).await
    }
}

struct Dialer(Settings);

#[async_trait]
impl Dial for Dialer {
    type Stream = Box<dyn ByteStream>;

    async fn dial(&self) -> Result<Self::Stream, TransportError> {
        let address = (self.0.url.host(), self.0.url.port());
        let stream = TcpStream::connect(address).await.map_err(|error| self.0.unreachable(error))?;
        // Requests are written whole: waiting for more to send only delays them.
        stream.set_nodelay(true).map_err(|error| self.0.unreachable(error))?;
        self.0.secure(stream.compat()).await
    }
}

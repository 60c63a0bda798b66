//! HTTP over sockets of `async-io`.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;

use async_io::Async;
use async_trait::async_trait;
use pocketsync_core::transport::{Connector, Transport, TransportError};
use pocketsync_http::{Dial, HttpConfig, HttpUrl};

use super::dial::{ByteStream, Settings};
use crate::runtime::SmolRuntime;

/// Links to a hub over HTTP, with `async-io`, under any executor.
#[derive(Clone, Debug)]
pub struct SmolConnector {
    settings: Settings,
}

impl SmolConnector {
    /// A connector to a hub.
    pub fn new(url: HttpUrl) -> Self {
        SmolConnector { settings: Settings::new(url) }
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
impl Connector for SmolConnector {
    async fn connect(&self) -> Result<Transport, TransportError> {
        self.settings.check()?;
        let dialer = Dialer(self.settings.clone());
        let Settings { url, config, .. } = &self.settings;
        pocketsync_http::client(dialer, url, *config, Arc::new(SmolRuntime::new())).await
    }
}

struct Dialer(Settings);

#[async_trait]
impl Dial for Dialer {
    type Stream = Box<dyn ByteStream>;

    async fn dial(&self) -> Result<Self::Stream, TransportError> {
        let host = self.0.url.host().to_owned();
        let port = self.0.url.port();
        let addresses: Vec<SocketAddr> =
            blocking::unblock(move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect))
                .await
                .map_err(|error: std::io::Error| self.0.unreachable(error))?;
        let mut last = self.0.unreachable("the name has no address");
        for address in addresses {
            match Async::<TcpStream>::connect(address).await {
                Ok(stream) => {
                    // Requests are written whole: waiting for more to send only delays them.
                    stream.get_ref().set_nodelay(true).map_err(|error| self.0.unreachable(error))?;
                    return self.0.secure(stream).await;
                }
                Err(error) => last = self.0.unreachable(error),
            }
        }
        Err(last)
    }
}

//! WebSockets over sockets of `async-io`.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

use async_io::Async;
use async_trait::async_trait;
use pocketsync_core::transport::{Connector, Transport, TransportError};
use pocketsync_ws::{WsConfig, WsUrl};

use super::settings::Settings;

/// Connects to a hub's WebSocket over TCP, with `async-io`, under any executor.
#[derive(Clone, Debug)]
pub struct SmolConnector {
    settings: Settings,
}

impl SmolConnector {
    /// A connector to a hub.
    pub fn new(url: WsUrl) -> Self {
        SmolConnector { settings: Settings::new(url) }
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
impl Connector for SmolConnector {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let settings = &self.settings;
        settings.check()?;
        let stream = open(settings).await?;
        // Frames are whole messages: waiting for more to send only delays them.
        stream.get_ref().set_nodelay(true).map_err(|error| settings.unreachable(error))?;
        settings.upgrade(stream).await
    }
}

/// Tries the host's addresses one after the other.
async fn open(settings: &Settings) -> Result<Async<TcpStream>, TransportError> {
    let host = settings.url.host().to_owned();
    let port = settings.url.port();
    let addresses: Vec<SocketAddr> =
        blocking::unblock(move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect))
            .await
            .map_err(|error: std::io::Error| settings.unreachable(error))?;
    let mut last = settings.unreachable("the name has no address");
    for address in addresses {
        match Async::<TcpStream>::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = settings.unreachable(error),
        }
    }
    Err(last)
}

//! What connectors have in common, whatever opens the socket.

use std::fmt;

use futures::{AsyncRead, AsyncWrite};
use pocketsync_core::transport::{Transport, TransportError};
use pocketsync_ws::{WsConfig, WsUrl};

/// Where to connect, and how.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) url: WsUrl,
    pub(super) config: WsConfig,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<std::sync::Arc<pocketsync_ws::rustls::ClientConfig>>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Settings {
    pub(super) fn new(url: WsUrl) -> Self {
        Settings {
            url,
            config: WsConfig::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Says before any socket is opened what cannot work.
    pub(super) fn check(&self) -> Result<(), TransportError> {
        #[cfg(feature = "tls")]
        let has_tls = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let has_tls = false;
        if self.url.is_tls() && !has_tls {
            let message = "a wss:// address needs the feature `tls` and a TLS configuration";
            return Err(TransportError::Misconfigured(message.to_owned()));
        }
        Ok(())
    }

    /// TLS if the address asks for it, and the WebSocket over it.
    pub(super) async fn upgrade<S>(&self, stream: S) -> Result<Transport, TransportError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.as_ref().filter(|_| self.url.is_tls()) {
            let stream = pocketsync_ws::tls_client(stream, self.url.host(), tls.clone()).await?;
            return pocketsync_ws::client(stream, &self.url, self.config).await;
        }
        pocketsync_ws::client(stream, &self.url, self.config).await
    }

    pub(super) fn unreachable(&self, error: impl fmt::Display) -> TransportError {
        TransportError::Unreachable(format!("{}:{}: {error}", self.url.host(), self.url.port()))
    }
}

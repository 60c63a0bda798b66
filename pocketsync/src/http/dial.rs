//! What connectors have in common, whatever opens the socket.

use std::fmt;

use futures::{AsyncRead, AsyncWrite};
use pocketsync_core::transport::TransportError;
use pocketsync_http::{HttpConfig, HttpUrl};

/// A socket, or TLS over one.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// Where to connect, and how.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) url: HttpUrl,
    pub(super) config: HttpConfig,
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
    pub(super) fn new(url: HttpUrl) -> Self {
        Settings {
            url,
            config: HttpConfig::default(),
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
            let message = "an https:// address needs the feature `tls` and a TLS configuration";
            return Err(TransportError::Misconfigured(message.to_owned()));
        }
        Ok(())
    }

    /// TLS if the address asks for it.
    pub(super) async fn secure<S>(&self, stream: S) -> Result<Box<dyn ByteStream>, TransportError>
    where
        S: ByteStream + 'static,
    {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.as_ref().filter(|_| self.url.is_tls()) {
            return Ok(Box::new(pocketsync_ws::tls_client(stream, self.url.host(), tls.clone()).await?));
        }
        Ok(Box::new(stream))
    }

    pub(super) fn unreachable(&self, error: impl fmt::Display) -> TransportError {
        TransportError::Unreachable(format!("{}:{}: {error}", self.url.host(), self.url.port()))
    }
}

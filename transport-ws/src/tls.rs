//! TLS under the WebSocket.

use std::sync::Arc;

use futures::{AsyncRead, AsyncWrite};
pub use futures_rustls::TlsStream;
use futures_rustls::pki_types::ServerName;
use futures_rustls::rustls::{ClientConfig, ServerConfig};
use futures_rustls::{TlsAcceptor, TlsConnector};
use pocketsync_core::transport::TransportError;

/// Begins TLS on a byte stream that is connected to `server_name`, a DNS name or an IP address
/// ([`WsUrl::host`](crate::WsUrl::host) as it is). Give the result to [`client`](crate::client).
///
/// The configuration says whom to trust. Where a program has two crypto providers, rustls panics
/// unless the configuration names one: build it with
/// `ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())`.
///
/// # Errors
/// When the name is neither a DNS name nor an address, the certificate is not good for it, or the
/// stream is lost.
pub async fn tls_client<S>(
    stream: S,
    server_name: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<S>, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(server_name.to_owned()).map_err(|_| {
        TransportError::Misconfigured(format!("`{server_name}` is not a name that a certificate can be for"))
    })?;
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| TransportError::Unreachable(format!("TLS with {server_name} failed: {error}")))?;
    Ok(TlsStream::Client(stream))
}

/// Answers TLS on a byte stream that was just accepted. Give the result to
/// [`accept`](crate::accept), and put one time limit around both.
///
/// # Errors
/// When the client does not speak TLS, does not trust the certificate, or goes away.
pub async fn tls_accept<S>(stream: S, config: Arc<ServerConfig>) -> Result<TlsStream<S>, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = TlsAcceptor::from(config)
        .accept(stream)
        .await
        .map_err(|error| TransportError::Protocol(format!("TLS with a client failed: {error}")))?;
    Ok(TlsStream::Server(stream))
}

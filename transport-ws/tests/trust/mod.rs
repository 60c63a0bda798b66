//! A certificate made for the test, and a device that trusts it.
#![allow(dead_code, reason = "each test program uses its part")]

use std::sync::Arc;

use futures::{AsyncRead, AsyncWrite};
use pocketsync_core::transport::TransportError;
use pocketsync_ws::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use pocketsync_ws::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use pocketsync_ws::{TlsStream, tls_accept, tls_client};

pub(crate) struct Trust {
    pub(crate) hub: Arc<ServerConfig>,
    pub(crate) device: Arc<ClientConfig>,
}

/// A certificate for `hub.test`, and a device that trusts it.
pub(crate) fn trust() -> Trust {
    let provider = Arc::new(ring::default_provider());
    let made = rcgen::generate_simple_self_signed(["hub.test".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let hub = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let device = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Trust { hub: Arc::new(hub), device: Arc::new(device) }
}

impl Trust {
    /// TLS over a pair of streams.
    pub(crate) async fn over<S>(
        &self,
        streams: (S, S),
    ) -> Result<(TlsStream<S>, TlsStream<S>), TransportError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let device = tls_client(streams.0, "hub.test", Arc::clone(&self.device));
        futures::try_join!(device, tls_accept(streams.1, Arc::clone(&self.hub)))
    }
}

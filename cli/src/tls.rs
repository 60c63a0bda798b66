//! TLS from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pocketsync::ws::rustls::crypto::ring;
use pocketsync::ws::rustls::pki_types::pem::PemObject;
use pocketsync::ws::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use pocketsync::ws::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::failure::{Context, Failure, Result};

/// The certificate of a hub that does its own TLS.
#[derive(clap::Args)]
pub(crate) struct HubTls {
    /// Serves wss:// itself: the certificate chain, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl HubTls {
    /// What rustls makes of it; `None` without a certificate.
    pub(crate) fn config(&self) -> Result<Option<Arc<ServerConfig>>> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let chain = certificates(certificate)?;
        let key =
            PrivateKeyDer::from_pem_file(key).context(format!("no private key in {}", key.display()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS")?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("the certificate and the key do not work together")?;
        Ok(Some(Arc::new(config)))
    }
}

/// Whom to trust: the certificates of the system, or those in `ca` in their place.
pub(crate) fn trust(ca: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate).context(format!("a certificate in {}", file.display()))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
                return Err(Failure::new(format!("the system has no certificates to trust{why}"))
                    .hint("give the hub's own with --ca FILE"));
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The certificates in a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let failed = || format!("cannot read certificates from {}", path.display());
    let found: Vec<_> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect).context(failed())?;
    if found.is_empty() {
        return Err(Failure::new(format!("there is no certificate in {}", path.display())));
    }
    Ok(found)
}

//! TLS from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pocketsync::ws::rustls::crypto::ring;
use pocketsync::ws::rustls::pki_types::CertificateDer;
use pocketsync::ws::rustls::pki_types::pem::PemObject;
use pocketsync::ws::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::certificate::Certificate;
use crate::failure::{Context, Failure, Result};

/// The certificate of a hub that does its own TLS.
#[derive(clap::Args)]
pub(crate) struct HubTls {
    /// Serves wss:// and https:// itself: the certificate chain, in PEM. New files are taken while the hub runs
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl HubTls {
    /// What rustls makes of it, and the certificate, to be watched; `None` without one.
    pub(crate) fn open(&self) -> Result<Option<(Arc<ServerConfig>, Arc<Certificate>)>> {
        let (Some(chain), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let certificate = Arc::new(Certificate::open(chain, key)?);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS")?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as _);
        Ok(Some((Arc::new(config), certificate)))
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

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = std::fs::read(path).context(format!("cannot read {}", path.display()))?;
    certificates_in(&text, path)
}

/// The certificates in the text of a PEM file, at least one.
pub(crate) fn certificates_in(text: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.context(format!("cannot read certificates from {}", path.display()))?;
    if found.is_empty() {
        return Err(Failure::new(format!("there is no certificate in {}", path.display())));
    }
    Ok(found)
}

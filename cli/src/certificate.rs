//! The hub's own certificate, followed while the hub runs: whoever renews it puts new files in place of the
//! old ones, and connections from then on are made with these. Those that are open stay.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pocketsync::ws::rustls::crypto::ring;
use pocketsync::ws::rustls::pki_types::PrivateKeyDer;
use pocketsync::ws::rustls::pki_types::pem::PemObject;
use pocketsync::ws::rustls::server::{ClientHello, ResolvesServerCert};
use pocketsync::ws::rustls::sign::CertifiedKey;

use crate::failure::{Context, Result};
use crate::tls::certificates_in;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A certificate chain and its key, in two files.
#[derive(Debug)]
pub(crate) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    /// What the files said when they were looked at last; times and sizes hide changes.
    texts: [Vec<u8>; 2],
    certified: Arc<CertifiedKey>,
}

impl Certificate {
    pub(crate) fn open(chain: &Path, key: &Path) -> Result<Self> {
        let texts = read(chain, key)?;
        let certified = certify(chain, key, &texts)?;
        let current = Mutex::new(Current { texts, certified });
        Ok(Certificate { chain: chain.to_owned(), key: key.to_owned(), current })
    }

    /// Looks at the files every second, for ever. What cannot be used, as two files of which only one is
    /// new yet, leaves the certificate from before in force.
    pub(crate) async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let this = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || this.look()).await {
                Ok(Ok(true)) => tracing::info!(file = %self.chain.display(), "a new certificate is in use"),
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(error)) => {
                    tracing::warn!(error = %error, "the certificate from before stays in use");
                }
            }
        }
    }

    /// Takes the files as they are, if they are others than before. Says whether they are.
    fn look(&self) -> Result<bool> {
        let texts = read(&self.chain, &self.key)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if texts == current.texts {
            return Ok(false);
        }
        let certified = certify(&self.chain, &self.key, &texts);
        // Said once, whatever it is.
        current.texts = texts;
        current.certified = certified?;
        Ok(true)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner).certified))
    }
}

fn read(chain: &Path, key: &Path) -> Result<[Vec<u8>; 2]> {
    let text = |path: &Path| std::fs::read(path).context(format!("cannot read {}", path.display()));
    Ok([text(chain)?, text(key)?])
}

fn certify(chain: &Path, key: &Path, [chain_text, key_text]: &[Vec<u8>; 2]) -> Result<Arc<CertifiedKey>> {
    let certificates = certificates_in(chain_text, chain)?;
    let private =
        PrivateKeyDer::from_pem_slice(key_text).context(format!("no private key in {}", key.display()))?;
    let certified = CertifiedKey::from_der(certificates, private, &ring::default_provider());
    Ok(Arc::new(certified.context(format!(
        "the certificate in {} and the key in {} do not work together",
        chain.display(),
        key.display()
    ))?))
}

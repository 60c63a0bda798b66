//! Who may in: a token becomes an identity and rights.

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::session::{AdmitRequest, Admitted, Rights};
use crate::wire::{ErrorCode, WireError};

/// Decides who may take part in which scope, with which rights.
#[async_trait]
pub trait Admission: Send + Sync {
    /// Decides about one session.
    ///
    /// # Errors
    /// What the other side is told: [`ErrorCode::Unauthorized`] for a token that is missing, wrong
    /// or expired, [`ErrorCode::Forbidden`] for a good token in the wrong place.
    async fn admit(&self, request: &AdmitRequest) -> Result<Admitted, WireError>;
}

/// Everyone may everything. For tests, and hubs that only listen on the machine itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open;

#[async_trait]
impl Admission for Open {
    async fn admit(&self, _request: &AdmitRequest) -> Result<Admitted, WireError> {
        Ok(Admitted { identity: "anyone".to_owned(), rights: Rights::ALL })
    }
}

/// Whoever knows the one token may everything, in every scope.
///
/// ```
/// use futures::executor::block_on;
/// use pocketsync_core::admission::{Admission, SharedToken};
/// use pocketsync_core::id::{Scope, SiteId};
/// use pocketsync_core::session::AdmitRequest;
///
/// let admission = SharedToken::new("correct horse");
/// let ask = |token: &str| AdmitRequest {
///     scope: Scope::new("notes").unwrap(),
///     site: SiteId::from_bytes([1; 16]),
///     token: Some(token.to_owned()),
///     identity: None,
/// };
/// assert!(block_on(admission.admit(&ask("correct horse"))).is_ok());
/// assert!(block_on(admission.admit(&ask("correct h0rse"))).is_err());
/// ```
#[derive(Clone)]
pub struct SharedToken {
    digest: [u8; 32],
}

impl SharedToken {
    /// Admission for whoever brings this token.
    pub fn new(token: &str) -> Self {
        SharedToken { digest: Sha256::digest(token.as_bytes()).into() }
    }

    /// Whether this is the token. Takes the same time however much of it is right: what is compared
    /// are digests, each to its end.
    fn accepts(&self, token: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let difference =
            self.digest.iter().zip(digest).fold(0, |difference, (ours, theirs)| difference | (ours ^ theirs));
        std::hint::black_box(difference) == 0
    }
}

impl std::fmt::Debug for SharedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedToken").finish_non_exhaustive()
    }
}

#[async_trait]
impl Admission for SharedToken {
    async fn admit(&self, request: &AdmitRequest) -> Result<Admitted, WireError> {
        let message = match &request.token {
            Some(token) if self.accepts(token) => {
                return Ok(Admitted { identity: "shared token".to_owned(), rights: Rights::ALL });
            }
            Some(_) => "the token is not the right one",
            None => "a token is needed",
        };
        Err(WireError { code: ErrorCode::Unauthorized, message: message.to_owned(), retry_after_ms: None })
    }
}

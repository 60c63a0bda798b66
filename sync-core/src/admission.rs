//! Who may in: a token becomes an identity and rights.

use std::fmt;
use std::future::Future;
use std::str::FromStr;

use async_trait::async_trait;
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};

use crate::session::{AdmitRequest, Admitted, Rights};
use crate::wire::{ErrorCode, WireError};

/// Decides who may take part in which scope, with which rights.
#[async_trait]
pub trait Admission: Send + Sync {
    /// Decides about one session. Asked again for sessions that are open when
    /// [`HubServer::readmit`](crate::driver::HubServer::readmit) is called.
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
        Ok(Admitted::anybody("anyone", Rights::ALL))
    }
}

/// Asks a closure: the shortest way to the application's own accounts.
///
/// ```
/// use futures::executor::block_on;
/// use pocketsync_core::admission::{Admission, admit_with, refused};
/// use pocketsync_core::id::{Scope, SiteId};
/// use pocketsync_core::session::{AdmitRequest, Admitted, Rights};
/// use pocketsync_core::wire::ErrorCode;
///
/// async fn account(token: &str) -> Option<&'static str> {
///     (token == "correct horse").then_some("alice") // a query to your accounts
/// }
///
/// let admission = admit_with(|request: AdmitRequest| async move {
///     let token = request.token.as_deref().ok_or_else(|| refused(ErrorCode::Unauthorized, "a token is needed"))?;
///     let name = account(token).await.ok_or_else(|| refused(ErrorCode::Unauthorized, "who are you?"))?;
///     if request.scope.as_str() != format!("notes-of-{name}") {
///         return Err(refused(ErrorCode::Forbidden, "not your notes"));
///     }
///     Ok(Admitted::new(name, Rights::ALL))
/// });
/// let ask = |scope: &str| AdmitRequest {
///     scope: Scope::new(scope).unwrap(),
///     site: SiteId::from_bytes([1; 16]),
///     token: Some("correct horse".to_owned()),
///     identity: None,
/// };
/// assert_eq!(block_on(admission.admit(&ask("notes-of-alice"))).unwrap().identity, "alice");
/// assert_eq!(block_on(admission.admit(&ask("notes-of-bob"))).unwrap_err().code, ErrorCode::Forbidden);
/// ```
pub fn admit_with<F, Fut>(decide: F) -> impl Admission + use<F, Fut>
where
    F: Fn(AdmitRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Admitted, WireError>> + Send + 'static,
{
    Closure(Box::new(move |request| Box::pin(decide(request))))
}

type Decide = dyn Fn(AdmitRequest) -> BoxFuture<'static, Result<Admitted, WireError>> + Send + Sync;

struct Closure(Box<Decide>);

#[async_trait]
impl Admission for Closure {
    async fn admit(&self, request: &AdmitRequest) -> Result<Admitted, WireError> {
        (self.0)(request.clone()).await
    }
}

/// A refusal, in words for whoever runs the client.
pub fn refused(code: ErrorCode, message: impl Into<String>) -> WireError {
    WireError { code, message: message.into(), retry_after_ms: None }
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
    digest: TokenDigest,
}

impl SharedToken {
    /// Admission for whoever brings this token.
    pub fn new(token: &str) -> Self {
        SharedToken { digest: TokenDigest::of(token) }
    }
}

impl fmt::Debug for SharedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedToken").finish_non_exhaustive()
    }
}

#[async_trait]
impl Admission for SharedToken {
    async fn admit(&self, request: &AdmitRequest) -> Result<Admitted, WireError> {
        match &request.token {
            Some(token) if self.digest.is_of(token) => Ok(Admitted::anybody("shared token", Rights::ALL)),
            Some(_) => Err(refused(ErrorCode::Unauthorized, "the token is not the right one")),
            None => Err(refused(ErrorCode::Unauthorized, "a token is needed")),
        }
    }
}

/// The SHA-256 of a token: what a hub keeps in place of it.
///
/// A token is random and long, so there is nothing to guess, and a slow password hash would only make
/// every handshake dear. Do not use it for words that people choose.
///
/// ```
/// use pocketsync_core::admission::TokenDigest;
///
/// let digest = TokenDigest::of("correct horse");
/// assert!(digest.is_of("correct horse") && !digest.is_of("correct h0rse"));
/// assert_eq!(digest.to_string().parse::<TokenDigest>().unwrap(), digest);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token.
    pub fn of(token: &str) -> Self {
        TokenDigest(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether this is the token's. Takes the same time however much of it is right: what is compared
    /// are digests, each to its end.
    pub fn is_of(&self, token: &str) -> bool {
        let theirs = TokenDigest::of(token);
        let difference =
            self.0.iter().zip(theirs.0).fold(0, |difference, (ours, theirs)| difference | (ours ^ theirs));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Display for TokenDigest {
    /// 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is not the SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a SHA-256 is 64 hexadecimal digits")]
pub struct InvalidDigest;

impl FromStr for TokenDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(InvalidDigest);
        }
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(InvalidDigest);
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Ok(TokenDigest(bytes))
    }
}

//! Signed tokens of an identity provider.

mod keys;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pocketsync_core::admission::{Admission, refused};
use pocketsync_core::driver::HubServer;
use pocketsync_core::runtime::Runtime;
use pocketsync_core::session::{AdmitRequest, Admitted};
use pocketsync_core::wire::{ErrorCode, WireError};
use serde::Deserialize;

use super::ScopePattern;
use super::grant::{self, Right};
use super::reload::{self, ReloadError, Reloaded};
use keys::Expected;
pub use keys::JwtKeys;

/// How far the clocks of the hub and of whoever made a token may be apart.
const LEEWAY_MS: f64 = 60_000.0;

/// Admission by JSON Web Tokens: HS256, RS256 and EdDSA (Ed25519).
///
/// A token needs these claims:
///
/// ```json
/// {
///   "sub": "alice",
///   "exp": 1801396800,
///   "scopes": ["notes", "team-*"],
///   "rights": ["read", "write"]
/// }
/// ```
///
/// `sub` is the identity; after `exp`, give or take a minute for clocks that differ, the session ends; in a scope
/// `*` stands for any characters. Two claims may narrow the right to write: `"write_tables": ["todo"]` to tables, and
/// `"relay": false` to what the device itself has made. `nbf`, `iss` and `aud` are respected. A token for an audience is refused where
/// [`with_audience`](Self::with_audience) was not said.
///
/// Every key is good for one algorithm, which the key decides and not the token; so a public key is never taken for
/// a secret, and there is no key for `none`.
///
/// Verified by the crate `jsonwebtoken`. Its cryptography is chosen for the whole process: by
/// `CryptoProvider::install_default` of the embedding program before the first [`JwtKeys`] are read, else they choose
/// its `rust_crypto`.
///
/// ```no_run
/// # #[cfg(feature = "tokio")]
/// # async fn serve(store: pocketsync::store::MemoryStore) -> Result<(), Box<dyn std::error::Error>> {
/// use pocketsync::admission::{Jwt, JwtKeys};
/// use pocketsync::{HubOptions, HubServer, runtime::TokioRuntime};
/// use std::sync::Arc;
///
/// let runtime = Arc::new(TokioRuntime::current());
/// let jwt = Jwt::open("jwks.json", JwtKeys::from_jwks, runtime.clone())?.with_issuer("https://login.example");
/// let jwt = Arc::new(jwt);
/// let (hub, driver) = HubServer::new(store, jwt.clone(), runtime, HubOptions::default());
/// tokio::spawn(driver);
/// tokio::spawn(jwt.watch(hub.clone()));
/// # Ok(())
/// # }
/// ```
pub struct Jwt {
    keys: Arc<Reloaded<JwtKeys>>,
    runtime: Arc<dyn Runtime>,
    expected: Expected,
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt")
            .field("keys", &self.keys)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

impl Jwt {
    /// Reads keys from a file: [`JwtKeys::from_secret`], [`JwtKeys::from_public_pem`] or [`JwtKeys::from_jwks`] says
    /// what is in it. What time it is comes from `runtime`.
    ///
    /// # Errors
    /// When the file cannot be read or holds no usable key.
    pub fn open(
        path: impl AsRef<Path>,
        parse: fn(&str) -> Result<JwtKeys, String>,
        runtime: Arc<dyn Runtime>,
    ) -> Result<Self, ReloadError> {
        let keys = Arc::new(Reloaded::open(path.as_ref(), Box::new(parse))?);
        Ok(Jwt { keys, runtime, expected: Expected::default() })
    }

    /// Takes only tokens that are for this audience (`aud`).
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.expected.audience = Some(audience.into());
        self
    }

    /// Takes only tokens of this issuer (`iss`).
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.expected.issuer = Some(issuer.into());
        self
    }

    /// Reads the keys again now. Says whether they are others; then call [`HubServer::readmit`], so that sessions
    /// whose key is gone end.
    ///
    /// # Errors
    /// When the file cannot be read or holds no usable key. The keys from before stay in force.
    pub fn reload(&self) -> Result<bool, ReloadError> {
        self.keys.reload()
    }

    /// Looks at the file every second, and ends the sessions of `hub` whose key is gone, until the hub has stopped:
    /// a future to spawn. A file that cannot be used leaves the keys from before in force, and is warned of once.
    pub fn watch(&self, hub: HubServer) -> impl Future<Output = ()> + Send + use<> {
        reload::watch(Arc::clone(&self.keys), hub, Arc::clone(&self.runtime))
    }

    /// What a token proves, or why it proves nothing.
    fn claims(&self, token: &str) -> Result<Claims, String> {
        let claims: Claims = self.keys.rules().decode(token, &self.expected)?;
        let now_ms = self.runtime.now().wall_ms as f64;
        if claims.exp * 1000.0 + LEEWAY_MS <= now_ms {
            return Err("it has expired".to_owned());
        }
        if claims.nbf.is_some_and(|nbf| nbf * 1000.0 - LEEWAY_MS > now_ms) {
            return Err("it is not good yet".to_owned());
        }
        if claims.sub.is_empty() {
            return Err("it says nobody's name".to_owned());
        }
        Ok(claims)
    }
}

#[async_trait]
impl Admission for Jwt {
    async fn admit(&self, request: &AdmitRequest) -> Result<Admitted, WireError> {
        let unauthorized = |message: String| refused(ErrorCode::Unauthorized, message);
        let token = request.token.as_deref().ok_or_else(|| unauthorized("a token is needed".to_owned()))?;
        let claims = self.claims(token.trim()).map_err(|why| unauthorized(format!("the token: {why}")))?;
        grant::check_scope(&claims.scopes, &request.scope)?;
        let rights = Right::all_of(&claims.rights, claims.relay);
        if !rights.read && !rights.write {
            return Err(refused(ErrorCode::Forbidden, "the token gives no rights"));
        }
        let tables = grant::tables(claims.write_tables, rights);
        let write_tables = tables.map_err(|why| unauthorized(format!("the token: {why}")))?;
        // A float that is too large becomes the largest number.
        let expires_at_ms = (claims.exp * 1000.0 + LEEWAY_MS) as u64;
        let mut admitted = Admitted::new(claims.sub, rights).until(expires_at_ms);
        admitted.write_tables = write_tables;
        Ok(admitted)
    }
}

/// The claims that matter, each of its only type; dates are seconds since 1970. Of whom and for whom it is has been
/// looked at; here it only has to be of its type.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    #[serde(rename = "iss")]
    _iss: Option<String>,
    #[serde(rename = "aud")]
    _aud: Option<Audience>,
    scopes: Vec<ScopePattern>,
    rights: Vec<Right>,
    write_tables: Option<Vec<String>>,
    relay: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its type is of interest")]
enum Audience {
    One(String),
    Several(Vec<String>),
}

//! Whom the hub lets in.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use pocketsync::HubServer;
use pocketsync::admission::{Admission, Jwt, JwtKeys, Open, SharedToken, TokenFile};
use pocketsync::runtime::TokioRuntime;

use crate::failure::{Context, Result};
use crate::token;

/// Whom the hub lets in; everybody, if nothing is said.
#[derive(clap::Args)]
pub(crate) struct HubAdmission {
    /// A file with the one token that devices must bring [or set POCKETSYNC_TOKEN]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A file with what every token may do; `pocketsync token new` writes it, and the hub follows its changes
    #[arg(long, value_name = "FILE", conflicts_with = "token_file")]
    tokens: Option<PathBuf>,
    /// Takes tokens (JWT) that are signed with the secret in this file, by HS256
    #[arg(long, value_name = "FILE", group = "jwt", conflicts_with_all = ["token_file", "tokens"])]
    jwt_secret_file: Option<PathBuf>,
    /// Takes tokens (JWT) of the holder of this key: PEM, RSA for RS256 or Ed25519 for EdDSA
    #[arg(long, value_name = "FILE", group = "jwt", conflicts_with_all = ["token_file", "tokens"])]
    jwt_public_key: Option<PathBuf>,
    /// The same for a set of keys as identity providers publish it; the hub follows the file's changes
    #[arg(long, value_name = "FILE", group = "jwt", conflicts_with_all = ["token_file", "tokens"])]
    jwks: Option<PathBuf>,
    /// Only tokens for this audience (aud)
    #[arg(long, value_name = "NAME", requires = "jwt")]
    jwt_audience: Option<String>,
    /// Only tokens of this issuer (iss)
    #[arg(long, value_name = "NAME", requires = "jwt")]
    jwt_issuer: Option<String>,
}

/// What the hub asks for.
pub(crate) enum Asked {
    Token(String),
    Tokens(PathBuf),
    Jwt { keys: PathBuf, parse: ParseKeys, audience: Option<String>, issuer: Option<String> },
}

type ParseKeys = fn(&str) -> std::result::Result<JwtKeys, String>;

/// Keeps the hub to a file that may change.
pub(crate) type Watch = Box<dyn FnOnce(HubServer) -> BoxFuture<'static, ()> + Send>;

impl HubAdmission {
    /// What was asked for on the command line; `None` where everybody may everything.
    pub(crate) fn choose(&self) -> Result<Option<Asked>> {
        if let Some(file) = &self.tokens {
            return Ok(Some(Asked::Tokens(file.clone())));
        }
        let sources: [(_, ParseKeys); 3] = [
            (&self.jwt_secret_file, JwtKeys::from_secret),
            (&self.jwt_public_key, JwtKeys::from_public_pem),
            (&self.jwks, JwtKeys::from_jwks),
        ];
        for (file, parse) in sources {
            if let Some(file) = file {
                let (audience, issuer) = (self.jwt_audience.clone(), self.jwt_issuer.clone());
                return Ok(Some(Asked::Jwt { keys: file.clone(), parse, audience, issuer }));
            }
        }
        Ok(token::resolve(None, self.token_file.as_ref())?.map(Asked::Token))
    }
}

/// The admission, and what keeps it up to date.
pub(crate) fn open(
    asked: Option<Asked>,
    runtime: &Arc<TokioRuntime>,
) -> Result<(Arc<dyn Admission>, Option<Watch>)> {
    Ok(match asked {
        None => (Arc::new(Open), None),
        Some(Asked::Token(token)) => (Arc::new(SharedToken::new(&token)), None),
        Some(Asked::Tokens(file)) => {
            let tokens = Arc::new(TokenFile::open(file, runtime.clone()).context("the token file")?);
            let watched = Arc::clone(&tokens);
            (tokens, Some(Box::new(move |hub| Box::pin(watched.watch(hub)))))
        }
        Some(Asked::Jwt { keys, parse, audience, issuer }) => {
            let mut jwt = Jwt::open(keys, parse, runtime.clone()).context("the keys for tokens")?;
            if let Some(audience) = audience {
                jwt = jwt.with_audience(audience);
            }
            if let Some(issuer) = issuer {
                jwt = jwt.with_issuer(issuer);
            }
            let jwt = Arc::new(jwt);
            let watched = Arc::clone(&jwt);
            (jwt, Some(Box::new(move |hub| Box::pin(watched.watch(hub)))))
        }
    })
}

//! Whom the hub lets in.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use pocketsync::HubServer;
use pocketsync::admission::{Admission, Open, SharedToken, TokenFile};
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
}

/// What the hub asks for.
pub(crate) enum Asked {
    Token(String),
    Tokens(PathBuf),
}

/// Keeps the hub to a file that may change.
pub(crate) type Watch = Box<dyn FnOnce(HubServer) -> BoxFuture<'static, ()> + Send>;

impl HubAdmission {
    /// What was asked for on the command line; `None` where everybody may everything.
    pub(crate) fn choose(&self) -> Result<Option<Asked>> {
        if let Some(file) = &self.tokens {
            return Ok(Some(Asked::Tokens(file.clone())));
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
    })
}

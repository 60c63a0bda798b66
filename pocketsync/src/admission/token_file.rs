//! A file with what every token may do.

mod calendar;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pocketsync_core::admission::{Admission, InvalidDigest, TokenDigest, refused};
use pocketsync_core::driver::HubServer;
use pocketsync_core::runtime::Runtime;
use pocketsync_core::session::{AdmitRequest, Admitted, Rights};
use pocketsync_core::wire::{ErrorCode, WireError};
use serde::Deserialize;
use toml::value::Datetime;

use super::ScopePattern;
use super::grant::{self, Right};
use super::reload::{self, ReloadError, Reloaded};

/// Admission by a file that says what every token may do.
///
/// ```toml
/// [[token]]
/// name = "phone"                    # unique in the file
/// sha256 = "bd3b0c1b7e6c5d2a…"      # of the token; the token itself is not kept
/// scopes = ["notes", "team-*"]      # `*` stands for any characters
/// rights = ["read", "write"]
/// identity = "alice"                # whose it is; the name, where it is left out
/// write_tables = ["todo", "note"]   # which tables it may write; all, where it is left out
/// relay = false                     # it may only bring changes of its own; true, where it is left out
/// expires = 2027-01-31T12:00:00Z    # may be left out
/// ```
///
/// The program's `pocketsync token new` makes tokens and writes such entries. Sessions end when their token
/// expires; with [`watch`](Self::watch), also when its entry is taken out or allows something else.
///
/// ```no_run
/// # #[cfg(feature = "tokio")]
/// # async fn serve(store: pocketsync::store::MemoryStore) -> Result<(), Box<dyn std::error::Error>> {
/// use pocketsync::{HubOptions, HubServer, admission::TokenFile, runtime::TokioRuntime};
/// use std::sync::Arc;
///
/// let runtime = Arc::new(TokioRuntime::current());
/// let tokens = Arc::new(TokenFile::open("tokens.toml", runtime.clone())?);
/// let (hub, driver) = HubServer::new(store, tokens.clone(), runtime, HubOptions::default());
/// tokio::spawn(driver);
/// tokio::spawn(tokens.watch(hub.clone()));
/// # Ok(())
/// # }
/// ```
pub struct TokenFile {
    file: Arc<Reloaded<BTreeMap<TokenDigest, TokenEntry>>>,
    runtime: Arc<dyn Runtime>,
}

impl fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFile").field("file", &self.file).finish_non_exhaustive()
    }
}

impl TokenFile {
    /// Reads the file. What time it is comes from `runtime`.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn open(path: impl AsRef<Path>, runtime: Arc<dyn Runtime>) -> Result<Self, ReloadError> {
        let by_digest = |text: &str| {
            let entries = parse_tokens(text)?;
            Ok(entries.into_iter().map(|entry| (entry.digest, entry)).collect())
        };
        let file = Arc::new(Reloaded::open(path.as_ref(), Box::new(by_digest))?);
        Ok(TokenFile { file, runtime })
    }

    /// Reads the file again now. Says whether anything is different; then call [`HubServer::readmit`], so that
    /// the sessions that are open follow.
    ///
    /// # Errors
    /// When the file cannot be read or makes no sense. What it said before stays in force.
    pub fn reload(&self) -> Result<bool, ReloadError> {
        self.file.reload()
    }

    /// Looks at the file every second, and lets the sessions of `hub` follow what it says, until the hub has
    /// stopped: a future to spawn. A file that cannot be read or makes no sense leaves in force what it said
    /// before, and is warned of once.
    pub fn watch(&self, hub: HubServer) -> impl Future<Output = ()> + Send + use<> {
        reload::watch(Arc::clone(&self.file), hub, Arc::clone(&self.runtime))
    }
}

#[async_trait]
impl Admission for TokenFile {
    async fn admit(&self, request: &AdmitRequest) -> Result<Admitted, WireError> {
        let token =
            request.token.as_deref().ok_or_else(|| refused(ErrorCode::Unauthorized, "a token is needed"))?;
        // How long the look-up takes tells of digests, which nobody can turn back into a token.
        let rules = self.file.rules();
        let entry = rules
            .get(&TokenDigest::of(token))
            .ok_or_else(|| refused(ErrorCode::Unauthorized, "the token is not known here"))?;
        if entry.expires_at_ms.is_some_and(|at| at <= self.runtime.now().wall_ms) {
            return Err(refused(ErrorCode::Unauthorized, "the token has expired"));
        }
        grant::check_scope(&entry.scopes, &request.scope)?;
        let identity = entry.identity.as_ref().unwrap_or(&entry.name);
        let mut admitted = Admitted::new(identity, entry.rights);
        admitted.write_tables.clone_from(&entry.write_tables);
        admitted.expires_at_ms = entry.expires_at_ms;
        Ok(admitted)
    }
}

/// What a token may do.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TokenEntry {
    /// What it is called; unique in its file.
    pub name: String,
    /// Whose it is, if that is not what it is called: the identity of its sessions. A second token for one device has the
    /// identity of the first, since the device's site is bound to it.
    pub identity: Option<String>,
    /// The token's SHA-256.
    pub digest: TokenDigest,
    /// Where it is good.
    pub scopes: Vec<ScopePattern>,
    /// What it may do there.
    pub rights: Rights,
    /// The tables that it may write; `None`: all.
    pub write_tables: Option<BTreeSet<String>>,
    /// When that ends, in milliseconds since 1970; `None` for never.
    pub expires_at_ms: Option<u64>,
}

impl TokenEntry {
    /// What a token may do, for ever.
    pub fn new(
        name: impl Into<String>,
        digest: TokenDigest,
        scopes: Vec<ScopePattern>,
        rights: Rights,
    ) -> Self {
        TokenEntry {
            name: name.into(),
            identity: None,
            digest,
            scopes,
            rights,
            write_tables: None,
            expires_at_ms: None,
        }
    }

    /// When that ends, as a date in UTC.
    pub fn expires(&self) -> Option<impl fmt::Display + use<>> {
        self.expires_at_ms.map(calendar::date_of)
    }
}

impl fmt::Display for TokenEntry {
    /// As an entry of a token file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| toml::Value::from(text);
        let list = |items: Vec<String>| toml::Value::from(items);
        writeln!(f, "[[token]]\nname = {}\nsha256 = \"{}\"", quoted(&self.name), self.digest)?;
        if let Some(identity) = &self.identity {
            writeln!(f, "identity = {}", quoted(identity))?;
        }
        writeln!(f, "scopes = {}", list(self.scopes.iter().map(ToString::to_string).collect()))?;
        let rights = [(self.rights.read, "read"), (self.rights.write, "write")];
        let rights = rights.iter().filter(|(has, _)| *has).map(|(_, right)| (*right).to_owned());
        writeln!(f, "rights = {}", list(rights.collect()))?;
        if let Some(tables) = &self.write_tables {
            writeln!(f, "write_tables = {}", list(tables.iter().cloned().collect()))?;
        }
        if self.rights.write && !self.rights.relay {
            writeln!(f, "relay = false")?;
        }
        match self.expires() {
            Some(date) => writeln!(f, "expires = {date}"),
            None => Ok(()),
        }
    }
}

/// The entries of a token file, in its order.
///
/// # Errors
/// What is wrong, and where, for a person.
pub fn parse_tokens(text: &str) -> Result<Vec<TokenEntry>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let mut entries: Vec<TokenEntry> = Vec::with_capacity(file.token.len());
    for token in file.token {
        let name = token.name.clone();
        let entry = token.entry().map_err(|problem| format!("the token `{name}`: {problem}"))?;
        entries.push(entry);
    }
    let mut names = BTreeMap::new();
    let mut digests = BTreeMap::new();
    for entry in &entries {
        if names.insert(&entry.name, ()).is_some() {
            return Err(format!("two tokens have the name `{}`", entry.name));
        }
        if let Some(other) = digests.insert(entry.digest, &entry.name) {
            return Err(format!("`{other}` and `{}` are the same token", entry.name));
        }
    }
    Ok(entries)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Token>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    name: String,
    identity: Option<String>,
    sha256: String,
    scopes: Vec<ScopePattern>,
    rights: Vec<Right>,
    write_tables: Option<Vec<String>>,
    relay: Option<bool>,
    expires: Option<Datetime>,
}

impl Token {
    fn entry(self) -> Result<TokenEntry, String> {
        if self.name.trim().is_empty() {
            return Err("the name is empty".to_owned());
        }
        if self.identity.as_ref().is_some_and(|identity| identity.trim().is_empty()) {
            return Err("the identity is empty".to_owned());
        }
        let digest = self.sha256.parse().map_err(|error: InvalidDigest| error.to_string())?;
        let rights = Right::all_of(&self.rights, self.relay);
        if !rights.read && !rights.write {
            return Err("it has no rights; take the entry out, or give it \"read\" or \"write\"".to_owned());
        }
        if self.scopes.is_empty() {
            return Err("it has no scopes; [\"*\"] means all".to_owned());
        }
        let write_tables = grant::tables(self.write_tables, rights)?;
        let expires_at_ms = self.expires.as_ref().map(calendar::unix_ms).transpose()?;
        Ok(TokenEntry {
            name: self.name,
            identity: self.identity,
            digest,
            scopes: self.scopes,
            rights,
            write_tables,
            expires_at_ms,
        })
    }
}

#[cfg(test)]
mod tests;

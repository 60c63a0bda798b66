//! Who takes over the links that clients open.

use async_trait::async_trait;
use pocketsync_core::driver::{HubCounters, HubServer, HubStopped};
use pocketsync_core::transport::Transport;

/// Whom the host's own authentication took a client for: a middleware puts it among the extensions of
/// the request.
///
/// A link belongs to the identity that opened it: requests of another are refused. What the identity
/// may do, the hub's [`Admission`](pocketsync_core::admission::Admission) decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity(String);

impl Identity {
    /// Whom the client proved to be.
    pub fn new(name: impl Into<String>) -> Self {
        Identity(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Takes over links. A [`HubServer`] does.
#[async_trait]
pub trait Acceptor: Send + Sync {
    /// Takes over a link that somebody opened, whom the host took for `identity`, if it asked.
    ///
    /// # Errors
    /// When nobody is served any more.
    async fn accept(&self, transport: Transport, identity: Option<String>) -> Result<(), HubStopped>;

    /// Whether it is about to stop: `/health` says so.
    fn is_stopping(&self) -> bool {
        false
    }

    /// What it has counted, for `/metrics`.
    fn counters(&self) -> HubCounters {
        HubCounters::default()
    }
}

#[async_trait]
impl Acceptor for HubServer {
    async fn accept(&self, transport: Transport, identity: Option<String>) -> Result<(), HubStopped> {
        self.serve_as(transport, identity).await
    }

    fn is_stopping(&self) -> bool {
        self.status().is_stopping
    }

    fn counters(&self) -> HubCounters {
        self.counters()
    }
}

//! The hub server: many connections on one store.

mod connection;
mod control;
mod counters;
mod engine;
mod options;
mod rate;
mod requests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::channel::mpsc;
use futures::lock::Mutex;
use futures::{SinkExt, Stream, StreamExt};

use self::control::Control;
pub use self::counters::HubCounters;
use self::engine::Engine;
pub use self::options::HubOptions;
pub use self::rate::RateLimit;
use self::requests::Pace;
use super::blocking::Blocking;
use crate::admission::Admission;
use crate::id::Scope;
use crate::runtime::Runtime;
use crate::store::{AsyncStore, Store};
use crate::transport::Transport;

/// The handle of a hub: where new connections are handed in. Clones are the same hub.
///
/// The work is done by the [`HubDriver`]; dropping handles does not stop it.
#[derive(Clone)]
pub struct HubServer {
    control: Arc<Control>,
    // One sender for all handles: each clone of it would have a place in the queue of its own, and
    // the queue no bound.
    arrivals: Arc<Mutex<mpsc::Sender<Arrival>>>,
}

impl fmt::Debug for HubServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubServer").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl HubServer {
    /// A hub on `store`, and the driver that does its work: a future to spawn.
    ///
    /// Whoever connects is asked about at `admission`, without holding up others. The store does
    /// one request at a time, through `runtime`.
    pub fn new<S: Store + 'static>(
        store: S,
        admission: Arc<dyn Admission>,
        runtime: Arc<dyn Runtime>,
        options: HubOptions,
    ) -> (HubServer, HubDriver) {
        let store = Arc::new(Blocking::new(store, Arc::clone(&runtime)));
        Self::build(store, Pace::Together, admission, runtime, options)
    }

    /// The same on a store that answers later. Requests of different scopes run at the same time,
    /// as many as [`HubOptions::store_requests`] says.
    pub fn with_async_store(
        store: Arc<dyn AsyncStore>,
        admission: Arc<dyn Admission>,
        runtime: Arc<dyn Runtime>,
        options: HubOptions,
    ) -> (HubServer, HubDriver) {
        let pace = Pace::Abreast(options.store_requests);
        Self::build(store, pace, admission, runtime, options)
    }

    fn build(
        store: Arc<dyn AsyncStore>,
        pace: Pace,
        admission: Arc<dyn Admission>,
        runtime: Arc<dyn Runtime>,
        options: HubOptions,
    ) -> (HubServer, HubDriver) {
        let control = Arc::new(Control::new());
        let (arrivals, arriving) = mpsc::channel(options.arrivals);
        let engine = Engine::new(store, pace, admission, runtime, options, Arc::clone(&control), arriving);
        (
            HubServer { control, arrivals: Arc::new(Mutex::new(arrivals)) },
            HubDriver { engine: Box::pin(engine) },
        )
    }

    /// Hands in a new connection, and completes when the hub has taken it over; from then on it
    /// lives without the caller. Waits while many others are being taken over.
    ///
    /// # Errors
    /// When the hub has stopped, or is about to.
    pub async fn serve(&self, transport: Transport) -> Result<(), HubStopped> {
        self.serve_as(transport, None).await
    }

    /// The same for a client that the transport's host has authenticated already (a middleware of its
    /// HTTP server, a TLS certificate): admission is told in
    /// [`AdmitRequest::identity`](crate::session::AdmitRequest::identity).
    ///
    /// # Errors
    /// When the hub has stopped, or is about to.
    pub async fn serve_as(&self, transport: Transport, identity: Option<String>) -> Result<(), HubStopped> {
        let arrival = Arrival { transport, identity };
        self.arrivals.lock().await.send(arrival).await.map_err(|_| HubStopped)
    }

    /// What was counted since the hub was started.
    pub fn counters(&self) -> HubCounters {
        self.control.counters.read(self.status().connections)
    }

    /// How things stand.
    pub fn status(&self) -> HubStatus {
        self.control.status.get()
    }

    /// How things stand now, and whenever that changes. A slow reader misses what was overtaken,
    /// never the latest. Ends when the driver has.
    pub fn status_changes(&self) -> impl Stream<Item = HubStatus> + Send + Unpin + 'static {
        self.control.status.stream()
    }

    /// Ends the sessions that admission gave this identity, because its rights were taken away.
    /// They may try to come back, and admission will be asked again.
    pub fn revoke(&self, identity: impl Into<String>) {
        let identity = identity.into();
        self.control.order(|orders| orders.revoked.push(identity));
    }

    /// Asks admission again about everyone who is in, because its rules have changed: who would not get in
    /// now is out, with the error that it would get; whose identity or rights differ is out too and may come
    /// back at once; all others notice nothing. Sessions that admission is asked about at this moment are
    /// decided by the new rules.
    ///
    /// While admission takes its time, sessions go on as they were.
    pub fn readmit(&self) {
        self.control.order(|orders| orders.readmit = true);
    }

    /// The store's log of a scope grew otherwise than through this hub: another node wrote it.
    pub fn scope_changed(&self, scope: Scope) {
        self.control.order(|orders| orders.changed.push(scope));
    }

    /// Tells every client that the hub goes down, takes no more, and completes when the driver
    /// has ended. Takes effect when called.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + 'static {
        self.control.order(|orders| orders.shutdown = true);
        let mut changes = self.control.status.stream();
        async move { while changes.next().await.is_some() {} }
    }
}

/// A connection on its way to the driver.
struct Arrival {
    transport: Transport,
    identity: Option<String>,
}

/// Does a [`HubServer`]'s work while it is polled. Ends after [`HubServer::shutdown`].
///
/// Dropping it at any moment loses nothing that was acknowledged.
#[must_use = "a hub does nothing unless its driver is polled"]
pub struct HubDriver {
    engine: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Future for HubDriver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.engine.as_mut().poll(cx)
    }
}

impl fmt::Debug for HubDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubDriver").finish_non_exhaustive()
    }
}

/// How a hub stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct HubStatus {
    /// How many connections are open, those not admitted yet included.
    pub connections: usize,
    /// Whether the hub has ended, or was told to.
    pub is_stopping: bool,
}

/// The hub has stopped: it serves nobody any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the hub has stopped")]
pub struct HubStopped;

impl HubStopped {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        "stopped"
    }

    /// Whether calling again may succeed.
    pub const fn is_retryable(&self) -> bool {
        false
    }
}

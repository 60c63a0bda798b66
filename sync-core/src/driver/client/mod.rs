//! The client: one replica kept in step with one peer.

mod control;
mod engine;
mod lane;
mod link;
mod local;
mod options;
mod orders;
mod phase;
mod report;
mod retry;
mod store_work;
mod waiters;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{self, Either};
use futures::{Stream, StreamExt};

use self::control::Control;
use self::engine::Engine;
pub use self::options::ClientOptions;
use super::local_store::LocalStore;
use super::status::{Failure, State, Status};
use crate::admission::Admission;
use crate::id::Scope;
use crate::runtime::Runtime;
use crate::transport::Connector;

/// The handle of a client: what the application asks and orders. Clones are the same client.
///
/// The work is done by the [`Driver`]; dropping handles does not stop it.
#[derive(Clone)]
pub struct Client {
    control: Arc<Control>,
    runtime: Arc<dyn Runtime>,
    // The store's type stays out of the handle's.
    set_suspended: Arc<dyn Fn(bool) + Send + Sync>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of `scope` for the replica `store`, and the driver that does its work: a future
    /// to spawn, or to poll wherever the application likes.
    ///
    /// The driver connects through `connector`, again and again, runs sessions, and notices
    /// local commits. It spawns nothing; blocking work goes through `runtime`.
    pub fn new<S: LocalStore>(
        store: S,
        scope: Scope,
        connector: Arc<dyn Connector>,
        runtime: Arc<dyn Runtime>,
        options: ClientOptions,
    ) -> (Client, Driver) {
        Self::with_role(store, scope, connector, None, runtime, options)
    }

    /// The other side of [`new`](Self::new): a client that is called, so that two devices sync without a hub, over
    /// any transport. `listener` gives a link whenever somebody has called, one after the other; `admission` decides
    /// whether whoever it is may in. Of the two, either may have called; after that they are alike.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use pocketsync_core::testkit::{MemoryReplica, TestRuntime};
    /// # use pocketsync_core::{id::{Scope, SiteId}, lineage::Stamp, value::Value};
    /// # let runtime = TestRuntime::new(1);
    /// # let scope = Scope::new("notes")?;
    /// # let [phone, laptop] = [1, 2].map(|n| MemoryReplica::new(scope.clone(), SiteId::from_bytes([n; 16]), Stamp(1)));
    /// # let (now, spawn) = (runtime.now(), |driver| { runtime.spawn(driver); });
    /// # phone.write(now.wall_ms, |tx| tx.insert("note", &[("text", Value::text("milk"))]));
    /// use pocketsync_core::admission::Open;
    /// use pocketsync_core::driver::{Client, ClientOptions};
    /// use pocketsync_core::transport;
    /// use std::sync::Arc;
    ///
    /// // A transport inside one process; Bluetooth, a cable or a socket do as well.
    /// let (caller, listener) = transport::local();
    /// let options = ClientOptions::default();
    /// let (calling, driver) =
    ///     Client::new(phone.clone(), scope.clone(), Arc::new(caller), runtime.handle(), options.clone());
    /// spawn(driver);
    /// let (_called, driver) =
    ///     Client::accepting(laptop.clone(), scope, Arc::new(listener), Arc::new(Open), runtime.handle(), options);
    /// spawn(driver);
    /// runtime.block_on(calling.sync_now())?;
    /// # let rows = |replica: &MemoryReplica| replica.with(|store| store.rows(&Scope::new("notes").unwrap()));
    /// assert_eq!(rows(&phone), rows(&laptop));
    /// # assert_eq!(rows(&laptop)["note"].len(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// Its state is [`Offline`](State::Offline) while nobody has called. One call is answered at a time; a hub is for many.
    pub fn accepting<S: LocalStore>(
        store: S,
        scope: Scope,
        listener: Arc<dyn Connector>,
        admission: Arc<dyn Admission>,
        runtime: Arc<dyn Runtime>,
        options: ClientOptions,
    ) -> (Client, Driver) {
        Self::with_role(store, scope, listener, Some(admission), runtime, options)
    }

    fn with_role<S: LocalStore>(
        store: S,
        scope: Scope,
        connector: Arc<dyn Connector>,
        admission: Option<Arc<dyn Admission>>,
        runtime: Arc<dyn Runtime>,
        options: ClientOptions,
    ) -> (Client, Driver) {
        let control = Arc::new(Control::new());
        let handle = store.clone();
        let set_suspended =
            Arc::new(move |suspended| if suspended { handle.suspend() } else { handle.resume() });
        let engine = Engine::new(
            store,
            scope,
            connector,
            admission,
            Arc::clone(&runtime),
            options,
            Arc::clone(&control),
        );
        (Client { control, runtime, set_suspended }, Driver { engine: Box::pin(engine) })
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        self.control.status.get()
    }

    /// How things stand now, and whenever that changes. A slow reader misses what was overtaken,
    /// never the latest. Ends after [`State::Stopped`].
    pub fn status_changes(&self) -> impl Stream<Item = Status> + Send + Unpin + 'static {
        self.control.status.stream().fuse()
    }

    /// Completes when everything that was committed locally before the call is acknowledged by
    /// the peer, and the peer's own changes are applied here: all that it had when the two
    /// connected, and all that has arrived since. Tries to connect at once if need be, and goes
    /// on trying; while suspended it waits for [`resume`](Self::resume). Put a timeout around it
    /// where that matters.
    ///
    /// The call counts from the moment it is made, not from when the future is first polled.
    ///
    /// # Errors
    /// When the client has stopped, or stops before that.
    pub fn sync_now(&self) -> impl Future<Output = Result<(), SyncError>> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        self.control.order(|orders| orders.sync.push(reply));
        let control = Arc::clone(&self.control);
        async move { answer.await.unwrap_or_else(|_| Err(control.stopped())) }
    }

    /// Goes to sleep: ends the session, interrupts and rolls back running store work, and
    /// completes once none runs and no lock is held. Nothing begins until
    /// [`resume`](Self::resume). For a phone that is about to freeze the application. Takes
    /// effect when called, not when first polled, and whether or not the driver is polled.
    ///
    /// # Errors
    /// When work still ran after `within`. The client stays on its way to sleep then.
    pub fn suspend(
        &self,
        within: Duration,
    ) -> impl Future<Output = Result<(), SuspendError>> + Send + 'static {
        self.control.gate.close();
        (self.set_suspended)(true);
        self.control.status.update(|status| {
            if status.state != State::Stopped {
                status.state = State::Suspended;
            }
        });
        self.control.driver.wake();
        let deadline = self.runtime.now().mono.saturating_add(within);
        let timeout = self.runtime.sleep_until(deadline);
        let gate = self.control.gate.clone();
        async move {
            let empty = std::pin::pin!(gate.empty());
            match future::select(empty, timeout).await {
                Either::Left(((), _)) => Ok(()),
                Either::Right(((), _)) => Err(SuspendError::NotInTime(within)),
            }
        }
    }

    /// Wakes up from [`suspend`](Self::suspend), and connects at once.
    pub fn resume(&self) {
        (self.set_suspended)(false);
        self.control.gate.open();
        self.control.driver.wake();
    }

    /// Ends the session in peace, and completes when the driver has ended. Local changes that
    /// were not sent stay in the replica for the next client; call
    /// [`sync_now`](Self::sync_now) before to have them sent. Takes effect when called.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + 'static {
        self.control.order(|orders| orders.shutdown = true);
        let mut changes = self.control.status.stream();
        async move { while changes.next().await.is_some() {} }
    }

    /// Whether the driver has ended.
    pub fn is_stopped(&self) -> bool {
        self.control.has_ended() || self.status().state == State::Stopped
    }
}

/// Does a [`Client`]'s work while it is polled. Ends after [`Client::shutdown`], or when the
/// connector says that its settings cannot work.
///
/// Dropping it at any moment loses nothing: work that was handed to the store runs to its end,
/// the peer sends again what was not acknowledged, and the replica still knows what it has to
/// send.
#[must_use = "a client does nothing unless its driver is polled"]
pub struct Driver {
    engine: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.engine.as_mut().poll(cx)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

/// Why [`Client::sync_now`] gave up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The client has stopped; the last error it had, if any.
    #[error("the client has stopped{}", .0.as_ref().map(|failure| format!(" ({failure})")).unwrap_or_default())]
    Stopped(Option<Failure>),
}

impl SyncError {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            SyncError::Stopped(_) => "stopped",
        }
    }

    /// Whether calling again may succeed.
    pub const fn is_retryable(&self) -> bool {
        match self {
            SyncError::Stopped(_) => false,
        }
    }
}

/// Why [`Client::suspend`] could not say that all is quiet.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuspendError {
    /// Store work was still running after this time.
    #[error("the store was still at work after {0:?}")]
    NotInTime(Duration),
}

impl SuspendError {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            SuspendError::NotInTime(_) => "not_in_time",
        }
    }

    /// Whether calling again may succeed.
    pub const fn is_retryable(&self) -> bool {
        match self {
            SuspendError::NotInTime(_) => true,
        }
    }
}

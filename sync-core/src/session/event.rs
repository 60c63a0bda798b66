//! What a session hands out.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::SessionEnd;
use crate::id::{Scope, SiteId};
use crate::lineage::Cursor;
use crate::store::{Committed, Permit, StoreRequest};

/// Names a store request, so that its reply finds back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub(crate) u64);

/// What to do next for a [`Session`](super::Session).
#[must_use]
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send this frame to the other side, in order.
    Transmit(Bytes),
    /// Do this in the store, and give the reply to
    /// [`handle_store`](super::Session::handle_store). Every request must be answered.
    Store(RequestId, StoreRequest),
    /// Somebody wants in: decide, and tell
    /// [`handle_admission`](super::Session::handle_admission).
    Admit(AdmitRequest),
    /// Something happened that the application may want to know.
    Event(Event),
    /// Nothing to do until the next input, or the deadline.
    Wait(Deadline),
    /// The session is over, and every store request was answered. Drop the link and the session.
    Closed(SessionEnd),
}

/// When to call `handle_timeout`, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline {
    /// The moment, as [`Now::mono`](crate::clock::Now::mono); `None` for never.
    pub at: Option<Duration>,
    /// What happens then, for a log.
    pub reason: &'static str,
}

/// Who wants in, and where.
#[derive(Clone, PartialEq, Eq)]
pub struct AdmitRequest {
    /// The logical database.
    pub scope: Scope,
    /// Who says to be asking.
    pub site: SiteId,
    /// The proof.
    pub token: Option<String>,
    /// Whom the transport's host has authenticated already, where it did: see
    /// [`HubServer::serve_as`](crate::driver::HubServer::serve_as).
    pub identity: Option<String>,
}

impl std::fmt::Debug for AdmitRequest {
    /// Leaves the token out, so that it ends in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = if self.token.is_some() { "Some(…)" } else { "None" };
        f.debug_struct("AdmitRequest")
            .field("scope", &self.scope)
            .field("site", &self.site)
            .field("token", &format_args!("{token}"))
            .field("identity", &self.identity)
            .finish()
    }
}

/// A positive answer to an [`AdmitRequest`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Admitted {
    /// Whom the token proved to be asking, for logs and limits.
    pub identity: String,
    /// What it may do.
    pub rights: Rights,
    /// The tables that it may write, by the names that they have among replicas; `None`: all. What it writes elsewhere is
    /// refused, change by change.
    pub write_tables: Option<BTreeSet<String>>,
    /// Whether a site that comes under this identity is its own from then on, and nobody else's. Not where everybody has
    /// the same identity.
    pub binds_site: bool,
    /// When that is over, as wall time in milliseconds since 1970; `None` for as long as the session
    /// lasts. A [`HubServer`](crate::driver::HubServer) ends the session then; a session by itself does not look.
    pub expires_at_ms: Option<u64>,
}

impl Admitted {
    /// Lets in whom the token proved to be asking, for as long as the session lasts.
    pub fn new(identity: impl Into<String>, rights: Rights) -> Self {
        Admitted {
            identity: identity.into(),
            rights,
            write_tables: None,
            binds_site: true,
            expires_at_ms: None,
        }
    }

    /// Lets anybody in, all as the same: sites are not bound to this identity, and what an identity may have each
    /// site has.
    pub fn anybody(identity: impl Into<String>, rights: Rights) -> Self {
        Admitted { binds_site: false, ..Admitted::new(identity, rights) }
    }

    /// Takes only what it writes in these tables.
    ///
    /// ```
    /// use pocketsync_core::session::{Admitted, Rights};
    /// let admitted = Admitted::new("alice", Rights::ALL).writing(["todo", "note"]);
    /// assert!(admitted.write_tables.unwrap().contains("todo"));
    /// ```
    #[must_use]
    pub fn writing<T: Into<String>>(mut self, tables: impl IntoIterator<Item = T>) -> Self {
        self.write_tables = Some(tables.into_iter().map(Into::into).collect());
        self
    }

    /// Which of its changes are taken.
    pub fn permit(&self) -> Permit {
        let Rights { write, relay, .. } = self.rights;
        Permit { write, tables: self.write_tables.clone(), relay }
    }

    /// Only until then, as wall time in milliseconds since 1970.
    #[must_use]
    pub fn until(mut self, expires_at_ms: u64) -> Self {
        self.expires_at_ms = Some(expires_at_ms);
        self
    }
}

/// What a session's other side may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights {
    /// Whether it is sent changes.
    pub read: bool,
    /// Whether its changes are taken.
    pub write: bool,
    /// Whether it may bring changes that were made at other sites, as a device does after a hub was restored from a
    /// backup, or when it has met others without the hub.
    pub relay: bool,
}

impl Rights {
    /// Everything.
    pub const ALL: Rights = Rights { read: true, write: true, relay: true };
}

/// What happened in a session.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is done; changes flow.
    Connected {
        /// The other replica.
        peer: SiteId,
        /// Add this to our wall clock, in milliseconds, to get the other side's; `None` where that
        /// does not keep time.
        offset_ms: Option<i64>,
        /// Whether we were restored to an earlier state, and send again from where the histories
        /// part. Only at a hub: a device takes a new site instead.
        rewound: bool,
    },
    /// We hold whole transactions, and everything that the other side had.
    CaughtUp,
    /// We may hold parts of transactions until the next [`CaughtUp`](Event::CaughtUp).
    CatchingUp,
    /// A merge changed our log.
    Applied(Committed),
    /// The other side holds our log durably up to here.
    Acked {
        /// The position.
        cursor: Cursor,
    },
    /// Everything that we had when [`local_changed`](super::Session::local_changed) was last
    /// called is acknowledged. May come more than once.
    UpToDate,
    /// The other side does not take some of our changes. They are out of our state, and kept aside with the reason; what
    /// the other side has stands in their place.
    Refused {
        /// How many rows they were of.
        rows: usize,
    },
    /// A push was handed out.
    Sent {
        /// Its encoded size.
        bytes: usize,
    },
    /// Pushes were taken in.
    Received {
        /// Their encoded size.
        bytes: usize,
        /// How many rows they spoke of.
        rows: usize,
    },
}

//! What a hub hands out.

use bytes::Bytes;

use crate::session::{AdmitRequest, Deadline, Event, RequestId, SessionEnd};
use crate::store::StoreRequest;

/// Names a connection of a hub. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub(super) u64);

impl std::fmt::Display for ConnId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What to do next for a [`Hub`](super::Hub).
#[must_use]
#[derive(Debug)]
#[non_exhaustive]
pub enum HubOutput {
    /// Send this frame on a connection, in order, and tell [`handle_sent`](super::Hub::handle_sent)
    /// when its sink took it.
    Transmit {
        /// Where.
        conn: ConnId,
        /// What.
        frame: Bytes,
    },
    /// Do this in the store, and give the reply to [`handle_store`](super::Hub::handle_store).
    /// Requests of one scope are done in order; every one must be answered.
    Store {
        /// Names the request.
        id: RequestId,
        /// What to do.
        request: StoreRequest,
    },
    /// Somebody wants in: decide, and tell [`handle_admission`](super::Hub::handle_admission).
    Admit {
        /// On which connection.
        conn: ConnId,
        /// Who, and where.
        request: AdmitRequest,
    },
    /// Something happened in a session.
    Event {
        /// Whose.
        conn: ConnId,
        /// What.
        event: Event,
    },
    /// A session is over: drop the link once the frames before this are sent. The connection's
    /// number is forgotten.
    Closed {
        /// Whose.
        conn: ConnId,
        /// Why.
        end: SessionEnd,
    },
    /// Nothing to do until the next input, or the deadline.
    Wait(Deadline),
}

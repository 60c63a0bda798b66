//! Where a client stands between offline and in sync.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::link::Link;
use crate::driver::status::Failure;
use crate::session::Event;
use crate::transport::{Connector, Credentials, Transport, TransportError};

/// What came of an attempt to open a link: the link, and the token to introduce ourselves with.
pub(super) type Attempt = Result<(Transport, Option<String>), ConnectFailed>;

pub(super) enum Phase {
    /// Until it is time to try.
    Waiting { until: Duration },
    /// A link is being opened; where it is the other side that opens it, [`Duration::MAX`] is when to give up.
    Connecting { attempt: BoxFuture<'static, Attempt>, give_up: Duration },
    /// A session runs, from its handshake to its last frame.
    Linked(Box<Link>),
    /// Suspended.
    Asleep,
    /// Nothing will happen any more.
    Ended,
}

impl Phase {
    /// Begins to open a link.
    pub(super) fn connect(
        connector: Arc<dyn Connector>,
        credentials: Arc<dyn Credentials>,
        refused: Option<String>,
        give_up: Duration,
    ) -> Phase {
        let attempt = async move {
            let token = credentials.token(refused.as_deref()).await;
            let transport = connector.connect().await.map_err(ConnectFailed::from)?;
            Ok((transport, token))
        };
        Phase::Connecting { attempt: Box::pin(attempt), give_up }
    }

    /// The next thing that happened in the session.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        match self {
            Phase::Linked(link) => link.next_event(),
            _ => None,
        }
    }

    /// Whether the session wants something of the store.
    pub(super) fn has_request(&self) -> bool {
        matches!(self, Phase::Linked(link) if link.has_request())
    }

    /// When time alone makes a difference.
    pub(super) fn due_at(&self) -> Option<Duration> {
        match self {
            Phase::Waiting { until } => Some(*until),
            Phase::Connecting { give_up, .. } => Some(*give_up).filter(|at| *at != Duration::MAX),
            Phase::Linked(link) => link.due_at(),
            Phase::Asleep | Phase::Ended => None,
        }
    }
}

/// Why there is no link.
#[derive(Debug)]
pub(super) struct ConnectFailed {
    pub(super) failure: Failure,
    /// Trying again cannot help.
    pub(super) hopeless: bool,
}

impl ConnectFailed {
    pub(super) fn timeout() -> Self {
        TransportError::Unreachable("no answer in time".to_owned()).into()
    }
}

impl From<TransportError> for ConnectFailed {
    fn from(error: TransportError) -> Self {
        ConnectFailed {
            failure: Failure::new(error.code(), &error, error.is_retryable()),
            hopeless: matches!(error, TransportError::Misconfigured(_)),
        }
    }
}

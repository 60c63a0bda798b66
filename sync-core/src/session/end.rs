//! How sessions end.

use std::fmt;

use crate::id::SiteId;
use crate::store::StoreError;
use crate::wire::{ErrorCode, WireError};

/// Why a session is over.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum SessionEnd {
    /// One side said goodbye.
    Bye,
    /// The link was lost, or nothing was heard for too long.
    Lost(String),
    /// The other side gave up, and said why.
    TheyFailed(WireError),
    /// We gave up, because of what the other side did.
    WeFailed(WireError),
    /// We turned out to be restored from a backup, or a clone, or values that others have are gone from
    /// our file: we have a new site. Connect again, and end whatever other sessions the replica has:
    /// they go by the old name.
    Forked {
        /// The new site.
        site: SiteId,
    },
    /// Our wall clock was set, so its comparison with the other side's is void. Connect again.
    ClockJumped,
    /// Our store failed.
    Store(StoreError),
}

impl SessionEnd {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            SessionEnd::Bye => "bye",
            SessionEnd::Lost(_) => "lost",
            SessionEnd::TheyFailed(error) | SessionEnd::WeFailed(error) => error.code.name(),
            SessionEnd::Forked { .. } => "forked",
            SessionEnd::ClockJumped => "clock_jumped",
            SessionEnd::Store(error) => error.code(),
        }
    }

    /// Whether connecting again may succeed without anyone doing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            SessionEnd::TheyFailed(error) | SessionEnd::WeFailed(error) => error.code.is_retryable(),
            SessionEnd::Store(error) => error.is_retryable(),
            SessionEnd::Bye | SessionEnd::Lost(_) | SessionEnd::Forked { .. } | SessionEnd::ClockJumped => {
                true
            }
        }
    }

    /// How long to wait before connecting again, in milliseconds, where that is known. Zero after
    /// an end that is part of the protocol.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            SessionEnd::TheyFailed(error) => error.retry_after_ms,
            SessionEnd::Forked { .. } | SessionEnd::ClockJumped => Some(0),
            _ => None,
        }
    }
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionEnd::Bye => f.write_str("the session was closed"),
            SessionEnd::Lost(reason) => write!(f, "the connection was lost: {reason}"),
            SessionEnd::TheyFailed(error) => write!(f, "the other side gave up: {error}"),
            SessionEnd::WeFailed(error) => write!(f, "gave up on the other side: {error}"),
            SessionEnd::Forked { site } => {
                write!(f, "this replica is a copy of another and has become the site {site}")
            }
            SessionEnd::ClockJumped => f.write_str("the wall clock was set"),
            SessionEnd::Store(error) => write!(f, "the store failed: {error}"),
        }
    }
}

/// An error for the other side, without a time to come back.
pub(crate) fn wire_error(code: ErrorCode, message: impl Into<String>) -> WireError {
    WireError { code, message: message.into(), retry_after_ms: None }
}

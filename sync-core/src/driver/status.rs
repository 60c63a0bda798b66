//! What a client tells the application about how things stand.

use std::fmt;

use crate::id::SiteId;
use crate::lineage::Cursor;

/// What a client is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum State {
    /// Not connected; the next attempt is due at [`Status::retry_at_ms`].
    #[default]
    Offline,
    /// A link is being opened, or the replicas are introducing themselves.
    Connecting,
    /// Connected, and changes are on their way, in one direction or in both.
    CatchingUp,
    /// Connected, and both sides have everything, as far as anyone has looked.
    Live,
    /// Asleep, with no lock held, until [`Client::resume`](super::Client::resume).
    Suspended,
    /// Ended: by [`Client::shutdown`](super::Client::shutdown), or because the driver was
    /// dropped, or by a setting that cannot work ([`Status::last_error`] tells).
    Stopped,
}

impl State {
    /// A stable name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            State::Offline => "offline",
            State::Connecting => "connecting",
            State::CatchingUp => "catching_up",
            State::Live => "live",
            State::Suspended => "suspended",
            State::Stopped => "stopped",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How things stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Status {
    /// What the client is doing. [`State::Live`] implies `pending == 0`.
    pub state: State,
    /// Local changes that the peer has not acknowledged, in rows, roughly.
    pub pending: u64,
    /// Rows that the replica holds but cannot show yet.
    pub parked: u64,
    /// Conflicts in the replica's log.
    pub conflicts: u64,
    /// The end of the replica's own log when it was last looked at.
    pub position: Cursor,
    /// Who is on the other side, while connected.
    pub peer: Option<SiteId>,
    /// The wall clock, in milliseconds since 1970, when both sides last had everything.
    pub last_sync_ms: Option<u64>,
    /// The wall clock, in milliseconds since 1970, at which the next attempt to connect is due,
    /// while offline.
    pub retry_at_ms: Option<u64>,
    /// Attempts to connect that failed since the last that succeeded.
    pub failures: u32,
    /// Why the last attempt or session failed; cleared by the next that gets through.
    pub last_error: Option<Failure>,
}

impl Status {
    /// Whether both sides have everything, as far as anyone has looked.
    pub fn is_in_sync(&self) -> bool {
        self.state == State::Live
    }
}

/// An error as the status shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// A stable name for programs.
    pub code: &'static str,
    /// What happened, for a person.
    pub message: String,
    /// Whether it may pass without anyone doing anything. The client tries again in any case,
    /// rarely where it may not.
    pub retryable: bool,
}

impl Failure {
    pub(super) fn new(code: &'static str, message: impl fmt::Display, retryable: bool) -> Self {
        Failure { code, message: message.to_string(), retryable }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

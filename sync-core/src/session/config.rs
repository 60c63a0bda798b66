//! What a session is told when it is made.

use std::time::Duration;

use crate::id::Scope;
#[cfg(doc)]
use crate::wire::MAX_PIECE_BYTES;
use crate::wire::{DEFAULT_MAX_FRAME_BYTES, MIN_FRAME_BYTES};

/// The settings of a [`Session`](super::Session).
///
/// ```
/// use pocketsync_core::id::Scope;
/// use pocketsync_core::session::SessionConfig;
/// let mut config = SessionConfig::new(Scope::new("notes").unwrap());
/// config.max_frame_bytes = 512; // a radio link
/// assert_eq!(config.window_bytes, 1 << 20);
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct SessionConfig {
    /// The logical database.
    pub scope: Scope,
    /// The initiator's proof of who it is.
    pub token: Option<String>,
    /// The largest frame that the link carries; raised to [`MIN_FRAME_BYTES`] if smaller.
    pub max_frame_bytes: usize,
    /// How many bytes of pushes may be under way unacknowledged, in each direction. One push
    /// always may.
    pub window_bytes: usize,
    /// About how many bytes of changes one push carries. A session begins with less and doubles it
    /// with every acknowledgement, so that a link which never lives long still makes progress. Counts as 2 MiB
    /// ([`MAX_PIECE_BYTES`]) if it is more.
    pub chunk_bytes: usize,
    /// About how many bytes of changes may go along with the introduction, to a peer that is known; 0: none.
    pub early_bytes: usize,
    /// The largest message that is put together, or decompressed.
    pub max_message_bytes: usize,
    /// The largest row that is taken, by [`RowChange::weight`](crate::change::RowChange::weight): its key and the
    /// values of the columns that changed.
    pub max_row_bytes: usize,
    /// Whether to compress, where the other side reads it.
    pub compression: bool,
    /// Whether the other side should trust our wall clock over its own (a hub's clock is).
    pub keeps_time: bool,
    /// How far in the future, in milliseconds, versions are accepted.
    pub max_drift_ms: u64,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// How long the other side may be silent before it is asked whether it is there.
    pub ping_after: Duration,
    /// How long the other side may be silent before the link counts as dead.
    pub dead_after: Duration,
    /// The least time between two reports of acknowledgements to the store. A device wants every
    /// one; a hub, which needs them only to collect tombstones, fewer.
    pub report_acks_every: Duration,
    /// When the other side should come back after our store failed, in milliseconds.
    pub retry_after_ms: u64,
}

impl SessionConfig {
    /// The defaults for a device.
    pub fn new(scope: Scope) -> Self {
        SessionConfig {
            scope,
            token: None,
            max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
            window_bytes: 1 << 20,
            chunk_bytes: 256 << 10,
            early_bytes: 16 << 10,
            max_message_bytes: 64 << 20,
            max_row_bytes: 64 << 20,
            compression: true,
            keeps_time: false,
            max_drift_ms: 5 * 60 * 1_000,
            handshake_timeout: Duration::from_secs(15),
            ping_after: Duration::from_secs(20),
            dead_after: Duration::from_secs(60),
            report_acks_every: Duration::ZERO,
            retry_after_ms: 1_000,
        }
    }

    pub(super) fn frame_bytes(&self) -> usize {
        self.max_frame_bytes.max(MIN_FRAME_BYTES)
    }
}

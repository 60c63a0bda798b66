//! What the hub's side can be told.

use std::time::Duration;

use pocketsync_core::wire::{DEFAULT_MAX_FRAME_BYTES, MIN_FRAME_BYTES};

use crate::exchange;

/// Limits and time-outs of the hub's side. The defaults suit a hub that faces the internet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpHubOptions {
    /// The largest frame, in bytes: 1 MiB where nothing is said, at least 256. Also that of WebSockets.
    pub max_frame_bytes: usize,
    /// The largest body of a request: 2 MiB, and at least room for one frame.
    pub max_body_bytes: usize,
    /// About how many bytes of frames one answer carries; one frame it always may. 512 KiB: proxies
    /// keep what is larger in files.
    pub max_answer_bytes: usize,
    /// How many links there may be at a time: 10,000.
    pub max_links: usize,
    /// How many requests one link may have under way: 4. A client needs two, and two more where it
    /// repeats them before the hub has noticed that their connections broke.
    pub max_requests_per_link: usize,
    /// How many bytes of frames may wait in each direction of one link: 1 MiB, and one body more.
    pub max_link_bytes: usize,
    /// How many bytes may wait in all links together, bodies being read included: 256 MiB.
    pub max_buffered_bytes: usize,
    /// How long an answer is held at most, whatever the client asks for: 50 s.
    pub max_wait: Duration,
    /// How long an answer to frames waits for more, once there is a first: 10 ms, so that all that a
    /// session has to say to them comes in one answer.
    pub linger: Duration,
    /// How long a link may be without a request before it is forgotten: 60 s.
    pub idle_timeout: Duration,
    /// How long a request may wait for frames before it that are still under way, and for a session that
    /// is slow to read: 5 s.
    pub hold_timeout: Duration,
    /// How long the header of a request may take, and a connection may idle between two: 30 s.
    pub header_timeout: Duration,
    /// How long the body of a request may take: 30 s.
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer before its connection is dropped: 30 s.
    pub stall_timeout: Duration,
    /// When to come back after a refusal for want of room: 5 s.
    pub busy_retry_after: Duration,
}

impl Default for HttpHubOptions {
    fn default() -> Self {
        HttpHubOptions {
            max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
            max_body_bytes: 2 << 20,
            max_answer_bytes: exchange::ANSWER_BYTES as usize,
            max_links: 10_000,
            max_requests_per_link: 4,
            max_link_bytes: 1 << 20,
            max_buffered_bytes: 256 << 20,
            max_wait: Duration::from_secs(50),
            linger: Duration::from_millis(10),
            idle_timeout: Duration::from_secs(60),
            hold_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            busy_retry_after: Duration::from_secs(5),
        }
    }
}

impl HttpHubOptions {
    /// The limits, made to fit each other.
    pub(super) fn settled(mut self) -> Self {
        self.max_frame_bytes = self.max_frame_bytes.max(MIN_FRAME_BYTES);
        self.max_body_bytes = self.max_body_bytes.max(self.max_frame_bytes + exchange::FRAME_OVERHEAD);
        self
    }
}

//! What a hub has counted since it was started.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a hub has counted since it was started, for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct HubCounters {
    /// Sessions that are open now, those not admitted yet included.
    pub sessions: u64,
    /// Sessions that were opened.
    pub sessions_total: u64,
    /// Frames that came in.
    pub frames_received: u64,
    /// Bytes of frames that came in.
    pub bytes_received: u64,
    /// Frames that were handed out.
    pub frames_sent: u64,
    /// Bytes of frames that transports took.
    pub bytes_sent: u64,
    /// Rows in the changes that were taken in.
    pub rows_received: u64,
}

/// The same, counted by the driver and read by anyone.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) sessions: AtomicU64,
    frames_received: AtomicU64,
    bytes_received: AtomicU64,
    pub(super) frames_sent: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) rows_received: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        Self::add(&self.frames_received, 1);
        Self::add(&self.bytes_received, bytes);
    }

    pub(super) fn read(&self, open: usize) -> HubCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HubCounters {
            sessions: open as u64,
            sessions_total: read(&self.sessions),
            frames_received: read(&self.frames_received),
            bytes_received: read(&self.bytes_received),
            frames_sent: read(&self.frames_sent),
            bytes_sent: read(&self.bytes_sent),
            rows_received: read(&self.rows_received),
        }
    }
}

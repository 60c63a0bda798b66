//! A link without a runtime, for tests that turn the crank of state machines by hand.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Fate;
use crate::wire::MIN_FRAME_BYTES;

/// One of the two ends of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The one that connected.
    Initiator,
    /// The one that was connected to.
    Acceptor,
}

/// Carries small frames both ways until fate cuts it; delivers whole frames, in order, or none.
///
/// ```
/// use pocketsync_core::Bytes;
/// use pocketsync_core::testkit::{Fate, LossyLink, Side};
///
/// let mut link = LossyLink::new(Fate::after(1));
/// assert!(link.send(Side::Initiator, Bytes::from_static(b"hello")));
/// assert_eq!(link.receive(Side::Acceptor).as_deref(), Some(&b"hello"[..]));
/// assert!(!link.send(Side::Acceptor, Bytes::from_static(b"welcome")));
/// assert!(link.is_cut());
/// ```
#[derive(Debug)]
pub struct LossyLink {
    fate: Fate,
    cut: bool,
    max_frame_bytes: usize,
    to_acceptor: VecDeque<Bytes>,
    to_initiator: VecDeque<Bytes>,
}

impl LossyLink {
    /// A link for frames of at most [`MIN_FRAME_BYTES`].
    pub fn new(fate: Fate) -> Self {
        LossyLink {
            fate,
            cut: false,
            max_frame_bytes: MIN_FRAME_BYTES,
            to_acceptor: VecDeque::new(),
            to_initiator: VecDeque::new(),
        }
    }

    /// The same link for larger frames.
    #[must_use]
    pub fn with_max_frame_bytes(mut self, bytes: usize) -> Self {
        self.max_frame_bytes = bytes.max(MIN_FRAME_BYTES);
        self
    }

    /// The largest frame that it carries.
    pub fn max_frame_bytes(&self) -> usize {
        self.max_frame_bytes
    }

    /// Sends a frame from a side. Answers whether the link still stood; when fate cuts it, what
    /// was under way is lost with it.
    ///
    /// # Panics
    /// When the frame is larger than the link carries: whoever sends it breaks the contract.
    pub fn send(&mut self, from: Side, frame: Bytes) -> bool {
        assert!(
            frame.len() <= self.max_frame_bytes,
            "a frame of {} bytes on a link for {}",
            frame.len(),
            self.max_frame_bytes
        );
        if self.cut || self.fate.strikes() {
            self.cut();
            return false;
        }
        match from {
            Side::Initiator => self.to_acceptor.push_back(frame),
            Side::Acceptor => self.to_initiator.push_back(frame),
        }
        true
    }

    /// The next frame for a side.
    pub fn receive(&mut self, at: Side) -> Option<Bytes> {
        match at {
            Side::Initiator => self.to_initiator.pop_front(),
            Side::Acceptor => self.to_acceptor.pop_front(),
        }
    }

    /// Cuts the link. What was under way is lost.
    pub fn cut(&mut self) {
        self.cut = true;
        self.to_acceptor.clear();
        self.to_initiator.clear();
    }

    /// Whether the link is cut.
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

//! What is going to happen, in the order of time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use pocketsync_core::Bytes;
use pocketsync_core::hub::ConnId;
use pocketsync_core::session::RequestId;
use pocketsync_core::store::{StoreError, StoreReply};

use crate::story::Ms;

/// Something that is going to happen. `run` tells one life of a process from the next, `link` one
/// link of a device from the next: what was meant for an earlier one comes to nothing.
#[derive(Debug)]
pub(super) enum Happening {
    /// The next move of the story.
    Move,
    /// A device exists from now on.
    Begin { device: usize },
    /// A frame reaches the hub.
    Up { conn: ConnId, run: u32, frame: Bytes, weighs: bool },
    /// A frame reaches a device.
    Down { device: usize, link: u32, frame: Bytes, weighs: bool },
    /// The hub's end of a link took bytes that were handed out for it.
    Sent { conn: ConnId, run: u32, bytes: usize },
    /// The hub hears that a link is gone.
    HubLost { conn: ConnId, run: u32 },
    /// A device hears that its link is gone.
    Lost { device: usize, link: u32 },
    /// A link breaks by itself.
    Break { device: usize, link: u32 },
    /// It is time to connect.
    Attempt { device: usize, run: u32, attempt: u32 },
    /// The link is open, or there is nobody at its other end.
    Opened { device: usize, run: u32, attempt: u32 },
    /// The store of a device answers.
    Replied { device: usize, link: u32, id: RequestId, reply: Box<Result<StoreReply, StoreError>> },
    /// The hub's store answers.
    HubReplied { run: u32, id: RequestId, reply: Box<Result<StoreReply, StoreError>> },
    /// The session of a device wants to be woken.
    Timer { device: usize, link: u32 },
    /// The hub wants to be woken.
    HubTimer { run: u32 },
    /// The client looks at the clock.
    Clock { device: usize, run: u32 },
    /// The process of a device starts.
    Restart { device: usize, run: u32 },
    /// The hub's process starts.
    HubRestart { run: u32 },
    /// Time to look at some devices.
    Check,
    /// Time to ask whether everything is exchanged.
    Settled,
    /// The quiet period begins.
    Quiet,
}

#[derive(Debug)]
struct Entry {
    at: Ms,
    order: u64,
    happening: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The earliest is the greatest: a heap gives its greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// The queue. What is put in for the same time comes out in the order in which it was put in.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Entry>,
    order: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Ms, happening: Happening) {
        self.order += 1;
        self.heap.push(Entry { at, order: self.order, happening });
    }

    pub(super) fn pop(&mut self) -> Option<(Ms, Happening)> {
        self.heap.pop().map(|entry| (entry.at, entry.happening))
    }
}

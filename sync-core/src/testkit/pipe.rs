//! Transports in memory.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::{Sink, Stream};

use super::Fate;
use crate::transport::{Transport, TransportError};
use crate::wire::MIN_FRAME_BYTES;

/// How many frames a direction holds before it pushes back.
const CAPACITY: usize = 8;

/// Two ends of a link in memory, for frames of at most `max_frame_bytes` (at least
/// [`MIN_FRAME_BYTES`]). It holds a few frames each way and pushes back beyond; an end that is
/// dropped without being closed is a loss for the other.
pub fn memory_pair(max_frame_bytes: usize) -> (Transport, Transport) {
    let (ours, theirs, _) = memory_link(max_frame_bytes, Fate::never());
    (ours, theirs)
}

/// The same with a fate, and a handle to break it.
pub fn memory_link(max_frame_bytes: usize, fate: Fate) -> (Transport, Transport, MemoryLink) {
    let max_frame_bytes = max_frame_bytes.max(MIN_FRAME_BYTES);
    let link = MemoryLink {
        inner: Arc::new(Mutex::new(Inner {
            fate,
            max_frame_bytes,
            cut: false,
            frames: 0,
            directions: Default::default(),
        })),
    };
    let end = |outward: usize| Transport {
        stream: Box::pin(Receiving { link: link.clone(), direction: 1 - outward }),
        sink: Box::pin(Sending { link: link.clone(), direction: outward }),
        max_frame_bytes,
    };
    (end(0), end(1), link.clone())
}

/// Breaks a link in memory, and tells about it.
#[derive(Clone, Debug)]
pub struct MemoryLink {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    fate: Fate,
    max_frame_bytes: usize,
    cut: bool,
    frames: u64,
    directions: [Direction; 2],
}

#[derive(Debug, Default)]
struct Direction {
    queue: VecDeque<Bytes>,
    closed: bool,
    /// Nobody reads.
    deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl MemoryLink {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Breaks the link: both ends get errors, and what was under way is lost.
    pub fn cut(&self) {
        cut(&mut self.lock());
    }

    /// Whether the link is broken.
    pub fn is_cut(&self) -> bool {
        self.lock().cut
    }

    /// How many frames were sent, both ways together.
    pub fn frames(&self) -> u64 {
        self.lock().frames
    }
}

fn cut(inner: &mut Inner) {
    inner.cut = true;
    for direction in &mut inner.directions {
        direction.queue.clear();
        wake(&mut direction.reader);
        wake(&mut direction.writer);
    }
}

fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}

fn lost() -> TransportError {
    TransportError::lost("the link in memory was cut")
}

struct Receiving {
    link: MemoryLink,
    direction: usize,
}

impl Stream for Receiving {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut inner = self.link.lock();
        if inner.cut {
            return Poll::Ready(Some(Err(lost())));
        }
        let direction = &mut inner.directions[self.direction];
        if let Some(frame) = direction.queue.pop_front() {
            wake(&mut direction.writer);
            return Poll::Ready(Some(Ok(frame)));
        }
        if direction.closed {
            return Poll::Ready(None);
        }
        direction.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Receiving {
    /// Nobody reads any more: whoever sends will notice.
    fn drop(&mut self) {
        let mut inner = self.link.lock();
        let direction = &mut inner.directions[self.direction];
        direction.deaf = true;
        wake(&mut direction.writer);
    }
}

struct Sending {
    link: MemoryLink,
    direction: usize,
}

impl Sink<Bytes> for Sending {
    type Error = TransportError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let mut inner = self.link.lock();
        if inner.cut {
            return Poll::Ready(Err(lost()));
        }
        let direction = &mut inner.directions[self.direction];
        if direction.closed || direction.deaf {
            return Poll::Ready(Err(TransportError::lost("the link in memory is closed")));
        }
        if direction.queue.len() < CAPACITY {
            return Poll::Ready(Ok(()));
        }
        direction.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn start_send(self: Pin<&mut Self>, frame: Bytes) -> Result<(), TransportError> {
        let mut inner = self.link.lock();
        if frame.len() > inner.max_frame_bytes {
            return Err(TransportError::FrameTooLarge { bytes: frame.len(), limit: inner.max_frame_bytes });
        }
        if inner.cut || inner.fate.strikes() {
            cut(&mut inner);
            return Err(lost());
        }
        inner.frames += 1;
        let direction = &mut inner.directions[self.direction];
        direction.queue.push_back(frame);
        wake(&mut direction.reader);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(if self.link.lock().cut { Err(lost()) } else { Ok(()) })
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let mut inner = self.link.lock();
        if inner.cut {
            return Poll::Ready(Err(lost()));
        }
        let direction = &mut inner.directions[self.direction];
        direction.closed = true;
        wake(&mut direction.reader);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Sending {
    /// An end that goes without closing has vanished.
    fn drop(&mut self) {
        let mut inner = self.link.lock();
        if !inner.directions[self.direction].closed {
            cut(&mut inner);
        }
    }
}

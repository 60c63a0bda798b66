//! A client's link as a stream and a sink of frames. Whichever half is polled moves both.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Sink, Stream};
use pocketsync_core::transport::{Transport, TransportError};

use super::pump::Pump;
use crate::wakers::Wakers;

/// Makes a transport of a pump.
pub(super) fn transport(pump: Pump, max_frame_bytes: usize) -> Transport {
    let shared = Arc::new(Shared { wakers: Arc::default(), pump: Mutex::new(pump) });
    Transport {
        stream: Box::pin(Frames { shared: Arc::clone(&shared), ended: false }),
        sink: Box::pin(Writer { shared }),
        max_frame_bytes,
    }
}

/// Nobody waits while holding the lock: polling the pump returns at once.
struct Shared {
    wakers: Arc<Wakers>,
    pump: Mutex<Pump>,
}

impl Shared {
    fn pump(&self) -> MutexGuard<'_, Pump> {
        self.pump.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the link on. What happens later wakes both halves.
    fn work(&self) -> MutexGuard<'_, Pump> {
        let mut pump = self.pump();
        pump.work(&mut Context::from_waker(&self.wakers.both()));
        pump
    }
}

struct Frames {
    shared: Arc<Shared>,
    ended: bool,
}

impl Stream for Frames {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.shared.wakers.reader.register(cx.waker());
        let mut pump = self.shared.work();
        if mem::take(&mut pump.writer_news) {
            self.shared.wakers.writer.wake();
        }
        pump.reader_news = false;
        if let Some(frame) = pump.next_frame() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(end) = pump.end_of_stream() else { return Poll::Pending };
        drop(pump);
        self.ended = true;
        Poll::Ready(end.err().map(Err))
    }
}

struct Writer {
    shared: Arc<Shared>,
}

impl Writer {
    /// Moves the link on, and wakes the reader for what that brought.
    fn work(&self, cx: &Context<'_>) -> MutexGuard<'_, Pump> {
        self.shared.wakers.writer.register(cx.waker());
        let mut pump = self.shared.work();
        if mem::take(&mut pump.reader_news) {
            self.shared.wakers.reader.wake();
        }
        pump.writer_news = false;
        pump
    }
}

impl Sink<Bytes> for Writer {
    type Error = TransportError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        // A request that began now would leave behind what the session says in the same breath.
        let ready = self.shared.pump().poll_ready();
        if ready.is_ready() { ready } else { self.work(cx).poll_ready() }
    }

    fn start_send(self: Pin<&mut Self>, frame: Bytes) -> Result<(), TransportError> {
        self.shared.pump().send(frame)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.work(cx).poll_flush()
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.shared.pump().close();
        self.work(cx).poll_closed()
    }
}

//! A transport that is still being opened.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, Sink, Stream};
use pocketsync_core::transport::{FrameSink, FrameStream, Transport, TransportError};

use crate::wakers::Wakers;

/// Makes a transport whose halves wait until `opening` has come to an end.
pub(super) fn opening(
    opening: BoxFuture<'static, Result<Transport, TransportError>>,
    max_frame_bytes: usize,
) -> Transport {
    let shared = Arc::new(Shared { wakers: Arc::default(), state: Mutex::new(State::Opening(opening)) });
    Transport {
        stream: Box::pin(Reader { shared: Arc::clone(&shared), stream: None, ended: false }),
        sink: Box::pin(Writer { shared, sink: None }),
        max_frame_bytes,
    }
}

struct Shared {
    wakers: Arc<Wakers>,
    state: Mutex<State>,
}

enum State {
    Opening(BoxFuture<'static, Result<Transport, TransportError>>),
    /// Open; each half takes its own.
    Open(Option<FrameStream>, Option<FrameSink>),
    Failed(TransportError),
}

impl Shared {
    /// Waits until the transport is open, and takes a part of it, which is there once.
    fn poll_open<T>(
        &self,
        take: impl FnOnce(&mut Option<FrameStream>, &mut Option<FrameSink>) -> Option<T>,
    ) -> Poll<Result<T, TransportError>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Opening(opening) = &mut *state {
            let waker = self.wakers.both();
            *state = match ready!(opening.poll_unpin(&mut Context::from_waker(&waker))) {
                Ok(Transport { stream, sink, .. }) => State::Open(Some(stream), Some(sink)),
                Err(error) => State::Failed(error),
            };
        }
        Poll::Ready(match &mut *state {
            State::Open(stream, sink) => {
                take(stream, sink).ok_or_else(|| TransportError::lost("it was closed"))
            }
            State::Failed(error) => Err(error.clone()),
            State::Opening(_) => return Poll::Pending,
        })
    }
}

struct Reader {
    shared: Arc<Shared>,
    stream: Option<FrameStream>,
    ended: bool,
}

impl Stream for Reader {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.stream.is_none() {
            self.shared.wakers.reader.register(cx.waker());
            match ready!(self.shared.poll_open(|stream, _| stream.take())) {
                Ok(stream) => self.stream = Some(stream),
                Err(error) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        match &mut self.stream {
            Some(stream) => stream.as_mut().poll_next(cx),
            None => Poll::Ready(None),
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    sink: Option<FrameSink>,
}

impl Writer {
    /// Waits until there is a sink.
    fn poll_sink(&mut self, cx: &mut Context<'_>) -> Poll<Result<&mut FrameSink, TransportError>> {
        if self.sink.is_none() {
            self.shared.wakers.writer.register(cx.waker());
            self.sink = Some(ready!(self.shared.poll_open(|_, sink| sink.take()))?);
        }
        match &mut self.sink {
            Some(sink) => Poll::Ready(Ok(sink)),
            None => Poll::Pending,
        }
    }
}

impl Sink<Bytes> for Writer {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        ready!(self.poll_sink(cx))?.as_mut().poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Bytes) -> Result<(), TransportError> {
        match &mut self.sink {
            Some(sink) => sink.as_mut().start_send(frame),
            None => Err(TransportError::lost("nobody asked whether it was ready")),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        ready!(self.poll_sink(cx))?.as_mut().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        ready!(self.poll_sink(cx))?.as_mut().poll_close(cx)
    }
}

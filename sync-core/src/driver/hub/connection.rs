//! One connection: reads frames, and sends those it is given, each as the link allows.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};

use crate::hub::ConnId;
use crate::runtime::Runtime;
use crate::transport::{Transport, TransportError};

/// What to send. The queue's length is bounded by the hub, which is told what was sent.
#[derive(Debug)]
pub(super) enum Order {
    Frame(Bytes),
    /// Nothing more comes: send what is left, close the link.
    Finish,
}

/// What happened on a connection.
#[derive(Debug)]
pub(super) enum Happened {
    Received(Bytes),
    /// The sink took so many bytes.
    Sent(usize),
    Lost(String),
}

/// A stream of what happens on one connection. Ends when the link is closed.
pub(super) struct Connection {
    id: ConnId,
    transport: Transport,
    orders: mpsc::UnboundedReceiver<Order>,
    runtime: Arc<dyn Runtime>,
    close_timeout: Duration,
    /// Taken from the queue, and not yet by the sink.
    next: Option<Bytes>,
    unflushed: bool,
    /// Set with the order to finish; when it rings, what is left is given up.
    finish_by: Option<BoxFuture<'static, ()>>,
    /// The other side has closed, or is gone.
    heard_out: bool,
    /// How much came after the session was over.
    passed_over: usize,
    ended: bool,
}

/// How much is read on after a session is over. What honest clients have under way is bounded by their window.
const MAX_PASSED_OVER: usize = 4 << 20;

/// How much of that in one go, so that nobody keeps the hub busy with it.
const FRAMES_A_POLL: usize = 16;

impl Connection {
    pub(super) fn new(
        id: ConnId,
        transport: Transport,
        runtime: Arc<dyn Runtime>,
        close_timeout: Duration,
    ) -> (Self, mpsc::UnboundedSender<Order>) {
        let (sender, orders) = mpsc::unbounded();
        let connection = Connection {
            id,
            transport,
            orders,
            runtime,
            close_timeout,
            next: None,
            unflushed: false,
            finish_by: None,
            heard_out: false,
            passed_over: 0,
            ended: false,
        };
        (connection, sender)
    }

    /// Hands to the sink what it takes. Answers how many bytes that were.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<usize, TransportError> {
        let mut sent = 0;
        loop {
            if self.next.is_none() {
                match self.orders.poll_next_unpin(cx) {
                    Poll::Ready(Some(Order::Frame(frame))) => self.next = Some(frame),
                    Poll::Ready(Some(Order::Finish) | None) if self.finish_by.is_none() => {
                        let deadline = self.runtime.now().mono + self.close_timeout;
                        self.finish_by = Some(self.runtime.sleep_until(deadline));
                    }
                    _ => break,
                }
                continue;
            }
            match self.transport.sink.as_mut().poll_ready(cx)? {
                Poll::Pending => break,
                Poll::Ready(()) => {}
            }
            if let Some(frame) = self.next.take() {
                sent += frame.len();
                self.transport.sink.as_mut().start_send(frame)?;
                self.unflushed = true;
            }
        }
        if self.unflushed && self.transport.sink.as_mut().poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        Ok(sent)
    }

    /// Closes the link once everything is sent, and reads on until the other side has closed as
    /// well: with a link that is dropped while something unread is under way, TCP throws away
    /// what was sent, and the other side would never learn why the session ended.
    fn finish(&mut self, cx: &mut Context<'_>) -> Poll<Option<(ConnId, Happened)>> {
        let given_up = self.finish_by.as_mut().is_some_and(|timeout| timeout.poll_unpin(cx).is_ready());
        let flushed = self.next.is_none() && !self.unflushed;
        let closed = flushed && self.transport.sink.as_mut().poll_close(cx).is_ready();
        for _ in 0..FRAMES_A_POLL {
            if self.heard_out {
                break;
            }
            match self.transport.stream.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.passed_over += frame.len();
                    // Whoever goes on with its back turned is not waited for.
                    self.heard_out |= self.passed_over > MAX_PASSED_OVER;
                    cx.waker().wake_by_ref();
                }
                Poll::Ready(Some(Err(_)) | None) => self.heard_out = true,
                Poll::Pending => break,
            }
        }
        if given_up || (closed && self.heard_out) {
            self.ended = true;
            return Poll::Ready(None);
        }
        Poll::Pending
    }

    fn lost(&mut self, reason: String) -> Poll<Option<(ConnId, Happened)>> {
        self.ended = true;
        Poll::Ready(Some((self.id, Happened::Lost(reason))))
    }
}

impl Stream for Connection {
    type Item = (ConnId, Happened);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        match this.send(cx) {
            Ok(0) => {}
            Ok(sent) => return Poll::Ready(Some((this.id, Happened::Sent(sent)))),
            Err(error) => return this.lost(error.to_string()),
        }
        if this.finish_by.is_some() {
            return this.finish(cx);
        }
        match this.transport.stream.as_mut().poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some((this.id, Happened::Received(frame)))),
            Poll::Ready(Some(Err(error))) => this.lost(error.to_string()),
            Poll::Ready(None) => this.lost("the other side closed the connection".to_owned()),
        }
    }
}

//! The hub's end of a link as a stream and a sink of frames.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, Sink, Stream};
use pocketsync_core::transport::{Transport, TransportError};

use super::link::{Link, Read};
use super::links::Links;

/// Makes a transport of a link, whose end it is.
pub(super) fn transport(link: &Arc<Link>, links: &Arc<Links>) -> Transport {
    let end = Arc::new(End { link: Arc::clone(link), links: Arc::clone(links) });
    Transport {
        stream: Box::pin(Frames { end: Arc::clone(&end), idle: None, ended: false }),
        sink: Box::pin(Writer { end }),
        max_frame_bytes: link.max_frame_bytes(),
    }
}

/// Shared by both halves: the link is left when both are dropped.
struct End {
    link: Arc<Link>,
    links: Arc<Links>,
}

impl Drop for End {
    fn drop(&mut self) {
        if self.link.leave() {
            self.links.forget(&self.link);
        }
    }
}

struct Frames {
    end: Arc<End>,
    /// Rings when the link has been idle for too long.
    idle: Option<(Duration, BoxFuture<'static, ()>)>,
    ended: bool,
}

impl Frames {
    fn idle_rings(&mut self, at: Option<Duration>, cx: &mut Context<'_>) -> bool {
        let Some(at) = at else {
            self.idle = None;
            return false;
        };
        if self.idle.as_ref().is_none_or(|(set, _)| *set != at) {
            self.idle = Some((at, self.end.link.runtime().sleep_until(at)));
        }
        let rings = self.idle.as_mut().is_some_and(|(_, sleep)| sleep.poll_unpin(cx).is_ready());
        if rings {
            self.idle = None;
        }
        rings
    }
}

impl Stream for Frames {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            match self.end.link.poll_read(cx) {
                Read::Frame(frame) => return Poll::Ready(Some(Ok(frame))),
                Read::End => {
                    self.ended = true;
                    return Poll::Ready(None);
                }
                Read::Lost(reason) => {
                    self.ended = true;
                    self.end.links.forget(&self.end.link);
                    return Poll::Ready(Some(Err(TransportError::lost(reason))));
                }
                Read::Nothing(idle_at) => {
                    if !self.idle_rings(idle_at, cx) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

struct Writer {
    end: Arc<End>,
}

impl Sink<Bytes> for Writer {
    type Error = TransportError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.end.link.poll_ready(cx).map_err(TransportError::lost)
    }

    fn start_send(self: Pin<&mut Self>, frame: Bytes) -> Result<(), TransportError> {
        let limit = self.end.link.max_frame_bytes();
        if frame.len() > limit {
            return Err(TransportError::FrameTooLarge { bytes: frame.len(), limit });
        }
        self.end.link.send(frame).map_err(TransportError::lost)
    }

    /// The link has it; its next answers carry it.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.end.link.poll_close(cx).map(Ok)
    }
}

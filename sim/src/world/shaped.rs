//! A connection with the weaknesses of its link: it breaks, is slow, repeats itself and lets frames
//! overtake each other. It also tells what it carries.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, Sink, Stream};
use pocketsync_core::transport::{FrameSink, FrameStream, Transport, TransportError};

use super::line::Line;
use crate::determinism::Chance;
use crate::history::{Event, Fault};
use crate::machines::cause::Sorter;

/// How long a frame waits at most for another to overtake it.
const OVERTAKEN_WITHIN: Duration = Duration::from_millis(50);

/// Puts a connection, the `number`th of its link, under the link's weaknesses.
pub(super) fn shape(transport: Transport, line: &Arc<Line>, number: u64) -> Transport {
    let stream_no = u64::from(line.device.0) << 32 | number;
    let link = Link { line: Arc::clone(line), cuts: line.cuts() };
    let rate = line.link.breaks_per_minute;
    let breaks = (rate > 0.0).then(|| {
        let minutes = -(1.0 - Chance::new(line.seed, "break", stream_no).fraction()).ln() / rate;
        let at = line.time.now() + Duration::from_secs_f64((minutes * 60.0).min(1e9));
        timer(line, at)
    });
    let down = Down {
        link: link.clone(),
        inner: Some(transport.stream),
        way: Way::new(line, false, stream_no),
        breaks,
        ended: None,
    };
    let up = Up { link, inner: Some(transport.sink), way: Way::new(line, true, stream_no) };
    Transport {
        stream: Box::pin(down),
        sink: Box::pin(up),
        max_frame_bytes: transport.max_frame_bytes.min(line.link.max_frame_bytes as usize),
    }
    .with_max_frame_bytes(line.link.max_frame_bytes as usize)
}

fn timer(line: &Arc<Line>, at: Duration) -> BoxFuture<'static, ()> {
    let time = Arc::clone(&line.time);
    Box::pin(async move { time.sleep_until(at).await })
}

/// A link, as one connection over it sees it.
#[derive(Clone)]
struct Link {
    line: Arc<Line>,
    /// Of the link, when the connection was made.
    cuts: u64,
}

impl Link {
    fn check(&self, cx: &Context<'_>) -> Result<(), TransportError> {
        self.line.wait_for_cut(cx.waker());
        match self.line.cuts() == self.cuts {
            true => Ok(()),
            false => Err(TransportError::lost("the network went away")),
        }
    }
}

/// One direction: frames that are on their way to the other half, each with its time.
struct Way {
    line: Arc<Line>,
    up: bool,
    chance: Chance,
    sorter: Sorter,
    queue: VecDeque<(Duration, Bytes)>,
    /// May be overtaken by the next.
    held: Option<(Duration, Bytes)>,
    /// When the link has carried what it was given.
    free_at: Duration,
    timer: Option<(Duration, BoxFuture<'static, ()>)>,
}

impl Way {
    fn new(line: &Arc<Line>, up: bool, stream_no: u64) -> Self {
        Way {
            line: Arc::clone(line),
            up,
            chance: Chance::new(line.seed, if up { "up" } else { "down" }, stream_no),
            sorter: Sorter::default(),
            queue: VecDeque::new(),
            held: None,
            free_at: Duration::ZERO,
            timer: None,
        }
    }

    /// Takes a frame, and decides what becomes of it.
    fn put(&mut self, frame: Bytes) {
        let (device, records) = (self.line.device, &self.line.records);
        records.frame(if self.up { b'>' } else { b'<' }, frame.clone());
        let cause = self.sorter.sort(&frame);
        records.event(Event::Carried { device, up: self.up, bytes: frame.len(), cause });
        let link = &self.line.link;
        let calm = self.line.is_calm();
        let twice = self.chance.happens(link.duplicate) && !calm;
        let overtaken = self.chance.happens(link.reorder) && !calm;
        if twice || overtaken {
            records.event(Event::Fault(Fault::Misdelivered(device)));
        }
        if overtaken && self.held.is_none() {
            self.held = Some((self.line.time.now() + OVERTAKEN_WITHIN, frame));
            return;
        }
        self.queue(frame.clone());
        if twice {
            self.queue(frame);
        }
        if let Some((_, overtaken)) = self.held.take() {
            self.queue(overtaken);
        }
    }

    fn queue(&mut self, frame: Bytes) {
        let now = self.line.time.now();
        let us = frame.len() as u64 * 1_000_000;
        if let Some(us) = us.checked_div(self.line.link.bytes_per_second) {
            self.free_at = self.free_at.max(now) + Duration::from_micros(us);
        }
        self.queue.push_back((self.free_at.max(now), frame));
    }

    fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.held.is_none()
    }

    /// Waits for the next frame's time, and says whether there is one; it stays where it is.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            let now = self.line.time.now();
            if self.queue.is_empty()
                && self.held.as_ref().is_some_and(|(until, _)| *until <= now)
                && let Some((_, frame)) = self.held.take()
            {
                self.queue(frame);
            }
            let next = self.queue.front().or(self.held.as_ref()).map(|(at, _)| *at);
            let Some(at) = next else { return Poll::Ready(false) };
            if !self.queue.is_empty() && at <= now {
                return Poll::Ready(true);
            }
            let timer = match &mut self.timer {
                Some((set, timer)) if *set == at => timer,
                other => &mut other.insert((at, timer(&self.line, at))).1,
            };
            ready!(timer.poll_unpin(cx));
            self.timer = None;
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        self.queue.pop_front().map(|(_, frame)| frame)
    }
}

/// Frames from the hub.
struct Down {
    link: Link,
    inner: Option<FrameStream>,
    way: Way,
    breaks: Option<BoxFuture<'static, ()>>,
    /// How the stream below ended.
    ended: Option<Option<TransportError>>,
}

impl Down {
    fn poll_break(&mut self, cx: &mut Context<'_>) {
        if self.breaks.as_mut().is_some_and(|breaks| breaks.poll_unpin(cx).is_ready()) {
            self.breaks = None;
            let line = &self.link.line;
            if !line.is_calm() && line.cuts() == self.link.cuts {
                line.records.event(Event::Fault(Fault::LinkBroke(line.device)));
                line.cut();
            }
        }
    }
}

impl Stream for Down {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.poll_break(cx);
        if this.inner.is_none() && this.ended.is_none() {
            return Poll::Ready(None);
        }
        if let Err(error) = this.link.check(cx) {
            (this.inner, this.ended) = (None, None);
            return Poll::Ready(Some(Err(error)));
        }
        while let Some(inner) = &mut this.inner {
            match inner.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(frame))) => this.way.put(frame),
                Poll::Ready(end) => {
                    this.inner = None;
                    this.ended = Some(end.and_then(Result::err));
                }
                Poll::Pending => break,
            }
        }
        match this.way.poll_due(cx) {
            Poll::Ready(true) => Poll::Ready(this.way.pop().map(Ok)),
            Poll::Ready(false) => match this.ended.take() {
                Some(end) => Poll::Ready(end.map(Err)),
                None => Poll::Pending,
            },
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Frames to the hub.
struct Up {
    link: Link,
    inner: Option<FrameSink>,
    way: Way,
}

impl Up {
    fn check(&mut self, cx: &Context<'_>) -> Result<(), TransportError> {
        let checked = self.link.check(cx);
        if checked.is_err() {
            self.inner = None;
        }
        checked
    }

    fn inner(
        &mut self,
    ) -> Result<Pin<&mut (dyn Sink<Bytes, Error = TransportError> + Send)>, TransportError> {
        let gone = || TransportError::lost("the network went away");
        Ok(self.inner.as_mut().ok_or_else(gone)?.as_mut())
    }

    /// Sends what is due. Ready when nothing waits.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.check(cx)?;
        while ready!(self.way.poll_due(cx)) {
            ready!(self.inner()?.poll_ready(cx))?;
            if let Some(frame) = self.way.pop() {
                self.inner()?.start_send(frame)?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Sink<Bytes> for Up {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self.poll_drain(cx)? {
            // The next may overtake the one that is held.
            Poll::Pending if !self.way.queue.is_empty() => Poll::Pending,
            _ => self.inner()?.poll_ready(cx),
        }
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Bytes) -> Result<(), TransportError> {
        let limit =
            (self.link.line.link.max_frame_bytes as usize).max(pocketsync_core::wire::MIN_FRAME_BYTES);
        if frame.len() > limit {
            return Err(TransportError::FrameTooLarge { bytes: frame.len(), limit });
        }
        self.way.put(frame);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let drained = self.poll_drain(cx)?;
        ready!(self.inner()?.poll_flush(cx))?;
        drained.map(Ok)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if !self.way.is_empty() {
            ready!(self.poll_drain(cx))?;
        }
        self.inner()?.poll_close(cx)
    }
}

//! One session over one transport.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::admission::{Admission, refused};
use crate::clock::Now;
use crate::driver::status::Failure;
use crate::id::SiteId;
use crate::lineage::Cursor;
use crate::session::{Admitted, Event, Output, RequestId, Session, SessionConfig, SessionEnd};
use crate::store::{StoreError, StoreReply, StoreRequest};
use crate::transport::{FrameSink, FrameStream, Transport};
use crate::wire::{ErrorCode, WireError};

/// How many frames are read before others get a turn.
const FRAMES_A_TURN: usize = 32;

/// What may wait to be sent beyond two windows: acknowledgements and the like. A peer that lets
/// more pile up takes without reading.
const SLACK_BYTES: usize = 4 << 20;

pub(super) struct Link {
    session: Session,
    /// Who decides whether the other side may in; `None` where it is us who called.
    admission: Option<Arc<dyn Admission>>,
    /// Its answer, while that is under way.
    admitting: Option<BoxFuture<'static, Result<Admitted, WireError>>>,
    /// When the other side's rights end.
    expires_at: Option<Duration>,
    stream: FrameStream,
    sink: FrameSink,
    outgoing: VecDeque<Bytes>,
    outgoing_bytes: usize,
    outgoing_limit: usize,
    /// Whether the sink has frames that it may still hold back.
    unflushed: bool,
    requests: VecDeque<(RequestId, StoreRequest)>,
    deadline: Option<Duration>,
    /// How the session ended; what is left is to get the last frames out.
    end: Option<SessionEnd>,
    /// Nothing can be read or sent any more.
    broken: bool,
    close_by: Duration,
    close_timeout: Duration,
    events: VecDeque<Event>,
    /// Who is on the other side, once the handshake is done.
    pub(super) peer: Option<SiteId>,
    /// When the handshake was done.
    pub(super) connected_at: Option<Duration>,
    /// What the store has of the peer are whole transactions, and all that it had.
    caught_up: bool,
    /// The requests that bring what has arrived into the store; while there are any, more has
    /// arrived than the store has.
    applying: BTreeSet<RequestId>,
    /// The peer holds everything that we know to have.
    pub(super) up_to_date: bool,
    /// How far the peer holds us.
    pub(super) acked: Cursor,
}

impl Link {
    /// `admission` decides about whoever called; without it, we call.
    pub(super) fn new(
        transport: Transport,
        config: SessionConfig,
        admission: Option<Arc<dyn Admission>>,
        close_timeout: Duration,
        now: Now,
    ) -> Self {
        let outgoing_limit = 2 * config.window_bytes + SLACK_BYTES;
        let session = match admission {
            Some(_) => Session::accept(config, now),
            None => Session::connect(config, now),
        };
        let mut link = Link {
            session,
            admission,
            admitting: None,
            expires_at: None,
            stream: transport.stream,
            sink: transport.sink,
            outgoing: VecDeque::new(),
            outgoing_bytes: 0,
            outgoing_limit,
            unflushed: false,
            requests: VecDeque::new(),
            deadline: None,
            end: None,
            broken: false,
            close_by: Duration::MAX,
            close_timeout,
            events: VecDeque::new(),
            peer: None,
            connected_at: None,
            caught_up: false,
            applying: BTreeSet::new(),
            up_to_date: false,
            acked: Cursor::ZERO,
        };
        link.drain(now);
        link
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected_at.is_some() && self.end.is_none() && !self.broken
    }

    /// Whether the store has whole transactions, and everything that came from the peer.
    pub(super) fn is_caught_up(&self) -> bool {
        self.caught_up && self.applying.is_empty()
    }

    /// The next thing that the session asks of the store.
    pub(super) fn next_request(&mut self) -> Option<(RequestId, StoreRequest)> {
        self.requests.pop_front()
    }

    pub(super) fn has_request(&self) -> bool {
        !self.requests.is_empty()
    }

    /// The next thing that happened.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When time alone makes a difference.
    pub(super) fn due_at(&self) -> Option<Duration> {
        if self.end.is_some() {
            return Some(self.close_by);
        }
        [self.deadline, self.expires_at].into_iter().flatten().min()
    }

    pub(super) fn handle_store(&mut self, now: Now, id: RequestId, reply: Result<StoreReply, StoreError>) {
        self.applying.remove(&id);
        self.session.handle_store(now, id, reply);
        self.drain(now);
    }

    /// The replica may have something new.
    pub(super) fn local_changed(&mut self, now: Now) {
        self.up_to_date = false;
        self.session.local_changed(now);
        self.drain(now);
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, now: Now) {
        self.session.close(now);
        self.drain(now);
    }

    /// Sends, reads and keeps time. Says whether anything happened; once the session has ended
    /// and its last frames are out, or cannot be got out, answers how it ended.
    pub(super) fn poll(&mut self, now: Now, cx: &mut Context<'_>) -> Poll<Result<(), SessionEnd>> {
        let mut progress = false;
        if !self.broken {
            progress |= self.send(now, cx);
        }
        if self.end.is_none() && !self.broken {
            progress |= self.read(now, cx);
        }
        if let Some(Poll::Ready(verdict)) = self.admitting.as_mut().map(|answer| answer.poll_unpin(cx)) {
            self.admitting = None;
            self.expires_at = verdict.as_ref().ok().and_then(|admitted| until(now, admitted.expires_at_ms?));
            self.session.handle_admission(now, verdict);
            self.drain(now);
            progress = true;
        }
        if self.end.is_none() && self.expires_at.take_if(|at| *at <= now.mono).is_some() {
            self.session.fail_with(refused(ErrorCode::Unauthorized, "the rights have expired"));
            self.drain(now);
            progress = true;
        }
        if self.end.is_none() && self.deadline.is_some_and(|at| at <= now.mono) {
            self.session.handle_timeout(now);
            self.drain(now);
            progress = true;
        }
        if let Some(end) = self.end.clone()
            && (self.broken || now.mono >= self.close_by || self.closed(cx))
        {
            return Poll::Ready(Err(end));
        }
        if progress { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Hands frames to the sink as it takes them.
    fn send(&mut self, now: Now, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while let Some(frame) = self.outgoing.front() {
            let bytes = frame.len();
            match self.sink.as_mut().poll_ready(cx) {
                Poll::Pending => return progress,
                Poll::Ready(Err(error)) => return self.lose(now, &error.to_string()),
                Poll::Ready(Ok(())) => {}
            }
            let Some(frame) = self.outgoing.pop_front() else { break };
            self.outgoing_bytes -= bytes;
            if let Err(error) = self.sink.as_mut().start_send(frame) {
                return self.lose(now, &error.to_string());
            }
            self.unflushed = true;
            progress = true;
        }
        if self.unflushed {
            match self.sink.as_mut().poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return self.lose(now, &error.to_string()),
            }
        }
        progress
    }

    fn read(&mut self, now: Now, cx: &mut Context<'_>) -> bool {
        for turn in 0..FRAMES_A_TURN {
            match self.stream.as_mut().poll_next(cx) {
                Poll::Pending => return turn > 0,
                Poll::Ready(Some(Ok(frame))) => {
                    self.session.handle_frame(now, frame);
                    self.drain(now);
                    if self.end.is_some() {
                        return true;
                    }
                }
                Poll::Ready(Some(Err(error))) => return self.lose(now, &error.to_string()),
                Poll::Ready(None) => return self.lose(now, "the other side closed the connection"),
            }
        }
        true
    }

    fn lose(&mut self, now: Now, reason: &str) -> bool {
        self.broken = true;
        self.outgoing.clear();
        if self.end.is_none() {
            self.session.handle_lost(now, reason);
            self.drain(now);
        }
        true
    }

    /// Whether the last frames are out and the sink is closed.
    fn closed(&mut self, cx: &mut Context<'_>) -> bool {
        // Closing flushes; it must not overtake what is not yet in the sink.
        self.outgoing.is_empty() && self.sink.as_mut().poll_close(cx).is_ready()
    }

    /// Takes all outputs of the session, as its contract demands after every input.
    fn drain(&mut self, now: Now) {
        loop {
            match self.session.poll_output() {
                Output::Transmit(frame) => self.transmit(frame),
                Output::Store(id, request) => {
                    if matches!(request, StoreRequest::Apply { .. } | StoreRequest::Refuse { .. }) {
                        self.applying.insert(id);
                    }
                    self.requests.push_back((id, request));
                }
                Output::Admit(request) => {
                    let Some(admission) = self.admission.clone() else {
                        self.session.handle_admission(now, Err(not_an_acceptor()));
                        continue;
                    };
                    self.admitting = Some(Box::pin(async move { admission.admit(&request).await }));
                }
                Output::Event(event) => self.note(now, event),
                Output::Wait(deadline) => {
                    self.deadline = deadline.at;
                    break;
                }
                Output::Closed(end) => {
                    self.end = Some(end);
                    self.close_by = now.mono + self.close_timeout;
                    break;
                }
            }
        }
        if self.outgoing_bytes > self.outgoing_limit && !self.broken {
            self.lose(now, "the other side does not read");
        }
    }

    fn transmit(&mut self, frame: Bytes) {
        if !self.broken {
            self.outgoing_bytes += frame.len();
            self.outgoing.push_back(frame);
        }
    }

    fn note(&mut self, now: Now, event: Event) {
        match &event {
            Event::Connected { peer, .. } => {
                self.peer = Some(*peer);
                self.connected_at = Some(now.mono);
            }
            Event::CaughtUp => self.caught_up = true,
            Event::CatchingUp => self.caught_up = false,
            Event::UpToDate => self.up_to_date = true,
            Event::Acked { cursor } => self.acked = cursor.clone(),
            // What a merge wrote of its own the peer does not have.
            Event::Applied(committed) if committed.derived => self.up_to_date = false,
            _ => {}
        }
        self.events.push_back(event);
    }
}

/// How a session's end looks in the status; `None` for those that are no failure.
pub(super) fn failure_of(end: &SessionEnd) -> Option<Failure> {
    match end {
        SessionEnd::Bye | SessionEnd::Forked { .. } | SessionEnd::ClockJumped => None,
        end => Some(Failure::new(end.code(), end, end.is_retryable())),
    }
}

fn not_an_acceptor() -> WireError {
    refused(ErrorCode::BadMessage, "the initiator admits nobody")
}

/// A moment of wall time on the clock that is never set.
fn until(now: Now, wall_ms: u64) -> Option<Duration> {
    now.mono.checked_add(Duration::from_millis(wall_ms.saturating_sub(now.wall_ms)))
}

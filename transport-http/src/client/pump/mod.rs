//! What moves a client's link: which requests are made, and when.
//!
//! At most two are under way. One, the *exchange*, asks for frames, and the hub holds its answer until
//! there are some; it takes along what is to be sent when it begins. What is to be sent while it is held
//! goes with the other, the *push*, which asks for nothing.

mod halves;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use pocketsync_core::runtime::Runtime;
use pocketsync_core::transport::TransportError;
use pocketsync_core::wire::{Message, frame};

use super::Dial;
use super::connection::Connection;
use super::request::{Failure, Requester};
use crate::HttpConfig;
use crate::exchange::{Answer, Ask, FRAME_OVERHEAD, LinkId};

/// About how much one request carries; a frame it always may.
const MAX_BODY_BYTES: usize = 512 << 10;

/// How long a link waits for its first frame, to open it at the hub with that; where the other side is to
/// speak first, it is opened without one.
const FIRST_FRAME: Duration = Duration::from_millis(200);

/// How long the hub may hold the answer to a request that carries frames: its session has something to
/// say to most, and soon; until then, nobody knows that they arrived.
const REACTION: Duration = Duration::from_secs(1);

/// How much longer to wait for the first word of a session, for each byte that it was given.
const TAKING_IN: Duration = Duration::from_micros(10);

/// How long the session's answer to many frames is waited for at most.
const LONGEST_LINGER: Duration = Duration::from_millis(100);

/// How much may wait in either direction before the link pushes back.
const MAX_WAITING_BYTES: usize = 1 << 20;

type Asking = BoxFuture<'static, (Ask, Result<(Answer, Connection), Failure>)>;

/// Begins a request.
type Begin = Box<dyn Fn(Ask, Option<Connection>) -> Asking + Send>;

pub(super) struct Pump {
    begin: Begin,
    link: LinkId,
    config: HttpConfig,
    runtime: Arc<dyn Runtime>,
    /// Connections without a request.
    idle: Vec<Connection>,
    /// Whether the hub may know of the link.
    opened: bool,
    exchange: Option<Asking>,
    push: Option<Asking>,
    /// What the session says to the last answer is waited for.
    linger: Option<BoxFuture<'static, ()>>,
    /// Until when at most.
    linger_until: Duration,

    /// Frames that no request has taken along, or that were not taken.
    outbound: VecDeque<Bytes>,
    outbound_bytes: usize,
    /// The number of the first of them.
    up_next: u64,
    /// Frames that the hub has not confirmed: their sizes, and the number of the first.
    unconfirmed: VecDeque<usize>,
    unconfirmed_bytes: usize,
    confirmed: u64,
    end: End,

    inbound: VecDeque<Bytes>,
    inbound_bytes: usize,
    down_next: u64,
    /// Nothing more comes, for this reason.
    ended: Option<Ended>,
    /// Something changed that the half which waits for frames has not seen.
    pub(super) reader_news: bool,
    /// The same for the half that sends.
    pub(super) writer_news: bool,
}

/// How far our side is with ending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Open,
    /// To be said once everything is out.
    Wanted,
    Said,
    Confirmed,
}

/// Why nothing more comes.
#[derive(Clone, PartialEq, Debug)]
enum Ended {
    /// The hub has ended the link in good order.
    Orderly,
    /// It is lost.
    Lost(TransportError),
}

fn weight(frame: &Bytes) -> usize {
    frame.len() + FRAME_OVERHEAD
}

fn taking_in(bytes: usize) -> Duration {
    TAKING_IN * u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Pump {
    pub(super) fn new<D: Dial>(
        requester: Arc<Requester<D>>,
        first: Connection,
        link: LinkId,
        config: HttpConfig,
        runtime: Arc<dyn Runtime>,
    ) -> Self {
        let begin = Box::new(move |ask: Ask, connection| {
            let requester = Arc::clone(&requester);
            async move {
                let outcome = requester.ask(&ask, connection).await;
                (ask, outcome)
            }
            .boxed()
        });
        Pump {
            begin,
            link,
            config,
            linger: Some(runtime.sleep_until(runtime.now().mono + FIRST_FRAME)),
            linger_until: Duration::ZERO,
            runtime,
            idle: vec![first],
            opened: false,
            exchange: None,
            push: None,
            outbound: VecDeque::new(),
            outbound_bytes: 0,
            up_next: 0,
            unconfirmed: VecDeque::new(),
            unconfirmed_bytes: 0,
            confirmed: 0,
            end: End::Open,
            inbound: VecDeque::new(),
            inbound_bytes: 0,
            down_next: 0,
            ended: None,
            reader_news: false,
            writer_news: false,
        }
    }

    /// Does what can be done now.
    pub(super) fn work(&mut self, cx: &mut Context<'_>) {
        loop {
            let mut progress = false;
            if let Some(Poll::Ready((ask, outcome))) =
                self.exchange.as_mut().map(|asking| asking.poll_unpin(cx))
            {
                self.exchange = None;
                self.answered(&ask, outcome);
                progress = true;
            }
            if let Some(Poll::Ready((ask, outcome))) = self.push.as_mut().map(|asking| asking.poll_unpin(cx))
            {
                self.push = None;
                self.answered(&ask, outcome);
                progress = true;
            }
            if self.linger.as_mut().is_some_and(|linger| linger.poll_unpin(cx).is_ready()) {
                self.linger = None;
            }
            progress |= self.start();
            if !progress {
                return;
            }
        }
    }

    fn is_lost(&self) -> bool {
        matches!(self.ended, Some(Ended::Lost(_)))
    }

    /// Begins a request if there is reason for one. Says whether it did.
    fn start(&mut self) -> bool {
        if self.is_lost() || self.end == End::Confirmed && self.ended.is_some() {
            return false;
        }
        let has_news = !self.outbound.is_empty() || self.end == End::Wanted;
        let enough = self.outbound_bytes >= MAX_BODY_BYTES || self.end != End::Open;
        let lingers = self.linger.is_some() && !enough && (self.opened || !has_news);
        let wants_frames = self.ended.is_none() && self.inbound_bytes < MAX_WAITING_BYTES;
        if self.exchange.is_none() && wants_frames && !lingers {
            let ask = self.next_ask(Some(self.down_next));
            let connection = self.idle.pop();
            self.exchange = Some((self.begin)(ask, connection));
            return true;
        }
        let may_push = self.exchange.is_some() || !wants_frames;
        if self.push.is_none() && has_news && may_push {
            let ask = self.next_ask(None);
            let connection = self.idle.pop();
            self.push = Some((self.begin)(ask, connection));
            return true;
        }
        false
    }

    /// Puts together what a request says, with as many frames as it may carry.
    fn next_ask(&mut self, down: Option<u64>) -> Ask {
        self.opened = true;
        let up = self.up_next;
        let mut frames = Vec::new();
        let mut bytes = 0;
        while let Some(frame) = self.outbound.front() {
            bytes += weight(frame);
            if bytes > MAX_BODY_BYTES && !frames.is_empty() {
                break;
            }
            let Some(frame) = self.outbound.pop_front() else { break };
            self.outbound_bytes -= weight(&frame);
            frames.push(frame);
        }
        self.up_next += frames.len() as u64;
        let end = self.end != End::Open && self.outbound.is_empty();
        if end && self.end == End::Wanted {
            self.end = End::Said;
        }
        let wait = match down {
            // Nothing is waited for; an answer that does not come soon will not come.
            None => Duration::ZERO,
            Some(_) if frames.is_empty() => self.config.wait,
            Some(_) => self.config.wait.min(REACTION),
        };
        Ask { link: self.link, up, frames, end, down, wait, room: None }
    }

    fn answered(&mut self, ask: &Ask, outcome: Result<(Answer, Connection), Failure>) {
        self.reader_news = true;
        self.writer_news = true;
        let answer = match outcome {
            Ok((answer, connection)) => {
                self.idle.push(connection);
                answer
            }
            Err(failure) => return self.fail(failure),
        };
        if answer.up > self.up_next {
            let message = format!("the hub confirms frame {}, and {} is the next", answer.up, self.up_next);
            return self.lose(TransportError::Protocol(message));
        }
        self.confirm(answer.up);
        if answer.up < ask.up_after() {
            // Some were left out on a bad line, or the session on the other side reads slowly: they go
            // (again). Those behind them wait at the hub until they have come.
            self.again(ask, answer.up);
        } else if ask.end && self.end == End::Said {
            self.end = End::Confirmed;
        }
        if ask.down.is_some() {
            self.receive(answer);
        }
    }

    fn confirm(&mut self, up: u64) {
        while self.confirmed < up {
            let Some(bytes) = self.unconfirmed.pop_front() else { break };
            self.unconfirmed_bytes -= bytes;
            self.confirmed += 1;
        }
    }

    fn again(&mut self, ask: &Ask, up: u64) {
        let taken = usize::try_from(up.saturating_sub(ask.up)).unwrap_or(usize::MAX);
        let rest = ask.frames.get(taken..).unwrap_or_default().to_vec();
        let repeated = Ask { up: ask.up_after() - rest.len() as u64, frames: rest, ..ask.clone() };
        let connection = self.idle.pop();
        let asking = Some((self.begin)(Ask { down: None, ..repeated }, connection));
        if self.push.is_none() {
            self.push = asking;
        } else {
            self.exchange = asking;
        }
    }

    fn receive(&mut self, answer: Answer) {
        let after = answer.down + answer.frames.len() as u64;
        if answer.down > self.down_next {
            let message = format!("frame {} came where {} was expected", answer.down, self.down_next);
            return self.lose(TransportError::Protocol(message));
        }
        let known = usize::try_from(self.down_next - answer.down).unwrap_or(usize::MAX);
        let new = answer.frames.get(known..).unwrap_or_default();
        if !new.is_empty() {
            let bytes = new.iter().map(weight).sum::<usize>();
            self.inbound_bytes += bytes;
            self.inbound.extend(new.iter().cloned());
            self.down_next = after;
            let now = self.runtime.now().mono;
            self.linger_until = now + LONGEST_LINGER;
            // Much takes longer to be taken in. In the middle of a message, there is nothing to say.
            let until = now + self.config.linger + taking_in(bytes);
            let goes_on = new.last().is_some_and(|frame| frame.first() == Some(&0));
            self.linger = (!goes_on).then(|| self.runtime.sleep_until(until.min(self.linger_until)));
        }
        if answer.end && after == self.down_next {
            self.ended.get_or_insert(Ended::Orderly);
        }
    }

    fn fail(&mut self, failure: Failure) {
        match failure {
            // Whoever has said all has nothing to lose.
            Failure::Forgotten | Failure::Closed if self.end == End::Said && self.unconfirmed.is_empty() => {
                self.end = End::Confirmed;
                self.ended.get_or_insert(Ended::Orderly);
            }
            Failure::Forgotten => self.lose(TransportError::lost("the hub has forgotten the link")),
            Failure::Closed => self.lose(TransportError::lost("the link was closed before")),
            Failure::Broken(error) => self.lose(error),
            Failure::Refused(error) => {
                // The session ends with what the hub says, as if it had come in a frame.
                let pieces = frame::cut(&Message::Error(error.clone()), self.config.frame_limit());
                self.inbound.extend(pieces);
                self.lose(TransportError::lost(error.to_string()));
            }
        }
    }

    fn lose(&mut self, error: TransportError) {
        self.ended = Some(Ended::Lost(error));
        self.exchange = None;
        self.push = None;
        self.linger = None;
        self.idle.clear();
        self.outbound.clear();
    }
}

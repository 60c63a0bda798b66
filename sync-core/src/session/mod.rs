//! One link between two replicas, as a state machine.
//!
//! [`Session`] does no I/O and reads no clock. Inputs are methods that carry a [`Now`]; outputs
//! come from one place, [`Session::poll_output`]. The whole contract:
//!
//! **After every input, call [`poll_output`](Session::poll_output) until it answers
//! [`Output::Wait`] or [`Output::Closed`]**, and do what it says, in that order. Do the next input
//! no later than the deadline of the wait. Nothing that depends on a commit is handed out before
//! the store has replied to it.
//!
//! One side [`connect`](Session::connect)s and the other [`accept`](Session::accept)s; after the
//! handshake the two are alike. Each sends its log from where the other stands, in pushes
//! `(from, to]`, and acknowledges what its store holds durably. A lost link loses nothing: the next
//! session goes on where the stores stand.
//!
//! ```
//! use pocketsync_core::clock::Now;
//! use pocketsync_core::id::Scope;
//! use pocketsync_core::session::{Output, Session, SessionConfig};
//! use pocketsync_core::store::StoreRequest;
//!
//! let now = Now::default();
//! let mut session = Session::connect(SessionConfig::new(Scope::new("notes").unwrap()), now);
//! // The first thing that an initiator wants to know is who it is.
//! let Output::Store(_, StoreRequest::Identify { scope }) = session.poll_output() else { panic!() };
//! assert_eq!(scope.as_str(), "notes");
//! let Output::Wait(deadline) = session.poll_output() else { panic!() };
//! assert!(deadline.at.is_some());
//! ```

mod config;
mod early;
mod end;
mod event;
mod fitness;
mod giving_up;
mod handshake;
mod inbound;
mod liveness;
mod outbound;
mod refusing;

pub use config::SessionConfig;
pub use end::SessionEnd;
pub use event::{AdmitRequest, Admitted, Deadline, Event, Output, RequestId, Rights};

pub(crate) use end::wire_error;
pub(crate) use outbound::LivePush;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::clock::Now;
use crate::conflict::Seen;
use crate::id::{Scope, SiteId};
use crate::store::{ChunkOutcome, Identity, Permit, StoreError, StoreReply, StoreRequest};
use crate::wire::frame::{self, Assembler, FrameError};
use crate::wire::{ErrorCode, Hello, MIN_FRAME_BYTES, Message, PushSeen, WireError};
use early::Arrival;
use handshake::{Greeted, HANDSHAKE_MAX_BYTES, Introduced, Takes};
use inbound::Inbound;
use liveness::Liveness;
use outbound::Outbound;

/// One link between two replicas. See the [module](self) for how to run it.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    is_initiator: bool,
    /// Whether the initiator chooses the scope (at a hub).
    any_scope: bool,
    scope: Scope,
    phase: Phase,
    /// Which of the other side's changes are taken.
    permit: Arc<Permit>,
    /// The largest frame that the other side takes.
    frame_bytes: usize,
    assembler: Assembler,
    inbound: Inbound,
    /// Acceptor: what became of an early push.
    arrival: Arrival,
    /// Initiator: what was said of one before the handshake was done.
    kept_answer: Option<Message>,
    liveness: Liveness,
    outputs: VecDeque<Output>,
    asked: BTreeMap<RequestId, Asked>,
    next_request: u64,
    ended: Option<SessionEnd>,
}

#[derive(Debug)]
enum Phase {
    /// Initiator: waits for the store to say who we are.
    Identifying,
    /// Initiator: waits for what can go along with its hello.
    Greeting(Box<Identity>),
    /// Initiator: waits for the welcome.
    Greeted(Box<Greeted>),
    /// Acceptor: waits for the hello.
    Listening,
    /// Acceptor: waits for the admission.
    Admitting(Box<Hello>),
    /// Acceptor: waits for the store to say who we are.
    Recognizing(Box<Hello>, Rights),
    /// Waits for what the store makes of the introduction.
    Meeting(Box<Introduced>),
    /// Changes flow.
    Live(Box<Link>),
    /// Over.
    Ended,
}

/// What is known of the other side after the handshake.
#[derive(Debug)]
struct Link {
    peer: SiteId,
    protocol: u16,
    rights: Rights,
    /// The other side's clock against ours, where it is to be trusted.
    trusted_offset_ms: i64,
    keeps_time: bool,
    takes: Option<Takes>,
    outbound: Outbound,
}

/// What a store request was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Identify,
    Early,
    Meet,
    Extract,
    Judge,
    Apply,
    Refuse,
    Acked,
    ClockJumped,
    Announce,
}

impl Session {
    /// The side that opened the link: asks the store who it is, and introduces itself.
    pub fn connect(config: SessionConfig, now: Now) -> Session {
        let mut session = Session::new(config, true, false, Phase::Identifying, now);
        let scope = session.scope.clone();
        session.ask(Asked::Identify, StoreRequest::Identify { scope });
        session
    }

    /// The other side: waits for an introduction to the configured scope, and asks for admission.
    pub fn accept(config: SessionConfig, now: Now) -> Session {
        Session::new(config, false, false, Phase::Listening, now)
    }

    /// As [`accept`](Self::accept), for whatever scope the other side names.
    pub(crate) fn accept_any(config: SessionConfig, now: Now) -> Session {
        Session::new(config, false, true, Phase::Listening, now)
    }

    fn new(config: SessionConfig, is_initiator: bool, any_scope: bool, phase: Phase, now: Now) -> Session {
        Session {
            scope: config.scope.clone(),
            assembler: Assembler::new(HANDSHAKE_MAX_BYTES.min(config.max_message_bytes)),
            config,
            is_initiator,
            any_scope,
            phase,
            permit: Arc::new(Permit::ALL),
            frame_bytes: MIN_FRAME_BYTES,
            inbound: Inbound::default(),
            arrival: Arrival::default(),
            kept_answer: None,
            liveness: Liveness::new(now),
            outputs: VecDeque::new(),
            asked: BTreeMap::new(),
            next_request: 0,
            ended: None,
        }
    }

    /// A frame came.
    pub fn handle_frame(&mut self, now: Now, frame: Bytes) {
        if self.is_over() || self.clock_jumped(now) {
            return;
        }
        self.liveness.heard(now);
        if frame.len() > self.config.frame_bytes() {
            let message = format!("a frame of {} bytes", frame.len());
            return self.fail(ErrorCode::TooLarge, message);
        }
        match self.assembler.push(frame) {
            Ok(None) => {}
            Ok(Some(message)) => self.handle_message(now, message),
            Err(error) => {
                let code = match error {
                    FrameError::TooLarge { .. } => ErrorCode::TooLarge,
                    _ => ErrorCode::BadMessage,
                };
                self.fail(code, error.to_string());
            }
        }
    }

    fn handle_message(&mut self, now: Now, message: Message) {
        if matches!(self.phase, Phase::Live(_)) && !matches!(message, Message::Early(_)) {
            self.no_longer_early();
        }
        match message {
            Message::Hello(hello) => self.handle_hello(hello),
            Message::Welcome(welcome) => self.handle_welcome(now, welcome),
            Message::Error(error) => self.handle_error(error),
            Message::Bye => self.end(SessionEnd::Bye),
            Message::Ping(number) => self.send(&Message::Pong(number)),
            Message::Pong(_) => {}
            Message::Push(push) if self.is_introduced() => {
                self.handle_push(now, PushSeen { seen: Seen::default(), push });
            }
            Message::PushSeen(informed) if self.is_introduced() => self.handle_push(now, informed),
            Message::Ack(ack) if matches!(self.phase, Phase::Live(_)) => self.handle_ack(now, ack),
            Message::Refused(refused) if matches!(self.phase, Phase::Live(_)) => {
                self.handle_refused(now, refused);
            }
            Message::Early(early) => self.handle_early(now, early),
            Message::Ack(_) | Message::Refused(_) if self.is_introduced() => self.keep_answer(message),
            Message::Push(_) | Message::PushSeen(_) | Message::Ack(_) | Message::Refused(_) => {
                self.fail(ErrorCode::BadMessage, "changes before an introduction");
            }
        }
    }

    /// The other side gave up. If it did so because our replica came a second time, and we are still
    /// there, the second one is not us.
    fn handle_error(&mut self, error: WireError) {
        if error.code == ErrorCode::Replaced && self.is_initiator {
            let scope = self.scope.clone();
            self.ask(Asked::Announce, StoreRequest::Announce { scope });
        }
        self.end(SessionEnd::TheyFailed(error));
    }

    /// Whether the other side may push: it has seen our introduction.
    fn is_introduced(&self) -> bool {
        match self.phase {
            Phase::Live(_) => true,
            Phase::Meeting(_) => self.is_initiator,
            _ => false,
        }
    }

    /// The store's reply to a request.
    pub fn handle_store(&mut self, now: Now, id: RequestId, reply: Result<StoreReply, StoreError>) {
        let Some(asked) = self.asked.remove(&id) else { return };
        if self.is_over() || self.clock_jumped(now) {
            self.tell_late(asked, reply);
            return;
        }
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return self.fail_store(error),
        };
        match (asked, reply) {
            (Asked::Identify, StoreReply::Identity(identity)) => self.handle_identity(now, identity),
            (Asked::Early, StoreReply::Early(early)) => {
                self.handle_early_extracted(now, early.map(|early| *early));
            }
            (Asked::Meet, StoreReply::Met(met)) => self.handle_met(now, met),
            (Asked::Extract, StoreReply::Extracted(extracted)) => self.handle_extracted(now, extracted),
            (Asked::Extract, StoreReply::Ahead) => self.measure_again(),
            (Asked::Extract | Asked::Apply | Asked::Refuse | Asked::Acked, StoreReply::Moved { site }) => {
                self.fork(site)
            }
            (Asked::Judge, StoreReply::Judged(judgement)) => self.handle_judged(now, judgement),
            (Asked::Refuse, StoreReply::Refused(committed)) => self.handle_taken_out(now, committed),
            (Asked::Apply, StoreReply::Applied(outcomes)) => self.handle_applied(now, outcomes),
            (Asked::Acked, StoreReply::Done) => self.acks_reported(now),
            _ => self.fail_store_reply("a reply of the kind that was asked for"),
        }
    }

    /// The application still hears what a merge changed after the session was over.
    fn tell_late(&mut self, asked: Asked, reply: Result<StoreReply, StoreError>) {
        match (asked, reply) {
            (Asked::Apply, Ok(StoreReply::Applied(outcomes))) => {
                for outcome in outcomes {
                    if let ChunkOutcome::Applied { committed: Some(committed), .. } = outcome {
                        self.event(Event::Applied(committed));
                    }
                }
            }
            (Asked::Refuse, Ok(StoreReply::Refused(Some(committed)))) => {
                self.event(Event::Applied(committed))
            }
            _ => {}
        }
    }

    /// Time has passed; at the latest when [`Output::Wait`] said so.
    pub fn handle_timeout(&mut self, now: Now) {
        if !self.is_over() && !self.clock_jumped(now) {
            self.check_liveness(now);
            self.pump_outbound(now);
        }
    }

    /// The link is gone.
    pub fn handle_lost(&mut self, now: Now, reason: &str) {
        self.liveness.observe(now);
        if !self.is_over() {
            self.end(SessionEnd::Lost(reason.to_owned()));
        }
        self.outputs.retain(|output| !matches!(output, Output::Transmit(_)));
    }

    /// Our replica has something new, or may have: extracts and sends it.
    pub fn local_changed(&mut self, now: Now) {
        if !self.is_over() && !self.clock_jumped(now) {
            self.want_extract();
            self.pump_outbound(now);
        }
    }

    /// Says goodbye, and ends.
    pub fn close(&mut self, now: Now) {
        self.liveness.observe(now);
        if !self.is_over() {
            self.send(&Message::Bye);
            self.end(SessionEnd::Bye);
        }
    }

    /// What to do next. Call until it answers [`Output::Wait`] or [`Output::Closed`].
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        match &self.ended {
            Some(end) if self.asked.is_empty() => Output::Closed(end.clone()),
            Some(_) => Output::Wait(Deadline { at: None, reason: "the store has not answered yet" }),
            None => {
                let live = matches!(self.phase, Phase::Live(_));
                Output::Wait(self.liveness.deadline(&self.config, live))
            }
        }
    }

    /// The other replica, once the handshake is done.
    pub fn peer(&self) -> Option<SiteId> {
        match &self.phase {
            Phase::Live(link) => Some(link.peer),
            _ => None,
        }
    }

    /// Bytes of pushes that were handed out and are not acknowledged.
    pub fn in_flight_bytes(&self) -> usize {
        match &self.phase {
            Phase::Live(link) => link.outbound.in_flight_bytes(),
            _ => 0,
        }
    }

    /// Whether the session has ended, though its store may still owe it an answer.
    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    fn send(&mut self, message: &Message) {
        for frame in frame::cut(message, self.frame_bytes) {
            self.transmit(frame);
        }
    }

    fn transmit(&mut self, frame: Bytes) {
        self.outputs.push_back(Output::Transmit(frame));
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn ask(&mut self, asked: Asked, request: StoreRequest) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.asked.insert(id, asked);
        self.outputs.push_back(Output::Store(id, request));
    }
}

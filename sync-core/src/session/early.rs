//! Pushing along with the introduction.
//!
//! ```text
//! initiator                                acceptor
//! Identify, Early ── Hello, Early ───────▶ Admit, Identify, Meet
//! Meet ◀─────────── Welcome, Push …, Ack ── Apply, Extract
//! ```
//!
//! A device that comes back knows what the hub lacks, unless something has happened to one of them. So it says that
//! along with its [`Hello`], and both have everything after one round trip. What must hold:
//!
//! * **An early push is a push after the welcome, or nothing.** Both sides decide that from the same words, the hello,
//!   the early push and the welcome, by one function, [`EarlyPush::is_taken`]; so nobody has to be told, and it does not
//!   matter whether the push arrives before or after the acceptor knows its answer. What is taken goes the way of every
//!   push: rights, limits, clock, window, refusal. What is not is dropped, and the initiator begins where the welcome says.
//! * **A fork is found as without it.** Whoever was restored or cloned has another position at the acceptor, or is known
//!   for more than it says to have offered *before* the push; either way nothing is taken. The initiator's store compares
//!   with the same marks ([`store`](crate::store)), so its own early push hides nothing from it.
//! * **Versions that need correction are not sent early.** The store gives something only where the clocks were compared in
//!   this opening, no longer than a day ago, and neither was set since: what a session that had never ended would go by.
//! * **Whoever does not know early pushes gets none.** They go to a replica whose last session spoke a version that has
//!   them. If another one answers after all, the session ends, and the store gives nothing before the next meeting. So
//!   it does after a link that broke: one that never lives long makes progress in small pieces, as ever.
//! * **Nobody holds more for strangers.** Until the welcome an acceptor keeps one early push, of at most half of what a
//!   message of the handshake may have, and has the other half for what follows.

use super::handshake::{Greeted, HANDSHAKE_MAX_BYTES};
use super::{Asked, Phase, Session};
use crate::clock::Now;
use crate::id::SiteId;
use crate::lineage::{Cursor, Lineage};
use crate::store::{Early, Holding, Identity, StoreRequest};
use crate::wire::{
    Body, EarlyPush, ErrorCode, MAX_PIECE_BYTES, MIN_FRAME_BYTES, Message, Push, PushSeen, frame,
};

/// The first protocol version whose initiators may push along with their introduction.
pub(super) const EARLY_PROTOCOL: u16 = 4;

/// How long an early push may be, as a message.
pub(super) const EARLY_MAX_BYTES: usize = HANDSHAKE_MAX_BYTES / 2;

/// How many of the link's largest frames an early push may fill: a link with small ones is slow, and a session begins with
/// little.
const EARLY_FRAMES: usize = 4;

/// What an initiator sent along with its hello.
#[derive(Debug)]
pub(super) struct Ahead {
    pub(super) early: EarlyPush,
    /// What the hello told it holds of whom that is for.
    pub(super) told: Cursor,
}

/// An acceptor's answer, as far as it decides about an early push.
#[derive(Debug)]
pub(super) struct Answer {
    /// What the hello told is held of us.
    told: Cursor,
    site: SiteId,
    holding: Holding,
    resumes: Cursor,
}

impl Answer {
    pub(super) fn new(told: Cursor, site: SiteId, holding: &Holding, resumes: Cursor) -> Self {
        // Sessions are long, and lineages need not be kept for what comes at their beginning or never.
        let holding = Holding { cursor: holding.cursor.clone(), lineage: Lineage::default(), ..*holding };
        Answer { told, site, holding, resumes }
    }
}

/// An acceptor's view of the one early push that there may be.
#[derive(Debug, Default)]
pub(super) enum Arrival {
    /// None came, and there is no answer yet that decides about it.
    #[default]
    Open,
    /// It came before the answer.
    Waits(Box<EarlyPush>),
    /// It may still come.
    Answered(Box<Answer>),
    /// It came, or something came that comes later.
    Over,
}

impl Session {
    /// We know who we are. What could go along with the introduction?
    pub(super) fn prepare_greeting(&mut self, now: Now, identity: Identity) {
        let config = &self.config;
        let for_link = config.frame_bytes().saturating_mul(EARLY_FRAMES);
        let most = config.early_bytes.min(config.window_bytes).min(for_link).min(MAX_PIECE_BYTES);
        if !identity.may_be_early || most == 0 {
            return self.greet(now, identity, None);
        }
        let request =
            StoreRequest::Early { scope: self.scope.clone(), site: identity.site, now, max_bytes: most };
        self.phase = Phase::Greeting(Box::new(identity));
        self.ask(Asked::Early, request);
    }

    pub(super) fn handle_early_extracted(&mut self, now: Now, early: Option<Early>) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Greeting(identity) => self.greet(now, *identity, early),
            other => self.phase = other,
        }
    }

    /// Introduces ourselves, and says what may be said early.
    fn greet(&mut self, now: Now, identity: Identity, early: Option<Early>) {
        let site = identity.site;
        let ahead = early.map(|Early { peer, from, offered, extracted }| {
            let held = identity.holdings.iter().find(|holding| holding.replica == peer);
            let told = held.map_or(Cursor::ZERO, |holding| holding.cursor.clone());
            let body = Body::seal(&extracted.changeset, false);
            let push = Push { from, to: extracted.to, last: extracted.last, body };
            let informed = PushSeen { seen: extracted.seen, push };
            Ahead { early: EarlyPush { peer, offered, informed }, told }
        });
        self.introduce(now, identity);
        let ahead = ahead.filter(|ahead| self.send_early(&ahead.early));
        self.phase = Phase::Greeted(Box::new(Greeted { site, at: now.mono, ahead }));
    }

    /// Says whether it is short enough.
    fn send_early(&mut self, early: &EarlyPush) -> bool {
        let frames = frame::cut(&Message::Early(early.clone()), MIN_FRAME_BYTES);
        let is_short = frames.iter().map(|frame| frame.len()).sum::<usize>() <= EARLY_MAX_BYTES;
        if is_short {
            frames.into_iter().for_each(|frame| self.transmit(frame));
        }
        is_short
    }

    /// The initiator pushed along with its hello. It may come before our answer, and behind it.
    pub(super) fn handle_early(&mut self, now: Now, early: EarlyPush) {
        let protocol = match &self.phase {
            _ if self.is_initiator => 0,
            Phase::Admitting(hello) | Phase::Recognizing(hello, _) => hello.protocol,
            Phase::Meeting(introduced) => introduced.protocol,
            Phase::Live(link) => link.protocol,
            _ => 0,
        };
        match std::mem::replace(&mut self.arrival, Arrival::Over) {
            Arrival::Open if protocol >= EARLY_PROTOCOL => self.arrival = Arrival::Waits(Box::new(early)),
            Arrival::Answered(answer) if protocol >= EARLY_PROTOCOL => {
                self.take_if_it_fits(now, &answer, early);
            }
            _ => self.fail(ErrorCode::BadMessage, "an early push out of place"),
        }
    }

    /// The initiator has our answer.
    pub(super) fn decide_about_early(&mut self, now: Now, answer: Answer) {
        match std::mem::replace(&mut self.arrival, Arrival::Over) {
            Arrival::Open => self.arrival = Arrival::Answered(Box::new(answer)),
            Arrival::Waits(early) => self.take_if_it_fits(now, &answer, *early),
            Arrival::Answered(_) | Arrival::Over => {}
        }
    }

    fn take_if_it_fits(&mut self, now: Now, answer: &Answer, early: EarlyPush) {
        if early.is_taken(&answer.told, answer.site, &answer.holding, &answer.resumes) {
            self.handle_push(now, early.informed);
        }
    }

    /// Something came that comes behind the welcome.
    pub(super) fn no_longer_early(&mut self) {
        self.arrival = Arrival::Over;
    }

    /// What the acceptor says of an early push that it took may come before our store has made something of its
    /// welcome. It is one message.
    pub(super) fn keep_answer(&mut self, message: Message) {
        let went_ahead = match &self.phase {
            Phase::Meeting(introduced) => introduced.ahead.is_some(),
            _ => false,
        };
        if !went_ahead || self.kept_answer.is_some() {
            return self.fail(ErrorCode::BadMessage, "changes before an introduction");
        }
        self.kept_answer = Some(message);
    }
}

//! One session, against an other side and a store that do as they please.
//!
//! An honest replica is at the other end, but frames are lost, repeated, spoiled and made up on
//! the way, the store answers late, out of turn or not at all, and clocks jump. Whatever comes:
//!
//! * no panic; after every input a bounded number of outputs, and then Wait or Closed;
//! * nothing is said that the store did not say before;
//! * what goes along with a hello was extracted for that, once, and was short;
//! * no more than one store request of a kind is open, and what is under way keeps to the window;
//! * when a deadline has passed, the next one is later;
//! * once lost, nothing is sent; once all is answered, the session closes, and stays closed.

use std::collections::VecDeque;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use pocketsync_core::Bytes;
use pocketsync_core::clock::Now;
use pocketsync_core::id::Scope;
use pocketsync_core::lineage::{Cursor, Stamp};
use pocketsync_core::session::{Admitted, Output, RequestId, Rights, Session, SessionConfig};
use pocketsync_core::store::{
    ChunkOutcome, MemoryStore, Store, StoreError, StoreErrorKind, StoreReply, StoreRequest,
};
use pocketsync_core::value::Value;
use pocketsync_core::wire::frame::{Assembler, cut};
use pocketsync_core::wire::{Body, ErrorCode, Message, PushSeen, WireError};

use crate::draw::messages::{Known, spoiled};
use crate::draw::values::{NOON_MS, nth_site};
use crate::draw::{Input, Result};

/// More outputs than any one input gives here: frames of 256 bytes for all that a window holds.
const MAX_OUTPUTS: usize = 4096;
const WINDOW_BYTES: usize = 8 << 10;
const CHUNK_BYTES: usize = 4 << 10;

/// Runs a script of inputs, drawn from the data.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    // The script ends where the data does.
    let _ = script(&mut u);
}

fn script(u: &mut Input<'_>) -> Result<()> {
    let mut rig = Rig::new(u)?;
    rig.drain();
    while !u.is_empty() {
        rig.step(u)?;
    }
    rig.end();
    Ok(())
}

fn scope() -> Scope {
    Scope::new("notes").expect("a name")
}

fn config(u: &mut Input<'_>) -> Result<SessionConfig> {
    let mut config = SessionConfig::new(scope());
    config.max_frame_bytes = *u.choose(&[1 << 20, 256])?;
    config.window_bytes = WINDOW_BYTES;
    config.chunk_bytes = CHUNK_BYTES;
    config.max_message_bytes = 64 << 10;
    config.keeps_time = u.arbitrary()?;
    config.compression = u.arbitrary()?;
    Ok(config)
}

/// What the store has told the session, and the session may say on.
#[derive(Default)]
struct Told {
    identity: bool,
    met: bool,
    judged: bool,
    held: Vec<Cursor>,
    extracted: Vec<Cursor>,
    early: Option<Cursor>,
    /// How many frames came that may have asked whether we are there.
    pings: usize,
}

struct Rig {
    session: Session,
    store: MemoryStore,
    now: Now,
    asked: VecDeque<(RequestId, StoreRequest)>,
    admits: usize,
    told: Told,
    said: Assembler,
    /// The other side, whose store answers at once.
    peer: Session,
    peer_store: MemoryStore,
    to_peer: VecDeque<Bytes>,
    to_us: VecDeque<Bytes>,
    known: Known,
    is_lost: bool,
    is_done: bool,
    is_closed: bool,
}

impl Rig {
    fn new(u: &mut Input<'_>) -> Result<Self> {
        let now = Now { mono: Duration::from_secs(1), wall_ms: NOON_MS };
        let store = |n: u8, is_hub: bool| match is_hub {
            true => MemoryStore::hub(nth_site(n), Stamp(u64::from(n))),
            false => MemoryStore::device(nth_site(n), Stamp(u64::from(n))),
        };
        let (ours, theirs) = (config(u)?, config(u)?);
        let connects: bool = u.arbitrary()?;
        let is_hub = !connects && u.arbitrary()?;
        let (mut our_store, mut peer_store) = (store(1, is_hub), store(2, false));
        if u.arbitrary()? {
            match connects {
                true => have_met(u, &mut our_store, &mut peer_store, now)?,
                false => have_met(u, &mut peer_store, &mut our_store, now)?,
            }
        }
        let (session, peer) = match connects {
            true => (Session::connect(ours, now), Session::accept(theirs, now)),
            false => (Session::accept(ours, now), Session::connect(theirs, now)),
        };
        Ok(Rig {
            session,
            store: our_store,
            now,
            asked: VecDeque::new(),
            admits: 0,
            told: Told::default(),
            said: Assembler::new(1 << 20),
            peer,
            peer_store,
            to_peer: VecDeque::new(),
            to_us: VecDeque::new(),
            known: Known::default(),
            is_lost: false,
            is_done: false,
            is_closed: false,
        })
    }

    fn step(&mut self, u: &mut Input<'_>) -> Result<()> {
        match u.int_in_range(0..=23u8)? {
            0..=5 => {
                if let Some(frame) = self.to_us.pop_front() {
                    self.frame(frame);
                }
            }
            6 => drop(self.to_us.pop_front()),
            7 => self.to_us.extend(self.to_us.front().cloned()),
            8 => self.to_us.rotate_left(usize::from(self.to_us.len() > 1)),
            9 => {
                let frame = spoiled(u, self.to_us.front())?;
                self.frame(frame);
            }
            10 | 11 => self.invent(u)?,
            12..=15 => self.answer(u)?,
            16 | 17 => self.admit(u)?,
            18 => self.pass(u)?,
            19 => {
                write(&mut self.store, u, self.now)?;
                self.session.local_changed(self.now);
            }
            20 => {
                write(&mut self.peer_store, u, self.now)?;
                self.peer.local_changed(self.now);
            }
            21 | 22 => self.peer_step(u)?,
            _ => self.finish_link(u)?,
        }
        self.drain();
        Ok(())
    }

    fn frame(&mut self, frame: Bytes) {
        // At most one question a frame.
        self.told.pings += 1;
        self.session.handle_frame(self.now, frame);
    }

    /// Says what nobody said, in frames, of which the last may be missing.
    fn invent(&mut self, u: &mut Input<'_>) -> Result<()> {
        let message = self.known.message(u, &scope())?;
        let mut frames = cut(&message, *u.choose(&[1 << 20, 256])?);
        if u.ratio(1, 16u8)? {
            frames.pop();
        }
        if u.ratio(1, 4u8)? {
            self.to_us.extend(frames);
        } else {
            frames.into_iter().for_each(|frame| self.frame(frame));
        }
        Ok(())
    }

    /// The store answers one of the open requests, as it should or not.
    fn answer(&mut self, u: &mut Input<'_>) -> Result<()> {
        if self.asked.is_empty() {
            return Ok(());
        }
        let at = u.choose_index(self.asked.len())?;
        let Some((id, request)) = self.asked.remove(at) else { return Ok(()) };
        let reply = match u.int_in_range(0..=15u8)? {
            0 => Err(StoreError::new(StoreErrorKind::Busy, "made up")),
            1 => Ok(StoreReply::Done),
            2 => Ok(StoreReply::Applied(vec![ChunkOutcome::Gap { held: Cursor::ZERO }])),
            _ => self.store.run(request),
        };
        self.reply(id, reply);
        Ok(())
    }

    fn reply(&mut self, id: RequestId, reply: std::result::Result<StoreReply, StoreError>) {
        match &reply {
            Ok(StoreReply::Identity(_)) => self.told.identity = true,
            Ok(StoreReply::Met(_)) => self.told.met = true,
            Ok(StoreReply::Judged(Some(_))) => self.told.judged = true,
            Ok(StoreReply::Early(Some(early))) => {
                self.told.early = Some(early.extracted.to.clone());
            }
            Ok(StoreReply::Extracted(extracted)) => self.told.extracted.push(extracted.to.clone()),
            Ok(StoreReply::Applied(outcomes)) => {
                let held = outcomes.iter().filter_map(|outcome| match outcome {
                    ChunkOutcome::Staged { held } | ChunkOutcome::Applied { held, .. } => Some(held.clone()),
                    _ => None,
                });
                self.told.held.extend(held);
            }
            _ => {}
        }
        self.session.handle_store(self.now, id, reply);
    }

    fn admit(&mut self, u: &mut Input<'_>) -> Result<()> {
        if self.admits == 0 && !u.ratio(1, 8u8)? {
            return Ok(());
        }
        self.admits = self.admits.saturating_sub(1);
        let verdict = if u.ratio(1, 8u8)? {
            Err(WireError { code: ErrorCode::Forbidden, message: String::new(), retry_after_ms: None })
        } else {
            let rights =
                Rights { read: !u.ratio(1, 8u8)?, write: !u.ratio(1, 8u8)?, relay: !u.ratio(1, 8u8)? };
            let admitted = Admitted::new("somebody", rights);
            Ok(if u.ratio(1, 8u8)? { admitted.writing(["note"]) } else { admitted })
        };
        self.session.handle_admission(self.now, verdict);
        Ok(())
    }

    /// Time goes on, and sometimes somebody sets the clock.
    fn pass(&mut self, u: &mut Input<'_>) -> Result<()> {
        let ms = *u.choose(&[0, 1, 400, 5_000, 15_000, 20_000, 60_000])?;
        self.now.mono += Duration::from_millis(ms);
        self.now.wall_ms = self.now.wall_ms.saturating_add(ms);
        if u.ratio(1, 8u8)? {
            self.now.wall_ms = if u.arbitrary()? { u.arbitrary()? } else { NOON_MS };
        }
        self.session.handle_timeout(self.now);
        self.peer.handle_timeout(self.now);
        match self.drain() {
            Some(at) => assert!(at > self.now.mono, "a deadline that has passed is set again"),
            None => assert!(self.is_done, "a session that nothing wakes"),
        }
        Ok(())
    }

    /// What we sent arrives, and the other side does its part.
    fn peer_step(&mut self, u: &mut Input<'_>) -> Result<()> {
        match u.int_in_range(0..=7u8)? {
            0 => drop(self.to_peer.pop_front()),
            _ => {
                for frame in std::mem::take(&mut self.to_peer) {
                    self.peer.handle_frame(self.now, frame);
                }
            }
        }
        loop {
            match self.peer.poll_output() {
                Output::Transmit(frame) => self.to_us.push_back(frame),
                Output::Store(id, request) => {
                    let reply = self.peer_store.run(request);
                    self.peer.handle_store(self.now, id, reply);
                }
                Output::Admit(_) => {
                    let admitted = Admitted::new("us", Rights::ALL);
                    self.peer.handle_admission(self.now, Ok(admitted));
                }
                Output::Wait(_) | Output::Closed(_) => return Ok(()),
                _ => {}
            }
        }
    }

    fn finish_link(&mut self, u: &mut Input<'_>) -> Result<()> {
        match u.int_in_range(0..=7u8)? {
            0 => {
                self.session.handle_lost(self.now, "made up");
                self.is_lost = true;
            }
            1 => self.session.close(self.now),
            _ => {}
        }
        Ok(())
    }

    /// Takes the outputs, and says when the session wants to be woken.
    fn drain(&mut self) -> Option<Duration> {
        for _ in 0..MAX_OUTPUTS {
            match self.session.poll_output() {
                Output::Transmit(frame) => self.transmitted(frame),
                Output::Store(id, request) => {
                    assert!(!self.is_closed);
                    self.asked.push_back((id, request));
                    self.check_requests();
                }
                Output::Admit(_) => self.admits += 1,
                Output::Event(_) => assert!(!self.is_closed),
                Output::Wait(deadline) => {
                    assert!(!self.is_closed, "closed, and open again");
                    assert_eq!(self.session.is_over(), deadline.at.is_none());
                    self.is_done = deadline.at.is_none();
                    assert!(self.session.in_flight_bytes() <= WINDOW_BYTES + 2 * CHUNK_BYTES);
                    return deadline.at;
                }
                Output::Closed(_) => {
                    assert!(self.asked.is_empty(), "closed before the store has answered");
                    (self.is_closed, self.is_done) = (true, true);
                    return None;
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("the outputs do not end");
    }

    /// Everything that is said was told by the store before.
    fn transmitted(&mut self, frame: Bytes) {
        assert!(!self.is_lost, "something is sent on a lost link");
        assert!(!self.is_closed);
        self.to_peer.push_back(frame.clone());
        let Some(message) = self.said.push(frame).expect("a session says what can be read") else { return };
        self.known.hear(&message);
        match &message {
            Message::Hello(_) => assert!(self.told.identity),
            Message::Welcome(_) => assert!(self.told.met),
            Message::Push(push) | Message::PushSeen(PushSeen { push, .. }) => {
                assert!(self.told.met);
                // Who may not read is told that there is nothing more, and nothing besides.
                let says_nothing = push.last && push.from == push.to && push.body == Body::Empty;
                if !says_nothing || self.told.extracted.contains(&push.to) {
                    let at = self.told.extracted.iter().position(|to| *to == push.to);
                    self.told.extracted.swap_remove(at.expect("a push of what was not extracted"));
                }
            }
            Message::Early(early) => {
                let was = self.told.early.take();
                assert_eq!(was.as_ref(), Some(&early.informed.push.to), "early, and not extracted for that");
                assert!(!self.told.met, "an early push behind the welcome");
            }
            Message::Ack(ack) => assert!(self.told.held.contains(&ack.cursor), "{ack:?} is not held"),
            Message::Pong(_) => {
                self.told.pings = self.told.pings.checked_sub(1).expect("an answer that nobody asked for");
            }
            Message::Error(_) | Message::Bye => assert!(self.session.is_over()),
            Message::Refused(_) => assert!(self.told.judged, "a refusal that the store knows nothing of"),
            Message::Ping(_) => {}
        }
    }

    fn check_requests(&self) {
        let kinds: Vec<Discriminant<StoreRequest>> =
            self.asked.iter().map(|(_, request)| discriminant(request)).collect();
        for (at, kind) in kinds.iter().enumerate() {
            assert!(!kinds[..at].contains(kind), "two requests of a kind: {:?}", self.asked);
        }
        if let Some((_, StoreRequest::Apply { chunks, .. })) = self.asked.back() {
            assert!(chunks.len() <= 64);
        }
    }

    /// The link goes, the store answers all that it owes, and the session closes.
    fn end(&mut self) {
        self.session.handle_lost(self.now, "the end");
        self.is_lost = true;
        self.drain();
        while let Some((id, request)) = self.asked.pop_front() {
            let reply = self.store.run(request);
            self.reply(id, reply);
            self.drain();
        }
        assert!(self.is_closed, "everything is answered, and the session does not close");
        self.session.handle_frame(self.now, Bytes::from_static(b"\x01late"));
        self.session.handle_timeout(self.now);
        self.session.local_changed(self.now);
        self.drain();
    }
}

/// The two have met, so that the one who calls has something to say along with its introduction; a copy of its file
/// may have met the other one since.
fn have_met(u: &mut Input<'_>, caller: &mut MemoryStore, called: &mut MemoryStore, now: Now) -> Result<()> {
    write(caller, u, now)?;
    meet(caller, called, now);
    if u.arbitrary()? {
        let mut copy = caller.clone();
        copy.reopen(Stamp(9));
        write(&mut copy, u, now)?;
        meet(&mut copy, called, now);
    }
    write(caller, u, now)
}

/// A whole session in which nothing goes wrong.
fn meet(caller: &mut MemoryStore, called: &mut MemoryStore, now: Now) {
    let mut keeps_time = SessionConfig::new(scope());
    keeps_time.keeps_time = true;
    let mut sessions = [Session::connect(SessionConfig::new(scope()), now), Session::accept(keeps_time, now)];
    let stores = [caller, called];
    let mut waiting = 0;
    for side in [0, 1].into_iter().cycle() {
        match sessions[side].poll_output() {
            Output::Transmit(frame) => sessions[1 - side].handle_frame(now, frame),
            Output::Store(id, request) => {
                let reply = stores[side].run(request);
                sessions[side].handle_store(now, id, reply);
            }
            Output::Admit(_) => {
                sessions[side].handle_admission(now, Ok(Admitted::new("caller", Rights::ALL)));
            }
            Output::Wait(_) | Output::Closed(_) => {
                waiting += 1;
                if waiting == 4 {
                    return;
                }
                continue;
            }
            _ => {}
        }
        waiting = 0;
    }
}

fn write(store: &mut MemoryStore, u: &mut Input<'_>, now: Now) -> Result<()> {
    let (rows, len): (u8, u8) = (u.int_in_range(1..=3)?, u.arbitrary()?);
    let text = Value::Blob(vec![len; usize::from(len) * usize::from(len) / 16]);
    store.write(&scope(), now.wall_ms, |tx| {
        for _ in 0..rows {
            tx.insert("note", &[("text", text.clone())]);
        }
    });
    Ok(())
}

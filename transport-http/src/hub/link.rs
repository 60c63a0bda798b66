//! One link: what survives between its requests.
//!
//! Frames are numbered from 0 in each direction. Up, the hub counts what it took, and passes over what
//! comes again. Down, it keeps every frame until a request says that it arrived. So a request can be
//! repeated any number of times, and nothing is lost or delivered twice.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use http::StatusCode;
use pocketsync_core::runtime::Runtime;

use super::HttpHubOptions;
use super::budget::Budget;
use crate::exchange::{Answer, Ask, FRAME_OVERHEAD, LinkId};
use crate::problem::{Problem, code};

/// What is left of a link's share where the hub as a whole has too much waiting.
const SCANT_BYTES: usize = 64 << 10;

/// What a session has to say to frames, it begins to say within this time, as a rule.
const REACTION: Duration = Duration::from_millis(50);

/// An answer to frames waits for more for this many times [`HttpHubOptions::linger`] at most.
const MAX_LINGERS: u32 = 10;

pub(super) struct Link {
    id: LinkId,
    /// Whom the host's own authentication took the client for.
    identity: Option<String>,
    options: Arc<HttpHubOptions>,
    budget: Arc<Budget>,
    runtime: Arc<dyn Runtime>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Frames that the session has not read.
    inbound: VecDeque<Bytes>,
    inbound_bytes: usize,
    /// The number of the next frame up.
    up_next: u64,
    up_end: bool,
    /// Frames that the client has not confirmed.
    outbound: VecDeque<Bytes>,
    outbound_bytes: usize,
    /// The number of the first of them.
    down_first: u64,
    down_end: bool,
    /// The newest request that wants frames; it alone is given any.
    newest: u64,
    requests: usize,
    /// When there was last a request.
    quiet_since: Duration,
    life: Life,
    reader: Option<Waker>,
    writer: Option<Waker>,
    waiting: Vec<Waker>,
    /// To be woken once nobody holds the lock.
    wake: Vec<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Life {
    /// The session holds its end.
    #[default]
    Open,
    /// The session has gone in good order; what it said last may not have arrived.
    Left,
    /// It is over, and whoever asks is told so.
    Gone,
}

fn weight(frame: &Bytes) -> usize {
    frame.len() + FRAME_OVERHEAD
}

impl State {
    fn wake_reader(&mut self) {
        self.wake.extend(self.reader.take());
    }

    fn wake_writer(&mut self) {
        self.wake.extend(self.writer.take());
    }

    fn wake_requests(&mut self) {
        let mut waiting = mem::take(&mut self.waiting);
        self.wake.append(&mut waiting);
    }

    /// Whether the session has gone without an end. One that both sides have ended may be gone while its
    /// last request still is to be answered.
    fn is_lost(&self) -> bool {
        self.life == Life::Gone && !(self.up_end && self.down_end)
    }

    fn down_after(&self) -> u64 {
        self.down_first + self.outbound.len() as u64
    }
}

/// What became of a request's frames.
enum Taken {
    All,
    /// Frames before them have not come.
    Early,
    /// The session has not read what came before.
    NoRoom,
}

/// What the session finds when it reads.
pub(super) enum Read {
    Frame(Bytes),
    End,
    /// The link is lost; why.
    Lost(&'static str),
    /// Nothing yet; when the link will have been idle for too long, unless a request comes.
    Nothing(Option<Duration>),
}

impl Link {
    pub(super) fn new(
        id: LinkId,
        identity: Option<String>,
        options: Arc<HttpHubOptions>,
        budget: Arc<Budget>,
        runtime: Arc<dyn Runtime>,
    ) -> Self {
        let state = State { quiet_since: runtime.now().mono, ..State::default() };
        Link { id, identity, options, budget, runtime, state: Mutex::new(state) }
    }

    pub(super) fn id(&self) -> LinkId {
        self.id
    }

    pub(super) fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    pub(super) fn max_frame_bytes(&self) -> usize {
        self.options.max_frame_bytes
    }

    pub(super) fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    /// Changes the state, and wakes whom that concerns.
    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = change(&mut state);
        let wake = mem::take(&mut state.wake);
        drop(state);
        wake.into_iter().for_each(Waker::wake);
        outcome
    }

    /// Waits until `check` finds something, or `deadline`.
    async fn until<T>(
        &self,
        deadline: Duration,
        mut check: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut timeout = self.runtime.sleep_until(deadline);
        poll_fn(|cx| {
            let found = self.update(|state| {
                let found = check(state);
                if found.is_none() && !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    state.waiting.push(cx.waker().clone());
                }
                found
            });
            match found {
                Some(found) => Poll::Ready(Some(found)),
                None => timeout.poll_unpin(cx).map(|()| None),
            }
        })
        .await
    }

    /// Answers one request.
    pub(super) async fn exchange(self: &Arc<Self>, ask: &Ask) -> Result<Answer, Problem> {
        let _under_way = self.begin()?;
        let mut deadline = self.runtime.now().mono + ask.wait.min(self.options.max_wait);
        if !self.take_in(ask).await? {
            // The client hears at once that it has to send them again.
            deadline = Duration::ZERO;
        }
        let Some(down) = ask.down else {
            return self.update(|state| Ok(Answer { up: state.up_next, ..Answer::default() }));
        };
        let turn = self.confirm(down)?;
        self.wait_for_frames(turn, deadline, ask).await?;
        self.update(|state| self.answer(state, turn, down, ask.room))
    }

    fn begin(self: &Arc<Self>) -> Result<UnderWay, Problem> {
        self.update(|state| {
            if state.requests >= self.options.max_requests_per_link {
                let detail = format!("{} requests of this link are under way already", state.requests);
                return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, code::TOO_MANY_REQUESTS, detail)
                    .retry_after(Duration::from_secs(1)));
            }
            state.requests += 1;
            Ok(UnderWay(Arc::clone(self)))
        })
    }

    /// Gives the session the frames that it has not had, once those before them are there. Says
    /// whether it could: where the session does not read, the answer tells that they were not taken.
    async fn take_in(&self, ask: &Ask) -> Result<bool, Problem> {
        let hold_until = self.runtime.now().mono + self.options.hold_timeout;
        let mut early = false;
        let taken = self
            .until(hold_until, |state| match self.take(state, ask) {
                Err(problem) => Some(Err(problem)),
                Ok(Taken::All) => Some(Ok(true)),
                Ok(not_yet) => {
                    early = matches!(not_yet, Taken::Early);
                    None
                }
            })
            .await;
        match taken {
            Some(outcome) => outcome,
            None if !early => Ok(false),
            None => {
                let next = self.update(|state| state.up_next);
                let detail = format!("the frames begin at {}, and {next} has not come", ask.up);
                Err(Problem::new(StatusCode::CONFLICT, code::FRAMES_MISSING, detail))
            }
        }
    }

    fn take(&self, state: &mut State, ask: &Ask) -> Result<Taken, Problem> {
        if state.is_lost() {
            return Err(unknown());
        }
        let Some(known) = state.up_next.checked_sub(ask.up) else { return Ok(Taken::Early) };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let new = ask.frames.get(known..).unwrap_or_default();
        if !new.is_empty() {
            if state.up_end {
                return Err(out_of_step("frames after the end".to_owned()));
            }
            let bytes: usize = new.iter().map(weight).sum();
            let has_room = state.inbound_bytes + bytes <= self.options.max_link_bytes;
            if !has_room && !state.inbound.is_empty() {
                return Ok(Taken::NoRoom);
            }
            state.up_next += new.len() as u64;
            if state.life == Life::Open {
                self.budget.take(bytes);
                state.inbound_bytes += bytes;
                state.inbound.extend(new.iter().cloned());
            }
        }
        if ask.end && !state.up_end {
            if ask.up_after() < state.up_next {
                return Err(out_of_step("an end before the last frame".to_owned()));
            }
            state.up_end = true;
            state.wake_writer();
        }
        state.wake_reader();
        state.wake_requests();
        Ok(Taken::All)
    }

    /// Drops what has arrived, and makes this the request that is given what comes.
    fn confirm(&self, down: u64) -> Result<u64, Problem> {
        self.update(|state| {
            if down > state.down_after() {
                let detail = format!("frame {down} is asked for, and {} is the next", state.down_after());
                return Err(out_of_step(detail));
            }
            let Some(confirmed) = down.checked_sub(state.down_first) else {
                let detail = format!("frame {down} is asked for, and was confirmed before");
                return Err(out_of_step(detail));
            };
            for _ in 0..confirmed {
                let Some(frame) = state.outbound.pop_front() else { break };
                state.outbound_bytes -= weight(&frame);
                self.budget.give(weight(&frame));
            }
            state.down_first = down;
            state.newest += 1;
            state.wake_writer();
            state.wake_requests();
            Ok(state.newest)
        })
    }

    async fn wait_for_frames(&self, turn: u64, deadline: Duration, ask: &Ask) -> Result<(), Problem> {
        let began = self.runtime.now().mono;
        let something = |state: &mut State| {
            if state.is_lost() {
                return Some(Err(unknown()));
            }
            let overtaken = state.newest != turn;
            (overtaken || state.down_end || !state.outbound.is_empty()).then_some(Ok(()))
        };
        match self.until(deadline, something).await {
            Some(outcome) => outcome?,
            None => return Ok(()),
        }
        // What comes later is no answer to the request's frames, but news that nobody should wait for. A
        // session's first words may take longer.
        let soon = self.runtime.now().mono < began + REACTION;
        if ask.frames.is_empty() || !(soon || ask.up == 0) {
            return Ok(());
        }
        for _ in 0..MAX_LINGERS {
            let queued = self.update(|state| state.down_after());
            let until = self.runtime.now().mono + self.options.linger;
            let enough = |state: &mut State| {
                let full = state.outbound_bytes >= self.options.max_answer_bytes;
                (full || state.down_end || state.newest != turn || state.life == Life::Gone).then_some(())
            };
            let enough = self.until(until, enough).await;
            if enough.is_some() || self.update(|state| state.down_after()) == queued {
                break;
            }
        }
        Ok(())
    }

    fn answer(&self, state: &mut State, turn: u64, down: u64, room: Option<u64>) -> Result<Answer, Problem> {
        let room = room.map_or(usize::MAX, |room| usize::try_from(room).unwrap_or(usize::MAX));
        let limit = self.options.max_answer_bytes.min(room);
        if state.is_lost() {
            return Err(unknown());
        }
        let mut answer = Answer { up: state.up_next, down, ..Answer::default() };
        if state.newest != turn {
            return Ok(answer);
        }
        let mut bytes = 0;
        for frame in &state.outbound {
            bytes += weight(frame);
            if bytes > limit && !answer.frames.is_empty() {
                return Ok(answer);
            }
            answer.frames.push(frame.clone());
        }
        answer.end = state.down_end;
        Ok(answer)
    }

    /// Whether both sides have ended and nothing is left to deliver.
    pub(super) fn is_finished(&self) -> bool {
        self.update(|state| state.up_end && state.down_end && state.outbound.is_empty())
    }

    /// Whether the session has left, and nobody has asked for its last words for long enough.
    pub(super) fn is_abandoned(&self, now: Duration) -> bool {
        self.update(|state| {
            state.life == Life::Left
                && state.requests == 0
                && now >= state.quiet_since + self.options.idle_timeout
        })
    }

    // What the session's end of the link does.

    pub(super) fn poll_read(&self, cx: &Context<'_>) -> Read {
        let now = self.runtime.now().mono;
        self.update(|state| {
            if let Some(frame) = state.inbound.pop_front() {
                state.inbound_bytes -= weight(&frame);
                self.budget.give(weight(&frame));
                state.wake_requests();
                return Read::Frame(frame);
            }
            if state.up_end {
                return Read::End;
            }
            let idle_at = state.quiet_since + self.options.idle_timeout;
            if state.life == Life::Gone || (state.requests == 0 && now >= idle_at) {
                state.life = Life::Gone;
                state.wake_requests();
                return Read::Lost("no request came for too long");
            }
            state.reader = Some(cx.waker().clone());
            Read::Nothing((state.requests == 0).then_some(idle_at))
        })
    }

    pub(super) fn poll_ready(&self, cx: &Context<'_>) -> Poll<Result<(), &'static str>> {
        self.update(|state| {
            if state.life == Life::Gone {
                return Poll::Ready(Err("no request came for too long"));
            }
            let limit = match self.budget.is_exceeded() {
                true => self.options.max_link_bytes.min(SCANT_BYTES),
                false => self.options.max_link_bytes,
            };
            if state.outbound.is_empty() || state.outbound_bytes < limit {
                return Poll::Ready(Ok(()));
            }
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    pub(super) fn send(&self, frame: Bytes) -> Result<(), &'static str> {
        self.update(|state| {
            if state.down_end {
                return Err("it was closed");
            }
            if state.life == Life::Gone {
                return Err("no request came for too long");
            }
            self.budget.take(weight(&frame));
            state.outbound_bytes += weight(&frame);
            state.outbound.push_back(frame);
            state.wake_requests();
            Ok(())
        })
    }

    /// Nothing more comes. Ready when the client has everything, or has ended as well.
    pub(super) fn poll_close(&self, cx: &Context<'_>) -> Poll<()> {
        self.update(|state| {
            if !state.down_end {
                state.down_end = true;
                state.wake_requests();
            }
            if state.outbound.is_empty() || state.up_end || state.life == Life::Gone {
                return Poll::Ready(());
            }
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    /// The session has dropped its end. Says whether the link may be forgotten at once.
    pub(super) fn leave(&self) -> bool {
        self.update(|state| {
            self.budget.give(mem::take(&mut state.inbound_bytes));
            state.inbound.clear();
            let delivered = state.up_end && state.outbound.is_empty();
            let gone = !state.down_end || delivered || state.life == Life::Gone;
            state.life = if gone { Life::Gone } else { Life::Left };
            state.wake_requests();
            gone
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.budget.give(state.inbound_bytes + state.outbound_bytes);
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A request that the link counts.
struct UnderWay(Arc<Link>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = self.0.runtime.now().mono;
        self.0.update(|state| {
            state.requests -= 1;
            state.quiet_since = now;
            // It waits no longer for requests alone, but for time as well.
            state.wake_reader();
        });
    }
}

pub(super) fn unknown() -> Problem {
    let detail = "this hub does not know the link (any more); open a new one, and nothing is lost";
    Problem::new(StatusCode::NOT_FOUND, code::UNKNOWN_LINK, detail)
}

fn out_of_step(detail: String) -> Problem {
    Problem::new(StatusCode::CONFLICT, code::OUT_OF_STEP, detail)
}

//! One link: what survives between its requests.
//!
//! Frames are numbered from 0 in each direction. Up, the hub counts what it took, and passes over what
//! comes again. Down, it keeps every frame until a request says that it arrived. So a request can be
//! repeated any number of times, and nothing is lost or delivered twice.

mod end;
mod request;

pub(super) use self::end::Read;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use http::StatusCode;
use pocketsync_core::runtime::Runtime;

use super::HttpHubOptions;
use super::budget::Budget;
use crate::exchange::{FRAME_OVERHEAD, LinkId};
use crate::problem::{Problem, code};

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

pub(super) fn unknown() -> Problem {
    let detail = "this hub does not know the link (any more); open a new one, and nothing is lost";
    Problem::new(StatusCode::NOT_FOUND, code::UNKNOWN_LINK, detail)
}

//! What the session's end of a link does.

use std::mem;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::{Life, Link, weight};

/// What is left of a link's share where the hub as a whole has too much waiting.
const SCANT_BYTES: usize = 64 << 10;

/// What the session finds when it reads.
pub(in super::super) enum Read {
    Frame(Bytes),
    End,
    /// The link is lost; why.
    Lost(&'static str),
    /// Nothing yet; when the link will have been idle for too long, unless a request comes.
    Nothing(Option<Duration>),
}

impl Link {
    pub(in super::super) fn poll_read(&self, cx: &Context<'_>) -> Read {
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

    pub(in super::super) fn poll_ready(&self, cx: &Context<'_>) -> Poll<Result<(), &'static str>> {
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

    pub(in super::super) fn send(&self, frame: Bytes) -> Result<(), &'static str> {
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
    pub(in super::super) fn poll_close(&self, cx: &Context<'_>) -> Poll<()> {
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
    pub(in super::super) fn leave(&self) -> bool {
        self.update(|state| {
            self.budget.give(mem::take(&mut state.inbound_bytes));
            state.inbound.clear();
            let delivered = state.up_end && state.outbound.is_empty();
            // A session that reads the end of the link may go without a word: all has been said.
            state.down_end |= delivered;
            let gone = !state.down_end || delivered || state.life == Life::Gone;
            state.life = if gone { Life::Gone } else { Life::Left };
            state.wake_requests();
            gone
        })
    }
}

//! Whether the other side is still there.

use std::time::Duration;

use super::{Deadline, Phase, Session, SessionConfig};
use crate::clock::Now;
use crate::store::CLOCK_JUMP_MS;
use crate::wire::Message;

#[derive(Debug)]
pub(super) struct Liveness {
    started: Duration,
    heard: Duration,
    pinged: bool,
    pings: u64,
    seen: Now,
}

impl Liveness {
    pub(super) fn new(now: Now) -> Self {
        Liveness { started: now.mono, heard: now.mono, pinged: false, pings: 0, seen: now }
    }

    pub(super) fn heard(&mut self, now: Now) {
        self.heard = self.heard.max(now.mono);
        self.pinged = false;
    }

    /// Takes a reading of the clocks. Says whether the wall clock was set since the last.
    pub(super) fn observe(&mut self, now: Now) -> bool {
        let mono_ms = now.mono.saturating_sub(self.seen.mono).as_millis() as u64;
        let expected = self.seen.wall_ms.saturating_add(mono_ms);
        self.seen = now;
        now.wall_ms.abs_diff(expected) > CLOCK_JUMP_MS
    }

    /// When something is due, and what.
    pub(super) fn deadline(&self, config: &SessionConfig, live: bool) -> Deadline {
        let (at, reason) = if !live {
            (self.started.saturating_add(config.handshake_timeout), "the handshake takes too long")
        } else if self.pinged || config.ping_after >= config.dead_after {
            (self.heard.saturating_add(config.dead_after), "nothing was heard of the other side")
        } else {
            (self.heard.saturating_add(config.ping_after), "ask whether the other side is there")
        };
        Deadline { at: Some(at), reason }
    }
}

impl Session {
    /// Acts on a deadline that has passed.
    pub(super) fn check_liveness(&mut self, now: Now) {
        let live = matches!(self.phase, Phase::Live(_));
        let deadline = self.liveness.deadline(&self.config, live);
        if deadline.at.is_none_or(|at| now.mono < at) {
            return;
        }
        if !live {
            self.time_out("the handshake took too long");
        } else if now.mono >= self.liveness.heard.saturating_add(self.config.dead_after) {
            self.time_out("nothing was heard for too long");
        } else {
            self.liveness.pinged = true;
            // A position that moved without anything to say is told in place of a ping: the answer
            // shows as well that the other side is there.
            if !self.push_position() {
                self.liveness.pings += 1;
                let ping = Message::Ping(self.liveness.pings);
                self.send(&ping);
            }
        }
    }
}

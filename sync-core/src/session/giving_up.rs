//! Ending a session, and telling the other side why.

use super::inbound::Inbound;
use super::{Asked, Phase, Session, SessionEnd, wire_error};
use crate::clock::Now;
use crate::store::{StoreError, StoreErrorKind, StoreRequest};
use crate::wire::{ErrorCode, Message, WireError};

impl Session {
    /// Gives up because of the other side, and tells it.
    pub(super) fn fail(&mut self, code: ErrorCode, message: impl Into<String>) {
        self.fail_with(wire_error(code, message));
    }

    /// Gives up with this error, and tells the other side.
    pub(crate) fn fail_with(&mut self, error: WireError) {
        if !self.is_over() {
            self.send(&Message::Error(error.clone()));
            self.end(SessionEnd::WeFailed(error));
        }
    }

    /// Gives up without expecting that anybody listens.
    pub(super) fn time_out(&mut self, reason: &str) {
        self.send(&Message::Error(wire_error(ErrorCode::Timeout, reason)));
        self.end(SessionEnd::Lost(reason.to_owned()));
    }

    /// Gives up because of our own store. What exactly failed is not the other side's business.
    pub(super) fn fail_store(&mut self, error: StoreError) {
        let told = match error.kind {
            // This it can do something about.
            StoreErrorKind::Quota => wire_error(ErrorCode::Quota, &error.message),
            _ => WireError {
                code: ErrorCode::Store,
                message: format!("the store cannot: {}", error.code()),
                retry_after_ms: Some(self.config.retry_after_ms),
            },
        };
        self.send(&Message::Error(told));
        self.end(SessionEnd::Store(error));
    }

    pub(super) fn fail_store_reply(&mut self, wanted: &str) {
        let message = format!("the store did not give {wanted}");
        self.fail_store(StoreError::new(StoreErrorKind::Unsupported, message));
    }

    pub(super) fn end(&mut self, end: SessionEnd) {
        self.phase = Phase::Ended;
        self.inbound = Inbound::default();
        self.ended = Some(end);
    }

    /// Notices that our wall clock was set while the other side's is what we go by: versions that
    /// are made from now on need another comparison before anything of them is sent.
    pub(super) fn clock_jumped(&mut self, now: Now) -> bool {
        let jumped = self.liveness.observe(now);
        let Phase::Live(link) = &self.phase else { return false };
        if !jumped || !link.keeps_time {
            return false;
        }
        self.measure_again();
        true
    }

    /// What was measured of the clocks is void: the next session measures anew.
    pub(super) fn measure_again(&mut self) {
        let scope = self.scope.clone();
        self.ask(Asked::ClockJumped, StoreRequest::ClockJumped { scope });
        self.send(&Message::Bye);
        self.end(SessionEnd::ClockJumped);
    }
}

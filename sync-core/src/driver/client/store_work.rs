//! What the driver asks of the store, and what it makes of the answers.

use super::engine::Engine;
use super::lane::{Done, Job, Look};
use super::phase::Phase;
use crate::clock::Now;
use crate::driver::local_store::LocalStore;
use crate::driver::status::Failure;
use crate::session::RequestId;
use crate::store::{StoreError, StoreErrorKind, StoreReply, StoreRequest};

impl<S: LocalStore> Engine<S> {
    /// Passes on what came of a job.
    pub(super) fn handle_done(&mut self, now: Now, done: Done) {
        match done {
            Done::Request { link, id, reply } => self.handle_reply(now, link, id, reply),
            Done::Look(Ok(look)) => self.handle_look(now, look),
            Done::Look(Err(error)) | Done::ClockJumped(Err(error)) => self.handle_look_error(now, &error),
            Done::ClockJumped(Ok(())) => {
                self.jump_untold = false;
                self.schedule.want_summary(now, true);
            }
        }
    }

    fn handle_reply(&mut self, now: Now, link: u64, id: RequestId, reply: Result<StoreReply, StoreError>) {
        let Phase::Linked(open) = &mut self.phase else { return };
        if link != self.links {
            return;
        }
        if let Ok(StoreReply::Extracted(extracted)) = &reply {
            self.waiters.extract_ended(&extracted.to, extracted.last);
        }
        // Among others, that the store has taken note of an acknowledgement.
        let noted = matches!(reply, Ok(StoreReply::Done));
        open.handle_store(now, id, reply);
        if noted {
            self.schedule.want_summary(now, open.up_to_date);
        }
        // Pieces that were under way when somebody asked do not cover what came before the
        // question; ask for more when they are through.
        if self.waiters.need_another_extract() {
            open.local_changed(now);
        }
    }

    fn handle_look(&mut self, now: Now, look: Look) {
        if std::mem::take(&mut self.look_failed) {
            self.last_error = None;
        }
        if let Some(summary) = look.summary {
            self.summary = summary;
            // A notice that came while the look was running is not in it.
            self.unsure = self.noticed;
        }
        if look.changed {
            self.schedule.activity(now);
            if let Phase::Linked(link) = &mut self.phase
                && link.is_connected()
            {
                link.local_changed(now);
            }
        }
    }

    fn handle_look_error(&mut self, now: Now, error: &StoreError) {
        self.unsure = true;
        self.schedule.want_summary(now, false);
        if !matches!(error.kind, StoreErrorKind::Suspended | StoreErrorKind::Busy) {
            tracing::debug!(%error, "cannot look at the store");
            self.look_failed = true;
            self.last_error = Some(Failure::new(error.code(), error, error.is_retryable()));
        }
    }

    /// Gives the lane its next job.
    pub(super) fn feed_lane(&mut self, now: Now) -> bool {
        if !self.lane.is_free() || matches!(self.phase, Phase::Asleep | Phase::Ended) {
            return false;
        }
        // What the session wants and looks take turns: a long catch-up must not hide local
        // commits, and a busy writer must not hold up the session. Before all comes what makes
        // later stamps right.
        let may_look = self.jump_untold || !self.looked || !self.phase.has_request();
        if may_look && let Some(summary) = self.schedule.take_due(now) {
            self.looked = true;
            let job = if self.jump_untold {
                Job::ClockJumped { scope: self.scope.clone() }
            } else {
                Job::Look { noticed: std::mem::take(&mut self.noticed), summary }
            };
            self.lane.start(job);
            return true;
        }
        let Phase::Linked(link) = &mut self.phase else { return false };
        let Some((id, request)) = link.next_request() else { return false };
        self.looked = false;
        if matches!(request, StoreRequest::Extract { .. }) {
            self.waiters.extract_began();
        }
        self.lane.start(Job::Request { link: self.links, id, request: Box::new(request) });
        true
    }
}

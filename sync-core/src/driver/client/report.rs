//! What the driver tells those who watch and those who wait.

use super::engine::Engine;
use super::phase::Phase;
use crate::clock::Now;
use crate::driver::local_store::LocalStore;
use crate::driver::status::State;

impl<S: LocalStore> Engine<S> {
    /// Answers those calls of `sync_now` whose wait is over.
    pub(super) fn answer_waiters(&mut self) {
        if let Phase::Linked(link) = &self.phase
            && link.is_connected()
            && link.is_caught_up()
        {
            self.waiters.resolve(&link.acked, link.up_to_date);
        }
    }

    fn state(&self) -> State {
        match &self.phase {
            _ if self.control.gate.is_closed() => State::Suspended,
            Phase::Asleep => State::Suspended,
            Phase::Waiting { .. } | Phase::Ended => State::Offline,
            // Nobody has called yet.
            Phase::Connecting { .. } if self.admission.is_some() => State::Offline,
            Phase::Connecting { .. } => State::Connecting,
            Phase::Linked(link) if link.connected_at.is_none() => State::Connecting,
            Phase::Linked(link) if !link.is_connected() => State::Offline,
            Phase::Linked(link) => {
                let in_sync = link.is_caught_up() && link.up_to_date && !self.unsure;
                if in_sync && self.summary.pending_changes == 0 { State::Live } else { State::CatchingUp }
            }
        }
    }

    /// Shows how things stand to whoever watches.
    pub(super) fn publish(&mut self, now: Now) {
        let state = self.state();
        let was = self.control.status.get().state;
        // While live the time is now; it is written down where that begins and ends.
        if (state == State::Live) != (was == State::Live) {
            self.last_sync_ms = Some(now.wall_ms);
        }
        let peer = match &self.phase {
            Phase::Linked(link) if link.is_connected() => link.peer,
            _ => None,
        };
        self.control.status.update(|status| {
            status.state = state;
            status.pending = self.summary.pending_changes;
            status.parked = self.summary.parked;
            status.conflicts = self.summary.conflicts;
            status.position = self.summary.position.clone();
            status.peer = peer;
            status.last_sync_ms = self.last_sync_ms;
            status.retry_at_ms = self.retry_at_ms.filter(|_| state == State::Offline);
            status.failures = self.retry.failures();
            status.last_error = self.last_error.clone();
        });
    }
}

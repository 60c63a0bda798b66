//! What the handles want, carried out.

use std::task::{Context, Waker};

use super::engine::Engine;
use super::phase::Phase;
use crate::clock::Now;
use crate::driver::local_store::LocalStore;

impl<S: LocalStore> Engine<S> {
    /// Carries out what the handles ordered. Says whether there was anything.
    pub(super) fn take_orders(&mut self, now: Now) -> bool {
        let orders = self.control.take();
        let mut progress = false;
        for reply in orders.sync {
            self.waiters.add(reply);
            progress = true;
            match &mut self.phase {
                Phase::Waiting { until } => *until = now.mono,
                Phase::Linked(link) if link.is_connected() => link.local_changed(now),
                _ => {}
            }
        }
        if orders.shutdown && !self.shutting_down {
            self.shutting_down = true;
            progress = true;
            match &mut self.phase {
                Phase::Linked(link) => link.close(now),
                phase => *phase = Phase::Ended,
            }
        }
        let suspended = self.control.gate.is_closed();
        match &mut self.phase {
            Phase::Ended => {}
            Phase::Asleep if !suspended => {
                self.retry.succeeded();
                self.phase = Phase::Waiting { until: now.mono };
                self.schedule.look_now(now);
                progress = true;
            }
            Phase::Asleep => {}
            phase if suspended => {
                if let Phase::Linked(link) = phase {
                    // A goodbye if the sink takes it at once; the machine may be frozen any moment.
                    link.close(now);
                    let mut cx = Context::from_waker(Waker::noop());
                    let _ended = link.poll(now, &mut cx);
                }
                self.leave_link(now);
                self.phase = if self.shutting_down { Phase::Ended } else { Phase::Asleep };
                progress = true;
            }
            _ => {}
        }
        progress
    }
}

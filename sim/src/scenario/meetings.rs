//! Meetings of devices that have no hub.

use serde::{Deserialize, Serialize};

use super::{Range, Scenario, ScenarioError, Span};
use crate::scenario::EngineKind;

/// More meetings than this are slow to run, and say little more.
const MOST_MEETINGS: f64 = 1e5;

/// How often devices meet, and for how long, where there is no hub: they connect, sync until both have
/// everything, and part.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Meetings {
    /// After how long a device that is online seeks the next one. Who is in one already is left alone.
    pub every: Range<Span>,
    /// How long one may last at most, whether or not everything has been said.
    pub lasts: Range<Span>,
}

impl Default for Meetings {
    fn default() -> Self {
        let spans = |from: u64, to: u64| Range { from: Span(from), to: Span(to) };
        Meetings { every: spans(3_000, 12_000), lasts: spans(1_000, 10_000) }
    }
}

impl Scenario {
    /// Whether what it says of a hub, or of none, fits together.
    pub(super) fn check_meetings(&self) -> Result<(), ScenarioError> {
        if self.topology.has_hub() {
            return match self.meetings {
                Some(_) => Err(self.mistake(
                    "meetings",
                    "says nothing where there is a hub; set `topology` to \"ring\" or \"mesh\", or leave it out",
                )),
                None => Ok(()),
            };
        }
        if self.engines.contains(&EngineKind::Machines) {
            return Err(self.mistake(
                "topology",
                "needs the world engine, the other one has a hub always; write engines = [\"world\"]",
            ));
        }
        let hub_faults = [
            ("faults.hub_crashes", self.faults.hub_crashes),
            ("faults.hub_restores", self.faults.hub_restores),
        ];
        if let Some((key, _)) = hub_faults.iter().find(|(_, amount)| amount.most() > 0) {
            return Err(self.mistake(key, "there is no hub in this `topology`; leave it out"));
        }
        if !self.rules.is_empty() {
            return Err(self.mistake(
                "rules",
                "what they promise is judged with a hub only; leave them out, or `topology`",
            ));
        }
        if self.devices < 2 * self.scopes {
            return Err(self.mistake(
                "devices",
                "somebody has nobody to meet; there must be at least two devices a scope",
            ));
        }
        let meetings = self.meetings.clone().unwrap_or_default();
        if meetings.lasts.from.0 == 0 {
            return Err(self.mistake("meetings.lasts", "must be at least \"1ms\""));
        }
        let pause = f64::midpoint(meetings.every.from.0 as f64, meetings.every.to.0 as f64).max(1.0);
        let many = self.length.0 as f64 / pause * f64::from(self.devices);
        if many > MOST_MEETINGS {
            return Err(self.mistake(
                "meetings.every",
                format!("would make up to {many:.0} meetings; make it longer, or `length` shorter"),
            ));
        }
        Ok(())
    }
}

//! **The cost follows the change**: what is kept for a while is let go. At the end of the quiet
//! period no journal has entries, and nothing is staged.
//!
//! Without a hub, pieces of a group stay where who sent them is destroyed, or goes by another name since its file
//! was put back or copied: nobody can tell that it will not go on. How many [has a bound](super::Bounded).

use super::{Case, Oracle};
use crate::history::{Event, Fault, Look, Phase};
use crate::story::Ms;

/// Checks that once everything is exchanged, no journal has entries and nothing is staged.
pub struct JournalEmpties {
    has_hub: bool,
    /// Somebody may have gone, or go by another name.
    may_be_gone: bool,
}

impl JournalEmpties {
    /// For a case.
    pub fn new(case: &Case) -> Self {
        JournalEmpties { has_hub: case.story.topology.has_hub(), may_be_gone: false }
    }
}

impl Oracle for JournalEmpties {
    fn name(&self) -> &'static str {
        "journal_empties"
    }

    fn promise(&self) -> &'static str {
        "once everything is exchanged, no journal has entries and nothing is staged"
    }

    fn saw(&mut self, _at: Ms, event: &Event) -> Result<(), String> {
        self.may_be_gone |= matches!(
            event,
            Event::Fault(Fault::Lost(_) | Fault::Restored { .. }) | Event::Started { copy_of: Some(_), .. }
        );
        Ok(())
    }

    fn looked(&mut self, _at: Ms, look: &Look) -> Result<(), String> {
        if look.phase != Phase::Settled {
            return Ok(());
        }
        for device in &look.devices {
            if let Some(entries @ 1..) = device.journal {
                return Err(format!("the journal of {} still has {entries} entries", device.device));
            }
            if device.staged_bytes > 0 && (self.has_hub || !self.may_be_gone) {
                return Err(format!("{} still keeps {} bytes aside", device.device, device.staged_bytes));
            }
        }
        Ok(())
    }
}

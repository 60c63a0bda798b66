//! **The cost follows the change**: what is kept for a while is let go. At the end of the quiet
//! period no journal has entries, and nothing is staged.

use super::Oracle;
use crate::history::{Event, Look, Phase};
use crate::story::Ms;

/// Checks that once everything is exchanged, no journal has entries and nothing is staged.
#[derive(Default)]
pub struct JournalEmpties;

impl Oracle for JournalEmpties {
    fn name(&self) -> &'static str {
        "journal_empties"
    }

    fn promise(&self) -> &'static str {
        "once everything is exchanged, no journal has entries and nothing is staged"
    }

    fn saw(&mut self, _at: Ms, _event: &Event) -> Result<(), String> {
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
            if device.staged_bytes > 0 {
                return Err(format!("{} still keeps {} bytes aside", device.device, device.staged_bytes));
            }
        }
        Ok(())
    }
}

//! **Triggers stay the application's**: what they keep beside the tables, a count or a search index, says on every
//! device what the tables say, although most rows came from elsewhere.
//!
//! Looked at in the quiet period, on every device: what is kept is compared with what is computed anew, by the
//! queries of the scenario.

use super::Oracle;
use crate::history::{Event, Look};
use crate::story::Ms;

/// Checks that what triggers keep beside the tables follows from the tables.
#[derive(Default)]
pub struct DerivedData;

impl Oracle for DerivedData {
    fn name(&self) -> &'static str {
        "derived"
    }

    fn promise(&self) -> &'static str {
        "what triggers keep beside the tables follows from the tables, on every device"
    }

    fn needs_sqlite(&self) -> bool {
        true
    }

    fn saw(&mut self, _at: Ms, _event: &Event) -> Result<(), String> {
        Ok(())
    }

    fn looked(&mut self, _at: Ms, look: &Look) -> Result<(), String> {
        let wrong = |device: &&crate::history::DeviceView| {
            device.derived.as_ref().is_some_and(|complaints| !complaints.is_empty())
        };
        match look.devices.iter().find(wrong) {
            Some(device) => {
                let complaints = device.derived.as_deref().unwrap_or_default();
                Err(format!("{}: {}", device.device, complaints.join("; ")))
            }
            None => Ok(()),
        }
    }
}

//! **Your database stays yours**: at every look every file is intact and keeps every rule of its
//! own schema.

use super::Oracle;
use crate::history::{Event, Look};
use crate::story::Ms;

/// Checks that every database is intact and keeps the rules of its schema, at any time.
#[derive(Default)]
pub struct Constraints;

impl Oracle for Constraints {
    fn name(&self) -> &'static str {
        "constraints"
    }

    fn promise(&self) -> &'static str {
        "every database is intact and keeps the rules of its schema, at any time"
    }

    fn needs_sqlite(&self) -> bool {
        true
    }

    fn saw(&mut self, _at: Ms, _event: &Event) -> Result<(), String> {
        Ok(())
    }

    fn looked(&mut self, _at: Ms, look: &Look) -> Result<(), String> {
        for device in &look.devices {
            if let Some(complaints) = device.complaints.as_ref().filter(|complaints| !complaints.is_empty()) {
                return Err(format!("{}: {}", device.device, complaints.join("; ")));
            }
        }
        Ok(())
    }
}

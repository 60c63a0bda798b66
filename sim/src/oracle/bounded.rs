//! **The cost follows the change**: queues and what is kept aside have a bound, and stay below it
//! however slow a link and however large a backlog is.

use super::{Oracle, words};
use crate::history::{Event, Look};
use crate::story::Ms;

/// Checks that memory and queues stay within their bounds.
#[derive(Default)]
pub struct Bounded;

impl Oracle for Bounded {
    fn name(&self) -> &'static str {
        "bounded"
    }

    fn promise(&self) -> &'static str {
        "memory and queues stay within their bounds"
    }

    fn saw(&mut self, _at: Ms, event: &Event) -> Result<(), String> {
        match event {
            Event::Gauge { name, device, value, bound } if value > bound => {
                Err(format!("{name} of {}: {value}, of {bound} at most", words::replica(*device)))
            }
            _ => Ok(()),
        }
    }

    fn looked(&mut self, _at: Ms, _look: &Look) -> Result<(), String> {
        Ok(())
    }
}

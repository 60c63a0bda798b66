//! **Everything gets through**: once nobody writes and nothing fails, every device that was not
//! destroyed runs, has caught up, and has everything in the time that the story gives it.

use super::{Case, Oracle, shows_same};
use crate::history::{DeviceView, Event, Look, Phase};
use crate::model::{Ledger, Reader};
use crate::story::Ms;

/// Checks that when writes and faults have ceased, every device gets to have everything, in time.
pub struct Liveness {
    reader: Reader,
    quiet_at: Option<Ms>,
    quiet_ms: Ms,
}

impl Liveness {
    /// For a case.
    pub fn new(case: &Case, ledger: &Ledger) -> Self {
        Liveness { reader: ledger.reader(), quiet_at: None, quiet_ms: case.story.quiet_ms }
    }
}

impl Oracle for Liveness {
    fn name(&self) -> &'static str {
        "liveness"
    }

    fn promise(&self) -> &'static str {
        "when writes and faults have ceased, every device gets to have everything, in time"
    }

    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String> {
        self.reader.saw(at, event);
        if *event == Event::Quiet {
            self.quiet_at = Some(at);
        }
        Ok(())
    }

    fn looked(&mut self, at: Ms, look: &Look) -> Result<(), String> {
        if look.phase != Phase::Settled {
            return Ok(());
        }
        let waited = at - self.quiet_at.unwrap_or(at);
        // A look may be at one scope of many.
        let model = self.reader.model();
        let looked_at = |scope| look.devices.iter().any(|view| view.scope == scope);
        for device in model.survival().devices().filter(|device| looked_at(model.scope_of(*device))) {
            if !look.devices.iter().any(|view| view.device == device) {
                return Err(format!("{device} does not run, {waited} ms after everything was calm"));
            }
        }
        for device in &look.devices {
            if !device.whole {
                return Err(format!("{} has not caught up in {waited} ms: {}", device.device, tells(device)));
            }
            let hub = look.hub.iter().find(|hub| hub.scope == device.scope);
            let behind = hub.is_some_and(|hub| hub.clocks != device.clocks)
                || look.devices.iter().any(|other| {
                    (other.scope == device.scope)
                        && (!shows_same(model.shape(), other, device) || other.clocks != device.clocks)
                });
            if behind && !device.status.in_sync {
                let what = tells(device);
                return Err(format!("{} has not exchanged everything in {waited} ms: {what}", device.device));
            }
        }
        if waited > self.quiet_ms + self.quiet_ms / 10 {
            return Err(format!("it took {waited} ms, of {} ms at most", self.quiet_ms));
        }
        Ok(())
    }
}

fn tells(device: &DeviceView) -> String {
    let status = &device.status;
    let error = status.last_error.as_deref().unwrap_or("no error");
    format!("its client says {}, {} pending, {error}", status.state, status.pending)
}

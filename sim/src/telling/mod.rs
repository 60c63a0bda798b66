//! Tells a run in sentences: what applications did, what was done to the devices, and how far they
//! got.

mod sentence;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use crate::history::{Event, Look};
use crate::oracle::Oracle;
use crate::shape::Shape;
use crate::story::{Ms, Story};

/// What was told so far.
pub type Telling = Arc<Mutex<Vec<String>>>;

/// An oracle that objects to nothing and tells everything.
pub struct Teller {
    shape: Arc<Shape>,
    told: Telling,
}

impl Teller {
    /// Tells a run on that schema to `told`.
    pub fn new(shape: Arc<Shape>, told: Telling) -> Self {
        Teller { shape, told }
    }
}

impl Oracle for Teller {
    fn name(&self) -> &'static str {
        "teller"
    }

    fn promise(&self) -> &'static str {
        "what happens can be told"
    }

    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String> {
        if let Some(sentence) = sentence::of(at, event, &self.shape) {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.push(format!("at {} {sentence}", seconds(at)));
        }
        Ok(())
    }

    fn looked(&mut self, _at: Ms, _look: &Look) -> Result<(), String> {
        Ok(())
    }
}

/// What is odd about the devices of a story before anything happens, a sentence a device.
pub fn devices(story: &Story) -> Vec<String> {
    let several_scopes = story.devices.iter().any(|device| device.scope != story.devices[0].scope);
    let told = story.devices.iter().enumerate().map(|(number, device)| {
        let mut text =
            format!("d{number} {}", if device.online { "begins online" } else { "begins offline" });
        if several_scopes {
            let _ = write!(text, " in scope {}", device.scope);
        }
        if device.from > 0 {
            let _ = write!(text, ", at {}", seconds(device.from));
        }
        let clock = device.clock;
        if clock.offset_ms != 0 {
            let side = if clock.offset_ms > 0 { "ahead" } else { "behind" };
            let _ = write!(text, ", its clock {} {side}", seconds(clock.offset_ms.unsigned_abs()));
        }
        if clock.drift_ppm != 0 {
            let _ = write!(text, ", drifting by {} ppm", clock.drift_ppm);
        }
        let link = device.link;
        for (odds, what) in [(link.duplicate, "doubles"), (link.reorder, "reorders")] {
            if odds > 0.0 {
                let _ = write!(text, ", its link {what} {:.1} % of the frames", odds * 100.0);
            }
        }
        if link.breaks_per_minute > 0.0 {
            let _ = write!(text, ", its link breaks {:.1} times a minute", link.breaks_per_minute);
        }
        text
    });
    told.collect()
}

/// `12.3 s`; days and hours where there are some.
pub fn seconds(ms: Ms) -> String {
    let (days, rest) = (ms / 86_400_000, ms % 86_400_000);
    let (hours, minutes) = (rest / 3_600_000, rest % 3_600_000 / 60_000);
    let seconds = rest % 60_000;
    let mut text = String::new();
    for (n, unit) in [(days, "d"), (hours, "h"), (minutes, "min")] {
        if n > 0 {
            let _ = write!(text, "{n} {unit} ");
        }
    }
    // Milliseconds only where they say something.
    let _ = match seconds % 100 {
        0 => write!(text, "{:.1} s", seconds as f64 / 1000.0),
        _ => write!(text, "{:.3} s", seconds as f64 / 1000.0),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_easily() {
        for (ms, text) in [
            (0, "0.0 s"),
            (12_300, "12.3 s"),
            (12_345, "12.345 s"),
            (60_000, "1 min 0.0 s"),
            (90_061_500, "1 d 1 h 1 min 1.5 s"),
        ] {
            assert_eq!(seconds(ms), text);
        }
    }
}

//! Shows a run to all oracles, and keeps what a report will tell.

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};

use super::{Case, Oracle, Violation};
use crate::history::{Event, Look};
use crate::outcome::{Measures, Outcome};
use crate::story::Ms;

/// Takes the lines of a trace as they come.
type Sink = Box<dyn FnMut(Ms, &str) + Send>;

/// Shows a run to all oracles, hashes its trace and takes its measures.
pub struct Judge {
    case: Case,
    oracles: Vec<Box<dyn Oracle>>,
    skipped: Vec<&'static str>,
    violation: Option<Violation>,
    trace: Trace,
    measures: Measures,
    sink: Option<Sink>,
}

impl Judge {
    /// A judge of `case`. Oracles that need SQLite are left out, and named in the outcome, where
    /// the engine has none.
    pub fn new(case: Case, oracles: Vec<Box<dyn Oracle>>, has_sqlite: bool) -> Self {
        let (oracles, left_out): (Vec<_>, Vec<_>) =
            oracles.into_iter().partition(|oracle| has_sqlite || !oracle.needs_sqlite());
        let skipped = left_out.iter().map(|oracle| oracle.name()).collect();
        Judge {
            case,
            oracles,
            skipped,
            violation: None,
            trace: Trace(Sha256::new()),
            measures: Measures::default(),
            sink: None,
        }
    }

    /// Also tells every line of the trace to `sink`.
    pub fn tell(&mut self, sink: impl FnMut(Ms, &str) + Send + 'static) {
        self.sink = Some(Box::new(sink));
    }

    /// Something happened at `at`.
    pub fn saw(&mut self, at: Ms, event: &Event) {
        self.trace(at, format_args!("{event:?}"));
        self.measures.saw(at, event);
        if self.violation.is_some() {
            return;
        }
        for oracle in &mut self.oracles {
            if let Err(what) = oracle.saw(at, event) {
                self.violation = Some(violation(&**oracle, at, what));
                return;
            }
        }
    }

    /// How everyone looks at `at`.
    pub fn looked(&mut self, at: Ms, look: &Look) {
        self.trace(at, format_args!("{look:?}"));
        self.measures.looked(at, look);
        if self.violation.is_some() {
            return;
        }
        for oracle in &mut self.oracles {
            if let Err(what) = oracle.looked(at, look) {
                self.violation = Some(violation(&**oracle, at, what));
                return;
            }
        }
    }

    /// Notes something that is the same in every run of the story and that no oracle asks about: a
    /// frame, say.
    pub fn trace(&mut self, at: Ms, line: fmt::Arguments<'_>) {
        match &mut self.sink {
            None => self.trace.line(at, line),
            Some(sink) => {
                let text = line.to_string();
                self.trace.line(at, format_args!("{text}"));
                sink(at, &text);
            }
        }
    }

    /// The engine itself says that a promise is broken: a panic, an engine that gave up.
    pub fn broken(&mut self, at: Ms, oracle: &str, promise: &str, what: String) {
        let violation = Violation { oracle: oracle.to_owned(), promise: promise.to_owned(), at, what };
        self.violation.get_or_insert(violation);
    }

    /// The first broken promise. An engine stops once there is one.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// What the run came to.
    pub fn finish(self, engine: &'static str) -> Outcome {
        Outcome {
            seed: self.case.story.seed,
            engine: engine.to_owned(),
            violation: self.violation,
            skipped_oracles: self.skipped.into_iter().map(str::to_owned).collect(),
            trace_hash: self.trace.hex(),
            measures: self.measures,
        }
    }
}

fn violation(oracle: &dyn Oracle, at: Ms, what: String) -> Violation {
    Violation { oracle: oracle.name().to_owned(), promise: oracle.promise().to_owned(), at, what }
}

/// A running hash over everything that must be the same in every run.
struct Trace(Sha256);

impl Trace {
    fn line(&mut self, at: Ms, line: fmt::Arguments<'_>) {
        self.0.update(at.to_le_bytes());
        // Hashing cannot fail.
        let _ = self.write_fmt(line);
        self.0.update(b"\n");
    }

    fn hex(self) -> String {
        self.0.finalize().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

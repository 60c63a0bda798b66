//! Shows a run to all oracles, and keeps what a report will tell.

use std::fmt::{self, Write as _};

use super::trace::Trace;
use super::{Case, Oracle, Violation};
use crate::history::{Event, Look};
use crate::outcome::{Measures, Outcome};
use crate::story::Ms;

/// Takes the lines of a trace as they come.
type Sink = Box<dyn FnMut(Ms, &str) + Send>;

/// How many bytes of a frame are told to whoever reads the trace.
const TOLD_BYTES: usize = 32;

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
    /// the engine has none; so are those that need a hub where the story has none.
    pub fn new(case: Case, oracles: Vec<Box<dyn Oracle>>, has_sqlite: bool) -> Self {
        let has_hub = case.story.topology.has_hub();
        let can_say =
            |oracle: &dyn Oracle| (has_sqlite || !oracle.needs_sqlite()) && (has_hub || !oracle.needs_hub());
        let (oracles, left_out): (Vec<_>, Vec<_>) =
            oracles.into_iter().partition(|oracle| can_say(&**oracle));
        let skipped = left_out.iter().map(|oracle| oracle.name());
        let skipped = skipped.chain(oracles.iter().filter_map(|oracle| oracle.leaves_out())).collect();
        let measures = Measures::of(&case.story);
        Judge { case, oracles, skipped, violation: None, trace: Trace::new(), measures, sink: None }
    }

    /// Also tells every line of the trace to `sink`.
    pub fn tell(&mut self, sink: impl FnMut(Ms, &str) + Send + 'static) {
        self.sink = Some(Box::new(sink));
    }

    /// Something happened at `at`.
    pub fn saw(&mut self, at: Ms, event: &Event) {
        if let Some(sink) = &mut self.sink {
            sink(at, &format!("{event:?}"));
        }
        self.trace.event(at, event);
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
        if let Some(sink) = &mut self.sink {
            sink(at, &format!("{look:?}"));
        }
        self.trace.look(at, look);
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

    /// Notes bytes that are the same in every run of the story, under a `kind` of the engine's
    /// choice. Cheaper than [`trace`](Self::trace) where there are millions of them.
    pub fn trace_bytes(&mut self, at: Ms, kind: u8, bytes: &[u8]) {
        self.trace.bytes(at, kind, bytes);
        if let Some(sink) = &mut self.sink {
            let hex = bytes.iter().take(TOLD_BYTES).fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            let more = if bytes.len() > TOLD_BYTES { "…" } else { "" };
            sink(at, &format!("{} {} bytes {hex}{more}", char::from(kind), bytes.len()));
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

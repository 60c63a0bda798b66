//! An engine and who judges it.

use std::fmt;
use std::sync::Arc;

use super::fresh::{noting_panics, on_fresh_thread};
use super::interrupt::{INTERRUPTED, Interrupt};
use crate::engine::{Engine, EngineError};
use crate::oracle::{self, Case, Judge, Oracle, Violation};
use crate::outcome::Outcome;
use crate::story::Ms;

/// The name of the promise that a panic breaks.
pub const NO_PANIC: &str = "no_panic";

/// The name of the promise that is broken when two runs of one story differ.
pub const SAME_EVERY_TIME: &str = "same_every_time";

/// Makes the oracles of a case.
type Oracles = Arc<dyn Fn(&Case) -> Vec<Box<dyn Oracle>> + Send + Sync>;

/// An engine and the oracles that judge what it runs.
#[derive(Clone)]
pub struct Trial {
    engine: Arc<dyn Engine>,
    oracles: Oracles,
    twice: bool,
}

impl Trial {
    /// With all oracles there are.
    pub fn new(engine: impl Engine + 'static) -> Self {
        Trial::of(Arc::new(engine))
    }

    /// The same, of an engine that is shared already.
    pub fn of(engine: Arc<dyn Engine>) -> Self {
        Trial { engine, oracles: Arc::new(oracle::all), twice: false }
    }

    /// With these oracles in place of what it had.
    #[must_use]
    pub fn judged_by(
        mut self,
        oracles: impl Fn(&Case) -> Vec<Box<dyn Oracle>> + Send + Sync + 'static,
    ) -> Self {
        self.oracles = Arc::new(oracles);
        self
    }

    /// With these oracles besides those it had.
    #[must_use]
    pub fn also_judged_by(
        mut self,
        more: impl Fn(&Case) -> Vec<Box<dyn Oracle>> + Send + Sync + 'static,
    ) -> Self {
        let before = self.oracles;
        self.oracles = Arc::new(move |case| before(case).into_iter().chain(more(case)).collect());
        self
    }

    /// Whether to run every case twice, which finds out what does not come from the seed: that the
    /// two traces differ is a broken promise, [`SAME_EVERY_TIME`].
    #[must_use]
    pub fn twice(mut self, twice: bool) -> Self {
        self.twice = twice;
        self
    }

    /// The engine.
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Runs a case. A panic anywhere in it is a broken promise, [`NO_PANIC`].
    ///
    /// # Errors
    /// When the world itself failed.
    pub fn run(&self, case: &Case) -> Result<Outcome, EngineError> {
        self.run_until(case, || false).map(|outcome| outcome.expect("nobody interrupts it"))
    }

    /// Runs a case; gives up, with `None`, once `stop` says so.
    ///
    /// # Errors
    /// When the world itself failed.
    pub fn run_until(
        &self,
        case: &Case,
        stop: impl Fn() -> bool + Clone + Send + 'static,
    ) -> Result<Option<Outcome>, EngineError> {
        let first = self.in_thread(case, stop.clone(), None, |_| {})?;
        let (true, Some(mut outcome)) = (self.twice, first.clone()) else { return Ok(first) };
        let Some(again) = self.in_thread(case, stop, None, |_| {})? else { return Ok(None) };
        if outcome.violation.is_none() {
            outcome.violation = differs(&outcome, &again);
        }
        Ok(Some(outcome))
    }

    /// Runs a case, and shows it to one more oracle, before all others.
    ///
    /// # Errors
    /// When the world itself failed.
    pub fn run_watched(&self, case: &Case, watcher: Box<dyn Oracle>) -> Result<Outcome, EngineError> {
        let outcome = self.in_thread(case, || false, Some(watcher), |_| {})?;
        Ok(outcome.expect("nobody interrupts it"))
    }

    /// Runs a case, and tells every line of its trace to `sink`.
    ///
    /// # Errors
    /// When the world itself failed.
    pub fn run_traced(
        &self,
        case: &Case,
        sink: impl FnMut(Ms, &str) + Send + 'static,
    ) -> Result<Outcome, EngineError> {
        let outcome = self.in_thread(case, || false, None, |judge| judge.tell(sink))?;
        Ok(outcome.expect("nobody interrupts it"))
    }

    fn in_thread(
        &self,
        case: &Case,
        stop: impl Fn() -> bool + Send + 'static,
        watcher: Option<Box<dyn Oracle>>,
        prepare: impl FnOnce(&mut Judge) + Send,
    ) -> Result<Option<Outcome>, EngineError> {
        let ran = on_fresh_thread(|| {
            let mut oracles: Vec<Box<dyn Oracle>> = vec![Box::new(Interrupt(stop))];
            oracles.extend(watcher);
            oracles.extend((self.oracles)(case));
            let mut judge = Judge::new(case.clone(), oracles, self.engine.has_sqlite());
            prepare(&mut judge);
            let (ran, panics) = noting_panics(|| self.engine.run(&case.shape, &case.story, &mut judge));
            let mut outcome = judge.finish(self.engine.name());
            let interrupted = outcome.violation.as_ref().is_some_and(|broken| broken.oracle == INTERRUPTED);
            if let (false, Some(panic)) = (interrupted, panics.first()) {
                let at = outcome.measures.simulated_ms;
                outcome.violation.get_or_insert_with(|| panicked(at, panic, panics.len()));
            }
            match ran {
                // What went wrong in the world after a panic is the panic's doing.
                Some(Err(error)) if outcome.violation.is_none() => Err(error),
                _ => Ok((!interrupted).then_some(outcome)),
            }
        });
        ran.unwrap_or_else(|error| {
            Err(EngineError { engine: self.engine.name(), what: format!("cannot start a thread: {error}") })
        })
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial").field("engine", &self.engine.name()).finish_non_exhaustive()
    }
}

/// Runs a case on an engine, on a thread of its own, judged by [all oracles](oracle::all).
///
/// # Errors
/// When the world itself failed.
pub fn judge(engine: &Arc<dyn Engine>, case: &Case) -> Result<Outcome, EngineError> {
    Trial::of(Arc::clone(engine)).run(case)
}

/// What is different in two runs of one story.
fn differs(first: &Outcome, again: &Outcome) -> Option<Violation> {
    if let Some(violation) = &again.violation {
        let what = format!("the first run kept every promise, the second did not: {violation}");
        return Some(not_the_same(violation.at, what));
    }
    let hashes = [&first.trace_hash, &again.trace_hash];
    let ends = [first, again].map(|outcome| outcome.measures.simulated_ms);
    (hashes[0] != hashes[1])
        .then(|| not_the_same(ends[0].max(ends[1]), format!("two runs have two traces: {hashes:?}")))
}

fn not_the_same(at: Ms, what: String) -> Violation {
    Violation {
        oracle: SAME_EVERY_TIME.to_owned(),
        promise: "the same story is the same run, to the byte".to_owned(),
        at,
        what,
    }
}

fn panicked(at: Ms, first: &str, all: usize) -> Violation {
    let more = if all > 1 { format!(", and {} more after it", all - 1) } else { String::new() };
    Violation {
        oracle: NO_PANIC.to_owned(),
        promise: "nothing panics, whatever happens to it".to_owned(),
        at,
        what: format!("panicked: {first}{more}"),
    }
}

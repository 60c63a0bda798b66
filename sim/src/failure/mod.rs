//! A broken promise as a person wants to hear of it: who noticed, what is wrong, the smallest story
//! in which it happens, and how to see it again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::EngineError;
use crate::oracle::{Case, Violation};
use crate::run::Trial;
use crate::shrink::{Limits, Progress, Shrunk, Size, shrink};
use crate::story::Story;
use crate::telling::{Teller, devices, seconds};

/// How many sentences are told.
const SENTENCES: usize = 60;

/// A broken promise, told.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The scenario's name.
    pub scenario: String,
    /// The engine's name.
    pub engine: String,
    /// The seed.
    pub seed: u64,
    /// What was wrong at first.
    pub violation: Violation,
    /// What is wrong in the smallest story.
    pub smallest: Violation,
    /// The smallest story that was found.
    pub story: Story,
    /// How many runs it took to find it.
    pub runs: u32,
    /// Whether nothing smaller was left to try.
    pub finished: bool,
    /// How large the story was at first.
    pub size_before: Size,
    /// What happens in the smallest story, in sentences.
    pub told: Vec<String>,
    /// How to see it again.
    pub replay: Vec<String>,
}

impl Failure {
    /// Makes the story of a failed run smaller, within the limits, and tells it. `stop` ends that
    /// early.
    ///
    /// # Errors
    /// When the world itself failed, or the run does not fail a second time.
    pub fn explain(
        trial: &Trial,
        scenario: &str,
        case: &Case,
        violation: &Violation,
        limits: Limits,
        stop: impl Fn() -> bool + Clone + Send + 'static,
        progress: impl FnMut(Progress),
    ) -> Result<Failure, EngineError> {
        let until = limits.until;
        let stop = move || stop() || until.is_some_and(|until| std::time::Instant::now() > until);
        let fails = |story: &Story| {
            let case = Case { shape: Arc::clone(&case.shape), story: Arc::new(story.clone()) };
            let outcome = trial.run_until(&case, stop.clone()).ok().flatten();
            outcome.and_then(|outcome| outcome.violation).is_some_and(|new| new.oracle == violation.oracle)
        };
        let Shrunk { story, runs, finished } = shrink(&case.story, limits, fails, progress);
        let smallest = Case { shape: Arc::clone(&case.shape), story: Arc::new(story.clone()) };
        let (new, told) = tell(trial, &smallest)?;
        let Some(new) = new else {
            return Err(EngineError {
                engine: trial.engine().name(),
                what: format!(
                    "the run is not deterministic: seed {} broke `{}` and does not when it is run again",
                    case.story.seed, violation.oracle
                ),
            });
        };
        Ok(Failure {
            scenario: scenario.to_owned(),
            engine: trial.engine().name().to_owned(),
            seed: case.story.seed,
            violation: violation.clone(),
            smallest: new,
            size_before: Size::of(&case.story),
            story,
            runs,
            finished,
            told,
            replay: Vec::new(),
        })
    }

    /// With the commands, or lines of code, that show it again.
    #[must_use]
    pub fn replayed_by(mut self, how: impl IntoIterator<Item = String>) -> Self {
        self.replay.extend(how);
        self
    }
}

/// Runs a case and tells it: how the devices begin, and what happens.
///
/// # Errors
/// When the world itself failed.
pub fn tell(trial: &Trial, case: &Case) -> Result<(Option<Violation>, Vec<String>), EngineError> {
    let told = Arc::new(Mutex::new(devices(&case.story)));
    let outcome =
        trial.run_watched(case, Box::new(Teller::new(Arc::clone(&case.shape), Arc::clone(&told))))?;
    let told = std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((outcome.violation, told))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, seed {}, {} engine: a promise is broken", self.scenario, self.seed, self.engine)?;
        writeln!(f, "  oracle:  {}", self.violation.oracle)?;
        writeln!(f, "  promise: {}", self.violation.promise)?;
        writeln!(f, "  wrong:   at {}: {}", seconds(self.violation.at), indented(&self.violation.what))?;
        writeln!(f)?;
        let size = Size::of(&self.story);
        let more = if self.finished { "" } else { ", as far as the limits allowed" };
        writeln!(
            f,
            "The smallest story that fails so ({size}; {} runs{more}; it was {}):",
            self.runs, self.size_before
        )?;
        for sentence in self.told.iter().take(SENTENCES) {
            writeln!(f, "  {sentence}")?;
        }
        if self.told.len() > SENTENCES {
            writeln!(f, "  … and {} sentences more", self.told.len() - SENTENCES)?;
        }
        let end = &self.smallest;
        writeln!(f, "  at {} `{}` objects: {}", seconds(end.at), end.oracle, indented(&end.what))?;
        if !self.replay.is_empty() {
            writeln!(f)?;
            writeln!(f, "See it again:")?;
            for how in &self.replay {
                writeln!(f, "  {how}")?;
            }
        }
        Ok(())
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

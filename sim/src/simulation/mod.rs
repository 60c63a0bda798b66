//! A scenario, seeds and an engine in a few lines: for an embedder's own tests, and for notebooks.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::{Engine, EngineError};
use crate::failure::Failure;
use crate::machines::Machines;
use crate::oracle::{Case, Oracle};
use crate::outcome::Outcome;
use crate::run::{Campaign, Trial};
use crate::scenario::{EngineKind, Scenario, ScenarioError};
use crate::shrink::Limits;
use crate::world::{self, World};

/// How many smaller stories are tried before a failure is told.
const SHRINK_RUNS: u32 = 2000;

/// A scenario that is run with a range of seeds.
///
/// ```
/// use pocketsync_sim::Simulation;
/// use pocketsync_sim::machines::Machines;
/// use pocketsync_sim::scenario::Scenario;
///
/// // In a `#[test]`: panics with the smallest story that breaks a promise.
/// let scenario = Scenario { devices: 3, ..Scenario::default() };
/// Simulation::new(scenario).on(Machines).seeds(0..2).check();
/// ```
#[derive(Clone)]
pub struct Simulation {
    scenario: Scenario,
    trial: Option<Trial>,
    more_oracles: Vec<MoreOracles>,
    seeds: Range<u64>,
    jobs: Option<NonZeroUsize>,
    twice: bool,
    shrink_for: Duration,
}

type MoreOracles = Arc<dyn Fn(&Case) -> Vec<Box<dyn Oracle>> + Send + Sync>;

/// A simulation could not be run, or broke a promise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The scenario makes no sense.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The world itself failed.
    #[error("seed {seed}: {error}")]
    Engine {
        /// In which run.
        seed: u64,
        /// How.
        error: EngineError,
    },
    /// A promise was broken.
    #[error("{0}")]
    Broken(Box<Failure>),
}

impl Simulation {
    /// Runs seeds 0 to 9 on the engine that the scenario names first.
    pub fn new(scenario: Scenario) -> Self {
        Simulation {
            scenario,
            trial: None,
            more_oracles: Vec::new(),
            seeds: 0..10,
            jobs: None,
            twice: false,
            shrink_for: Duration::from_secs(60),
        }
    }

    /// Runs these seeds.
    #[must_use]
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Runs that many at a time; as many as there are processors, if not said.
    #[must_use]
    pub fn jobs(mut self, jobs: NonZeroUsize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Runs every seed twice: that the two runs differ is a broken promise then. Finds chance and
    /// clocks in parts of your own that do not come from the seed.
    #[must_use]
    pub fn twice(mut self) -> Self {
        self.twice = true;
        self
    }

    /// Runs on that engine.
    #[must_use]
    pub fn on(mut self, engine: impl Engine + 'static) -> Self {
        self.trial = Some(Trial::new(engine));
        self
    }

    /// Runs in the [world](World) of SQLite files and sockets, on parts of your own.
    #[must_use]
    pub fn parts(self, parts: impl world::Parts) -> Self {
        self.on(World::of(parts))
    }

    /// Also asks that oracle, made anew for every run: a promise of your own.
    #[must_use]
    pub fn oracle<O: Oracle + 'static>(mut self, make: impl Fn(&Case) -> O + Send + Sync + 'static) -> Self {
        self.more_oracles.push(Arc::new(move |case| vec![Box::new(make(case))]));
        self
    }

    /// Spends that long on making a failing story smaller.
    #[must_use]
    pub fn shrink_for(mut self, time: Duration) -> Self {
        self.shrink_for = time;
        self
    }

    /// Runs all seeds, whether promises are broken or not; what they came to, by seed.
    ///
    /// # Errors
    /// When the scenario makes no sense, or the world failed.
    pub fn outcomes(&self) -> Result<Vec<Outcome>, SimulationError> {
        self.run(true)
    }

    /// Runs the seeds until a promise is broken, and tells the smallest story in which it is.
    ///
    /// # Errors
    /// When a promise was broken, the scenario makes no sense, or the world failed.
    pub fn try_check(&self) -> Result<Vec<Outcome>, SimulationError> {
        let outcomes = self.run(false)?;
        let broken = outcomes.iter().find_map(|outcome| Some((outcome.seed, outcome.violation.as_ref()?)));
        let Some((seed, violation)) = broken else { return Ok(outcomes) };
        let limits = Limits { runs: SHRINK_RUNS, until: Instant::now().checked_add(self.shrink_for) };
        let case = self.case_of()?(seed);
        let name = self.scenario.name();
        let failure = Failure::explain(&self.trial()?, name, &case, violation, limits, || false, |_| {})
            .map_err(|error| SimulationError::Engine { seed, error })?
            .replayed_by([format!("Simulation::new(…).seeds({seed}..{}).check()", seed + 1)]);
        Err(SimulationError::Broken(Box::new(failure)))
    }

    /// [`try_check`](Self::try_check), for tests.
    ///
    /// # Panics
    /// With the told story, when a promise was broken; and when the simulation could not be run.
    #[track_caller]
    pub fn check(&self) {
        if let Err(error) = self.try_check() {
            panic!("{error}");
        }
    }

    fn trial(&self) -> Result<Trial, SimulationError> {
        let trial = match &self.trial {
            Some(trial) => trial.clone(),
            None => {
                let kind = self.scenario.engines().first().copied().unwrap_or(EngineKind::World);
                let failed = |error| SimulationError::Engine { seed: self.seeds.start, error };
                Trial::of(engine(kind).map_err(failed)?)
            }
        };
        let more = self.more_oracles.clone();
        let trial = trial.twice(self.twice);
        Ok(trial.also_judged_by(move |case| more.iter().flat_map(|make| make(case)).collect()))
    }

    fn case_of(&self) -> Result<impl Fn(u64) -> Case + Send + Sync + 'static, SimulationError> {
        Ok(cases(self.scenario.clone())?)
    }

    fn run(&self, keep_going: bool) -> Result<Vec<Outcome>, SimulationError> {
        let mut campaign = Campaign::new(self.trial()?, self.seeds.clone()).keep_going(keep_going);
        if let Some(jobs) = self.jobs {
            campaign = campaign.jobs(jobs);
        }
        let runs = campaign.start(self.case_of()?).in_order(self.seeds.start);
        let outcome = |ran: crate::run::Ran| {
            ran.outcome.map_err(|error| SimulationError::Engine { seed: ran.seed, error })
        };
        runs.map(outcome).collect()
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("scenario", &self.scenario)
            .field("seeds", &self.seeds)
            .finish_non_exhaustive()
    }
}

/// The stories of a scenario, by seed.
///
/// # Errors
/// When the scenario's schema makes no sense.
pub fn cases(scenario: Scenario) -> Result<impl Fn(u64) -> Case + Send + Sync + 'static, ScenarioError> {
    let shape = Arc::new(scenario.shape()?);
    Ok(move |seed| Case { story: Arc::new(scenario.story(&shape, seed)), shape: Arc::clone(&shape) })
}

/// The engine of that kind, as it is shipped.
///
/// # Errors
/// When this build has no such engine.
pub fn engine(kind: EngineKind) -> Result<Arc<dyn Engine>, EngineError> {
    match kind {
        EngineKind::Machines => Ok(Arc::new(Machines)),
        EngineKind::World => Ok(Arc::new(World::new())),
    }
}

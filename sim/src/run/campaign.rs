//! Many seeds, several at a time.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Cancel, Trial};
use crate::engine::EngineError;
use crate::oracle::Case;
use crate::outcome::Outcome;

/// How long runs that were cancelled are waited for; one that hangs is left to itself.
const GRACE: Duration = Duration::from_secs(3);

/// A range of seeds to run.
///
/// A campaign that stops at the first failure stops at the one with the smallest seed: seeds
/// before it are run to their end, those after it are given up. So what it finds does not depend
/// on how many run at a time.
#[derive(Clone, Debug)]
pub struct Campaign {
    trial: Trial,
    seeds: Range<u64>,
    jobs: NonZeroUsize,
    keep_going: bool,
    cancel: Cancel,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its seed.
    pub seed: u64,
    /// What it came to.
    pub outcome: Result<Outcome, EngineError>,
}

impl Ran {
    /// Whether a promise was broken, or the world failed.
    pub fn failed(&self) -> bool {
        self.outcome.as_ref().map_or(true, |outcome| outcome.violation.is_some())
    }
}

impl Campaign {
    /// Runs these seeds, as many at a time as there are processors, until one fails.
    pub fn new(trial: Trial, seeds: Range<u64>) -> Self {
        let jobs = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Campaign { trial, seeds, jobs, keep_going: false, cancel: Cancel::new() }
    }

    /// Runs this many at a time.
    #[must_use]
    pub fn jobs(mut self, jobs: NonZeroUsize) -> Self {
        self.jobs = jobs;
        self
    }

    /// Whether to go on after a failure.
    #[must_use]
    pub fn keep_going(mut self, keep_going: bool) -> Self {
        self.keep_going = keep_going;
        self
    }

    /// Ends early when that is cancelled.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }

    /// Starts. `case_of` makes a seed's story. Dropping what it yields ends it.
    pub fn start(self, case_of: impl Fn(u64) -> Case + Send + Sync + 'static) -> Runs {
        let (ran, ended) = channel();
        let worker = Worker {
            trial: self.trial,
            case_of: Arc::new(case_of),
            line: Arc::new(Line {
                next: AtomicU64::new(self.seeds.start),
                end: AtomicU64::new(self.seeds.end),
                keep_going: self.keep_going,
                cancel: self.cancel,
                dropped: Cancel::new(),
            }),
            ran,
        };
        let seeds = self.seeds.end.saturating_sub(self.seeds.start);
        let runs = Runs { ended, line: Arc::clone(&worker.line), cancelled_at: None };
        for _ in 0..self.jobs.get().min(usize::try_from(seeds).unwrap_or(usize::MAX)) {
            let worker = worker.clone();
            thread::spawn(move || worker.work());
        }
        runs
    }
}

/// Where the seeds stand in line.
struct Line {
    next: AtomicU64,
    /// Seeds from here on are not wanted (any more).
    end: AtomicU64,
    keep_going: bool,
    cancel: Cancel,
    dropped: Cancel,
}

impl Line {
    fn wants(&self, seed: u64) -> bool {
        seed < self.end.load(Ordering::SeqCst) && !self.is_over()
    }

    fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || self.dropped.is_cancelled()
    }
}

#[derive(Clone)]
struct Worker {
    trial: Trial,
    case_of: Arc<dyn Fn(u64) -> Case + Send + Sync>,
    line: Arc<Line>,
    ran: Sender<Ran>,
}

impl Worker {
    fn work(self) {
        loop {
            let seed = self.line.next.fetch_add(1, Ordering::SeqCst);
            if !self.line.wants(seed) {
                return;
            }
            let Some(outcome) = self.run(seed) else { continue };
            let ran = Ran { seed, outcome };
            if ran.failed() && !self.line.keep_going {
                self.line.end.fetch_min(seed + 1, Ordering::SeqCst);
            }
            if self.ran.send(ran).is_err() {
                return;
            }
        }
    }

    fn run(&self, seed: u64) -> Option<Result<Outcome, EngineError>> {
        let line = Arc::clone(&self.line);
        let run = || self.trial.run_until(&(self.case_of)(seed), move || !line.wants(seed));
        catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|_| {
                let what = format!("the story of seed {seed} could not be made, or an oracle panicked");
                Err(EngineError { engine: self.trial.engine().name(), what })
            })
            .transpose()
    }
}

/// What a campaign comes to, as it comes.
pub struct Runs {
    ended: Receiver<Ran>,
    line: Arc<Line>,
    cancelled_at: Option<Instant>,
}

impl Runs {
    /// The same in the order of the seeds.
    pub fn in_order(self, first: u64) -> impl Iterator<Item = Ran> {
        let line = Arc::clone(&self.line);
        let mut runs = Some(self);
        let mut ordered = super::Ordered::<Ran>::from(first);
        let mut rest = None;
        std::iter::from_fn(move || {
            while let Some(coming) = &mut runs {
                if let Some(ran) = ordered.take_next() {
                    // It may have ended before a smaller seed was found to fail.
                    if ran.seed < line.end.load(Ordering::SeqCst) {
                        return Some(ran);
                    }
                    continue;
                }
                match coming.next() {
                    Some(ran) => ordered.put(ran.seed, ran),
                    None => runs = None,
                }
            }
            let end = line.end.load(Ordering::SeqCst);
            rest.get_or_insert_with(|| ordered.take_rest()).find(|ran| ran.seed < end)
        })
    }
}

impl Iterator for Runs {
    type Item = Ran;

    fn next(&mut self) -> Option<Ran> {
        loop {
            match self.ended.recv_timeout(Duration::from_millis(50)) {
                // Ended before it heard that nobody wants it.
                Ok(ran) if ran.seed >= self.line.end.load(Ordering::SeqCst) => {}
                Ok(ran) => return Some(ran),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if self.line.is_over() => {
                    if self.cancelled_at.get_or_insert_with(Instant::now).elapsed() > GRACE {
                        return None;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.line.dropped.cancel();
    }
}

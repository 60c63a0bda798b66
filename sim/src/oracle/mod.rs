//! Who judges a run.
//!
//! An oracle guards one promise. It sees [events](crate::history::Event) as they happen and
//! [looks](crate::history::Look) at the devices now and then, and says what is wrong the moment it
//! can be known. None of them reads the engine's own conclusions where it can draw its own.

mod acked_is_durable;
mod bounded;
mod causality;
mod conflict_log;
mod constraints;
mod convergence;
mod cursors;
mod derived;
mod honest_status;
mod journal_empties;
mod judge;
mod liveness;
mod no_lost_write;
mod no_zombies;
mod strategies;
mod sums;
mod trace;
mod whole_transactions;
mod words;

pub use acked_is_durable::AckedIsDurable;
pub use bounded::Bounded;
pub use causality::Causality;
pub use conflict_log::ConflictLog;
pub use constraints::Constraints;
pub use convergence::Convergence;
pub(crate) use convergence::shows_same;
pub use cursors::Cursors;
pub use derived::DerivedData;
pub use honest_status::HonestStatus;
pub use journal_empties::JournalEmpties;
pub use judge::Judge;
pub use liveness::Liveness;
pub use no_lost_write::NoLostWrite;
pub use no_zombies::NoZombies;
pub use strategies::Strategies;
pub use sums::Sums;
pub use whole_transactions::WholeTransactions;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::history::{Event, Look};
use crate::model::Ledger;
use crate::shape::Shape;
use crate::story::{Ms, Story};

/// Guards one promise.
pub trait Oracle: Send {
    /// A short name, stable: reports and options use it.
    fn name(&self) -> &'static str;

    /// The promise, in one sentence.
    fn promise(&self) -> &'static str;

    /// Whether it has something to say only where the replicas are real SQLite files.
    fn needs_sqlite(&self) -> bool {
        false
    }

    /// Whether it has something to say only where there is a hub.
    fn needs_hub(&self) -> bool {
        false
    }

    /// What of the promise it does not judge in this run, for a report: its name, and what it leaves out.
    fn leaves_out(&self) -> Option<&'static str> {
        None
    }

    /// Something happened.
    ///
    /// # Errors
    /// When that breaks the promise; says how, naming devices, rows and writes.
    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String>;

    /// How everyone looks.
    ///
    /// # Errors
    /// When that breaks the promise; says how.
    fn looked(&mut self, at: Ms, look: &Look) -> Result<(), String>;
}

/// All oracles, for one run of a case.
///
/// Where several would notice the same thing, the one that says most about it comes first.
pub fn all(case: &Case) -> Vec<Box<dyn Oracle>> {
    let ledger = Ledger::new(case);
    vec![
        Box::new(Bounded),
        Box::new(Cursors::default()),
        Box::new(Constraints),
        Box::new(DerivedData),
        Box::new(Causality::new(case, &ledger)),
        Box::new(WholeTransactions::new(case, &ledger)),
        Box::new(NoZombies::new(case, &ledger)),
        Box::new(Liveness::new(case, &ledger)),
        Box::new(Convergence::new(case)),
        Box::new(AckedIsDurable::new(case, &ledger)),
        Box::new(NoLostWrite::new(case, &ledger)),
        Box::new(Sums::new(case, &ledger)),
        Box::new(Strategies::new(case, &ledger)),
        Box::new(ConflictLog::new(case, &ledger)),
        Box::new(JournalEmpties::new(case)),
        Box::new(HonestStatus::new(case, &ledger)),
    ]
}

/// What an oracle is made for.
#[derive(Clone, Debug)]
pub struct Case {
    /// The schema.
    pub shape: Arc<Shape>,
    /// What will happen.
    pub story: Arc<Story>,
}

/// A broken promise.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Violation {
    /// Who noticed.
    pub oracle: String,
    /// The promise.
    pub promise: String,
    /// When, in simulated time.
    pub at: Ms,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} ms: {} (the promise: {})", self.oracle, self.at, self.what, self.promise)
    }
}

//! Who judges a run.
//!
//! An oracle guards one promise. It sees [events](crate::history::Event) as they happen and
//! [looks](crate::history::Look) at the devices now and then, and says what is wrong the moment it
//! can be known. None of them reads the engine's own conclusions where it can draw its own.

mod judge;
mod trace;

pub use judge::Judge;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::history::{Event, Look};
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

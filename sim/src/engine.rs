//! What runs a story.

use std::sync::Arc;

use crate::oracle::Judge;
use crate::shape::Shape;
use crate::story::Story;

/// Runs stories: in a simulated world with real parts, or as bare machines.
pub trait Engine: Send + Sync {
    /// Its name, as the option of the program says it.
    fn name(&self) -> &'static str;

    /// Whether its replicas are real SQLite files.
    fn has_sqlite(&self) -> bool;

    /// Runs a story to its end, or until the judge has found a [violation](Judge::violation),
    /// telling the judge what happens. The same story gives the same [hash](crate::outcome::Outcome::trace_hash).
    ///
    /// # Errors
    /// When the world itself failed, which says nothing about the promises: the disk is full, say.
    fn run(&self, shape: &Arc<Shape>, story: &Arc<Story>, judge: &mut Judge) -> Result<(), EngineError>;
}

/// The world itself failed.
#[derive(Debug, thiserror::Error)]
#[error("the {engine} engine failed: {what}")]
pub struct EngineError {
    /// Which engine.
    pub engine: &'static str,
    /// What happened.
    pub what: String,
}

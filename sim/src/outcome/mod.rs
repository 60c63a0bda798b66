//! What a run came to: one line of JSON a run, from which reports are made.

mod folder;
mod measures;
mod record;

pub use folder::{Folder, FolderError, FolderWriter, RunInfo};
pub use measures::{CatchUp, Measures, Traffic};
pub use record::{Lines, Record, RecordError, read_lines};

use serde::{Deserialize, Serialize};

use crate::oracle::Violation;

/// What a run came to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The engine's name.
    pub engine: String,
    /// The first broken promise; `None`: all were kept.
    #[serde(default)]
    pub violation: Option<Violation>,
    /// The oracles that had nothing to say, because the engine has no SQLite or the
    /// story no hub, and what others left out for that reason.
    #[serde(default)]
    pub skipped_oracles: Vec<String>,
    /// A hash over everything that happened, frames included: the same in every run of the same
    /// story.
    #[serde(default)]
    pub trace_hash: String,
    /// Figures.
    #[serde(default)]
    pub measures: Measures,
}

//! The engine with real parts: SQLite files, the driver, the WebSocket adapter, on simulated hosts.
//!
//! Where there is no hub, every device has a client that is called, and makes another one whenever it calls
//! somebody: they meet, sync, and part. In the quiet period everybody meets, round after round.
//!
//! Every device and the hub is a host of a [turmoil] simulation, with a real file in a directory on
//! a RAM disk. Only four things are not what ships: the network, the `Runtime` (clocks, timers,
//! randomness, and how long the store takes), and what the C library and SQLite draw
//! ([`determinism`]). All hosts run on one thread, one after the other.

mod air;
mod clock;
mod crashes;
mod device;
mod hub;
mod image;
mod line;
mod listen;
mod logged;
mod looks;
mod meetings;
mod merged;
mod migrations;
mod moves;
mod parts;
mod process;
mod records;
mod run;
mod runtime;
mod shaped;
mod watched;

pub use parts::{Parts, Real};

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tempfile::TempDir;

use crate::determinism;
use crate::engine::{Engine, EngineError};
use crate::oracle::Judge;
use crate::run::NO_PANIC;
use crate::shape::Shape;
use crate::story::{EPOCH_MS, Story};

/// The engine's name.
const NAME: &str = "world";

/// Runs stories with real parts, or with an embedder's own in their places.
///
/// The same story gives the same trace in every run on Linux; elsewhere it runs, and two runs may
/// differ in what the operating system draws
/// ([`determinism::IS_COMPLETE`]).
#[derive(Clone, Debug, Default)]
pub struct World<P: Parts = Real> {
    parts: Arc<P>,
}

impl World {
    /// A world of the parts that ship.
    pub fn new() -> Self {
        World::of(Real)
    }
}

impl<P: Parts> World<P> {
    /// A world of these parts.
    pub fn of(parts: P) -> Self {
        World { parts: Arc::new(parts) }
    }
}

impl<P: Parts> Engine for World<P> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn has_sqlite(&self) -> bool {
        true
    }

    fn run(&self, shape: &Arc<Shape>, story: &Arc<Story>, judge: &mut Judge) -> Result<(), EngineError> {
        // Made where chance is real: two runs of one story at a time need two directories.
        let dir = directory().map_err(|error| EngineError {
            engine: NAME,
            what: format!("cannot make a directory for its files: {error}"),
        })?;
        // A thread that has run something before has hash keys already.
        determinism::in_fresh_thread(story.seed, EPOCH_MS, || {
            let ran =
                catch_unwind(AssertUnwindSafe(|| run::run(&self.parts, shape, story, judge, dir.path())));
            ran.unwrap_or_else(|panic| Err(Stop::Panicked(message(&*panic)))).or_else(|stop| match stop {
                Stop::Broken => Ok(()),
                Stop::Panicked(what) => {
                    judge.broken(0, NO_PANIC, "nothing panics, whatever happens to it", what);
                    Ok(())
                }
                Stop::Failed(what) => Err(EngineError { engine: NAME, what }),
            })
        })
    }
}

/// A directory for a run, on a RAM disk where there is one: goes when it is dropped.
fn directory() -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("pocketsync-sim-");
    builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir())
}

/// Why a run ends before its story does.
#[derive(Debug)]
enum Stop {
    /// A promise is broken: the judge knows.
    Broken,
    /// A part panicked.
    Panicked(String),
    /// The world itself failed.
    Failed(String),
}

impl Stop {
    fn failed(doing: &str, error: impl std::fmt::Display) -> Self {
        Stop::Failed(format!("{doing}: {error}"))
    }
}

/// What somebody panicked with.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a word".to_owned())
}

//! The engine without SQLite and sockets: the bare machines of the library, with stores in memory,
//! in one loop over what happens next. For fleets of thousands, and for many seeds a second.
//!
//! Every device runs a real [`Session`](pocketsync_core::session::Session) against the real
//! [`Hub`](pocketsync_core::hub::Hub), frame by frame. What surrounds a session on a device (when to
//! connect, when to give up, what the status says) follows the rules of the client's driver, which
//! itself is not run: its futures are the world engine's business.
//!
//! The same story gives the same trace on every machine: all that is drawn comes from the story's
//! seed, in integers, each link and each device from a stream of its own.
//!
//! What there is no schema for is not there: nothing is parked, no constraint refuses or repairs
//! anything, a reference is the tag of a row, as text, and rules are not set: columns that merge are
//! written as others are. Oracles that need SQLite are left out.
//!
//! A [`Look`](crate::history::Look) shows one scope. Until the quiet period a check looks at about
//! thirty devices, scope by scope in turn; at its end every scope is looked at, each in a look of
//! its own with the same time.

pub(crate) mod cause;
mod client;
mod device;
mod draw;
mod fleet;
mod hub;
mod looks;
mod moves;
mod parts;
mod queue;
mod retry;
mod transit;
mod wire;
mod writer;

use std::sync::Arc;

use crate::engine::{Engine, EngineError};
use crate::oracle::Judge;
use crate::shape::Shape;
use crate::story::Story;
use fleet::Fleet;

pub use parts::{Altered, Between, Direct, Parts};

const NAME: &str = "machines";

/// The engine of bare machines. See the [module](self).
///
/// ```
/// use std::sync::Arc;
/// use pocketsync_sim::engine::Engine;
/// use pocketsync_sim::machines::Machines;
/// use pocketsync_sim::oracle::{Case, Judge};
/// use pocketsync_sim::shape::Shape;
/// use pocketsync_sim::story::Story;
///
/// let shape = Arc::new(Shape::default());
/// let story = Story { topology: Default::default(), seed: 1, devices: vec![], moves: vec![], quiet_at: 0, quiet_ms: 1, check_every_ms: 0 };
/// let story = Arc::new(story);
/// let mut judge = Judge::new(Case { shape: shape.clone(), story: story.clone() }, Vec::new(), false);
/// Machines.run(&shape, &story, &mut judge)?;
/// assert!(judge.violation().is_none());
/// # Ok::<(), pocketsync_sim::engine::EngineError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Machines;

impl Engine for Machines {
    fn name(&self) -> &'static str {
        NAME
    }

    fn has_sqlite(&self) -> bool {
        false
    }

    fn run(&self, shape: &Arc<Shape>, story: &Arc<Story>, judge: &mut Judge) -> Result<(), EngineError> {
        Fleet::new(shape, story, judge, &Direct)?.run();
        Ok(())
    }
}

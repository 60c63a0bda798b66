//! Ends runs that nobody waits for any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::history::{Event, Look};
use crate::oracle::Oracle;
use crate::story::Ms;

/// Asks whatever it was given to, to end early.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Nobody asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks. Running simulations end at the next thing that happens in them.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The name under which a run that was ended by [`Interrupt`] says so.
pub(super) const INTERRUPTED: &str = "interrupted";

/// An oracle that objects as soon as nobody waits for the run: every engine stops for that.
pub(super) struct Interrupt<F>(pub(super) F);

impl<F: Fn() -> bool + Send> Interrupt<F> {
    fn ask(&self) -> Result<(), String> {
        if self.0() { Err("nobody waits for this run".to_owned()) } else { Ok(()) }
    }
}

impl<F: Fn() -> bool + Send> Oracle for Interrupt<F> {
    fn name(&self) -> &'static str {
        INTERRUPTED
    }

    fn promise(&self) -> &'static str {
        "a run that nobody waits for ends"
    }

    fn saw(&mut self, _at: Ms, _event: &Event) -> Result<(), String> {
        self.ask()
    }

    fn looked(&mut self, _at: Ms, _look: &Look) -> Result<(), String> {
        self.ask()
    }
}

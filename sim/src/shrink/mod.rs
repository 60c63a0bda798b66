//! Makes a failing story smaller: what is left is what the failure needs.
//!
//! Delta debugging over the story's parts, largest first: faults, transactions, the writes inside
//! them, devices with all of theirs, wrong clocks and bad links, and at last time itself. Every
//! candidate is run; it is kept if it fails in the same way. Since a write chooses its row as a
//! fraction of what is visible, it means something whatever was left out before it.
//!
//! The quiet period is never made shorter: a story that converges late would seem to fail.

mod minimize;
mod part;
mod size;

pub use size::Size;

use std::time::Instant;

use crate::story::Story;

/// How much may be spent on making a story smaller.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most runs.
    pub runs: u32,
    /// No run begins after that.
    pub until: Option<Instant>,
}

impl Limits {
    fn allow(&self, runs: u32) -> bool {
        runs < self.runs && self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// What became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Shrunk {
    /// The smallest story that fails in the same way.
    pub story: Story,
    /// How many stories were tried.
    pub runs: u32,
    /// Whether nothing smaller was left to try; otherwise the limits were reached.
    pub finished: bool,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Stories tried so far.
    pub runs: u32,
    /// The smallest one that fails so far.
    pub size: Size,
}

/// Makes `story`, of which `fails` is known to be true, smaller.
pub fn shrink(
    story: &Story,
    limits: Limits,
    mut fails: impl FnMut(&Story) -> bool,
    mut progress: impl FnMut(Progress),
) -> Shrunk {
    let mut best = story.clone();
    let mut search = Search { limits, runs: 0, gave_up: false, fails: &mut fails, progress: &mut progress };
    loop {
        let before = Size::of(&best);
        for part in part::ALL {
            part(&mut best, &mut search);
        }
        if search.gave_up || Size::of(&best) == before {
            return Shrunk { story: best, runs: search.runs, finished: !search.gave_up };
        }
    }
}

/// Tries candidates for as long as it may.
struct Search<'a> {
    limits: Limits,
    runs: u32,
    gave_up: bool,
    fails: &'a mut dyn FnMut(&Story) -> bool,
    progress: &'a mut dyn FnMut(Progress),
}

impl Search<'_> {
    /// Takes `candidate` for the best if it is smaller and fails.
    fn take(&mut self, best: &mut Story, candidate: Story) -> bool {
        let size = Size::of(&candidate);
        if size >= Size::of(best) {
            return false;
        }
        if !self.limits.allow(self.runs) {
            self.gave_up = true;
            return false;
        }
        self.runs += 1;
        let fails = (self.fails)(&candidate);
        if fails {
            *best = candidate;
        }
        (self.progress)(Progress { runs: self.runs, size: Size::of(best) });
        fails
    }
}

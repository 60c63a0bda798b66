//! One line on a terminal that says how far long work has come. Nothing where stderr is no
//! terminal.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Work that takes less than this is not spoken of.
const QUIET: Duration = Duration::from_millis(400);

/// A spinner with a message.
pub(crate) struct Progress {
    since: Instant,
    bar: Option<ProgressBar>,
    noted: String,
}

impl Progress {
    /// Begins; shows itself when it has taken a while.
    pub(crate) fn new(message: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::hidden().with_message(message.to_owned());
            bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a constant template"));
            bar
        });
        Progress { since: Instant::now(), bar, noted: String::new() }
    }

    /// Says how far it is.
    pub(crate) fn say(&self, message: &str) {
        let Some(bar) = &self.bar else { return };
        if bar.is_hidden() && self.since.elapsed() >= QUIET {
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        }
        bar.set_message(message.to_owned());
        bar.tick();
    }

    /// Leaves a line on stderr, terminal or not, unless it was the last one already.
    pub(crate) fn note(&mut self, line: &str) {
        if self.noted == line {
            return;
        }
        line.clone_into(&mut self.noted);
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the line away.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

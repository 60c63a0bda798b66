//! What goes to stdout. Colour codes are taken out where it is no terminal, or `NO_COLOR` is set.

use std::io::{ErrorKind, Write};

use clap::builder::styling::{AnsiColor, Style};

use super::ended::{Failure, Result};

/// Names.
pub(super) const STRONG: Style = Style::new().bold();
/// What matters less.
pub(super) const FAINT: Style = Style::new().dimmed();
/// What is as it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What is not.
pub(super) const BAD: Style = AnsiColor::Red.on_default();

/// Text in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes text to stdout at once.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // The reader has seen enough (`pocketsync-sim replay … --trace | head`).
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failure::new(format!("cannot write to stdout: {error}"))),
    }
}

/// A number with few digits: what it is about.
pub(super) fn rough(number: f64) -> String {
    match number {
        large if large >= 100.0 => format!("{large:.0}"),
        _ => format!("{number:.1}"),
    }
}

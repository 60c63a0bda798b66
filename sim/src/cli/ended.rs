//! How a command ends: what it tells the shell, and what it tells a person when it failed.

use std::fmt;
use std::process::ExitCode;

/// How a command that did its work ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// Every promise was kept.
    Kept,
    /// A promise was broken.
    Broken,
    /// Ctrl-C ended it before it was done.
    Interrupted,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> ExitCode {
        match ended {
            Ended::Kept => ExitCode::SUCCESS,
            Ended::Broken => ExitCode::from(1),
            Ended::Interrupted => ExitCode::from(130),
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    hint: Option<String>,
}

/// What a command comes to.
pub(super) type Result<T = Ended> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure, in words that say what was in the way.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::new(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

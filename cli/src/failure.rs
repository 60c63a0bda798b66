//! How a command ends: what it tells the shell, and what it tells a person when it failed.

use std::fmt;
use std::process::ExitCode;

use pocketsync::OpenError;

/// How a command that did its work ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// All is well.
    Done,
    /// It worked, and the answer is no: the files differ, or are not in sync.
    No,
    /// A signal ended it before it was done.
    Interrupted {
        /// The signal's number.
        signal: u8,
    },
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        match outcome {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::No => ExitCode::from(1),
            Outcome::Interrupted { signal } => ExitCode::from(128 + signal),
        }
    }
}

/// Why a command could not do its work. Exit code 2.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
}

/// What a command comes to.
pub(crate) type Result<T = Outcome> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure, in words that say what was tried and what was in the way.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code of every failure.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(2)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::NotADatabase { path, error } => {
                Failure::new(format!("{}: not a SQLite database, or a damaged one ({error})", path.display()))
                    .hint("this program has no keys, so it cannot open encrypted files either")
            }
            OpenError::InUse { .. } => Failure::new(error.to_string()).hint(
                "a `pocketsync sync --watch` of this file syncs by itself; stop it to use this command",
            ),
            _ => Failure::new(error.to_string()),
        }
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

/// Adds to any error what was being done.
pub(crate) trait Context<T> {
    /// Turns the error into a failure: `what: error`.
    fn context(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure::new(format!("{what}: {error}")))
    }
}

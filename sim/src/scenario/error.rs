//! Why a scenario cannot be used, and what to do about it.

use std::path::{Path, PathBuf};

use crate::shape::ShapeError;

/// A scenario cannot be used. The message names the file, the line or the key, what was expected,
/// and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}; check the path", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not a scenario.
    #[error("{}:{line}: {what}\n  {line} | {text}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The line's text.
        text: String,
        /// What was expected.
        what: String,
    },
    /// A value makes no sense.
    #[error("{scenario}: {key}: {what}")]
    Value {
        /// The scenario's file, with the line where it is known, or its name.
        scenario: String,
        /// The key, as `section.key`.
        key: String,
        /// What is wrong, and what to write instead.
        what: String,
    },
    /// Its schema cannot be simulated.
    #[error("{scenario}: schema: {error}")]
    Schema {
        /// The scenario's name.
        scenario: String,
        /// Why.
        error: ShapeError,
    },
}

impl ScenarioError {
    /// A mistake that the TOML reader found in `text`.
    pub(super) fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let shown = text.lines().nth(line - 1).unwrap_or_default().trim_end().to_owned();
        ScenarioError::Syntax {
            file: file.to_owned(),
            line,
            text: shown,
            what: error.message().trim().to_owned(),
        }
    }

    /// Adds file and line to a mistake that was found in the values.
    pub(super) fn found_in(self, file: &Path, text: &str) -> Self {
        match self {
            ScenarioError::Value { key, what, .. } => {
                let scenario = match line_of(text, &key) {
                    Some(line) => format!("{}:{line}", file.display()),
                    None => file.display().to_string(),
                };
                ScenarioError::Value { scenario, key, what }
            }
            other => other,
        }
    }
}

/// The line on which `section.key` is set, counted from 1.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let mut current = String::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            current = line.trim_matches(['[', ']', ' ']).to_owned();
        } else if current == section
            && line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
        {
            return Some(number + 1);
        }
    }
    None
}

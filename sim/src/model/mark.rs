//! What a cell shows, small enough to be kept for every write.

use std::fmt;

use pocketsync_core::value::Value;

use crate::history::write_of;
use crate::shape::{Role, WriteId};

/// What a cell shows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mark {
    /// The value of a write, and its length: a torn value is not the write's.
    Stamp(WriteId, u32),
    /// A value that says nothing of who put it there.
    Plain(Value),
}

impl Mark {
    /// What a column of this role shows with this value.
    pub fn of(role: &Role, value: &Value) -> Self {
        let stamp = matches!(role, Role::Free(_)).then(|| write_of(value)).flatten();
        match stamp {
            Some(write) => Mark::Stamp(write, length(value)),
            None => Mark::Plain(value.clone()),
        }
    }
}

fn length(value: &Value) -> u32 {
    match value {
        Value::Text(bytes) | Value::Blob(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        _ => 0,
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mark::Stamp(write, _) => write!(f, "{write}"),
            Mark::Plain(value) => {
                let text = value.to_string();
                match text.char_indices().nth(40) {
                    Some((end, _)) => write!(f, "{}...", &text[..end]),
                    None => f.write_str(&text),
                }
            }
        }
    }
}

//! What an application says about conflicts: the rules that its devices set.

use std::fmt;

use pocketsync_core::conflict;
use serde::{Deserialize, Serialize};

/// A rule for a table, or for a column of it, in the words that the library has for it. Every device
/// sets it when it first opens its file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The table.
    pub table: String,
    /// The column; the whole table if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Who wins between writes that did not know of each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Who wins between a deletion and a change; for whole tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<OnDelete>,
    /// How the values of the column are merged; for columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Merge>,
}

/// How the values of a column are merged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// Differences add up.
    Counter,
    /// The largest value stays.
    Max,
    /// The smallest value stays.
    Min,
    /// A JSON array, as a set.
    Set,
}

/// Who wins between two writes of a cell that did not know of each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The later one.
    #[default]
    LastWriteWins,
    /// What reached the hub first.
    HubWins,
    /// What reached the hub last.
    ClientWins,
}

/// Who wins between a deletion and a change that did not know of each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// The deletion.
    #[default]
    DeleteWins,
    /// The later one.
    LastWriterWins,
}

impl Merge {
    const fn word(self) -> &'static str {
        match self {
            Merge::Counter => "counter",
            Merge::Max => "max",
            Merge::Min => "min",
            Merge::Set => "set",
        }
    }
}

impl Strategy {
    const fn word(self) -> &'static str {
        match self {
            Strategy::LastWriteWins => "last_write_wins",
            Strategy::HubWins => "hub_wins",
            Strategy::ClientWins => "client_wins",
        }
    }
}

impl OnDelete {
    const fn word(self) -> &'static str {
        match self {
            OnDelete::DeleteWins => "delete_wins",
            OnDelete::LastWriterWins => "last_writer_wins",
        }
    }
}

impl fmt::Display for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Rule {
    /// The rule as the library takes it.
    pub(crate) fn for_replica(&self) -> conflict::Rule {
        conflict::Rule::parse(
            &self.table,
            self.column.as_deref().unwrap_or_default(),
            self.strategy.map(Strategy::word),
            self.on_delete.map(OnDelete::word),
            self.merge.map(Merge::word),
        )
    }

    /// What the rule is for, as it is told: `note.title`.
    pub(crate) fn target(&self) -> String {
        match &self.column {
            Some(column) => format!("{}.{column}", self.table),
            None => self.table.clone(),
        }
    }
}

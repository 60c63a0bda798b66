//! Conflicts as they are remembered: what each side wrote, who won, by which rule.

use std::collections::BTreeMap;

use crate::clock::{Hlc, Version};
use crate::id::{RowId, SiteId};
use crate::value::Value;

/// What one side of a conflict wrote.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Written {
    /// A value in one column.
    Value(Value),
    /// The row, by column name, as it was with what this side wrote.
    Row(BTreeMap<String, Value>),
    /// The row was deleted.
    Deleted,
}

/// One side of a conflict.
#[derive(Clone, PartialEq, Debug)]
pub struct Write {
    /// What was written.
    pub what: Written,
    /// By whom.
    pub site: SiteId,
    /// When, by the writer's corrected clock.
    pub hlc: Hlc,
}

impl Write {
    /// A side of a conflict that has this version.
    pub fn new(what: Written, version: Version) -> Self {
        Write { what, site: version.site, hlc: version.hlc }
    }
}

/// Who won a conflict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Winner {
    /// What was there where the two met.
    Here,
    /// What came.
    Came,
    /// Neither: a resolver made something else of them.
    Neither,
}

impl Winner {
    /// A stable name for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Winner::Here => "here",
            Winner::Came => "came",
            Winner::Neither => "neither",
        }
    }
}

/// A conflict in a conflict log.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct LoggedConflict {
    /// Its number in this log.
    pub id: u64,
    /// About when it was logged, in milliseconds since 1970: the latest time that the log's owner
    /// knew of from any write.
    pub logged_ms: u64,
    /// The table.
    pub table: String,
    /// Which row.
    pub row: RowId,
    /// The column; `None` where one side deleted the row.
    pub column: Option<String>,
    /// What was there where the two met.
    pub here: Write,
    /// What came.
    pub came: Write,
    /// Who won.
    pub winner: Winner,
    /// Why: the word of a rule, and what there is to say besides.
    pub rule: String,
    /// Whether it waits for a person: a resolver did not want to decide, or failed.
    pub open: bool,
}

impl LoggedConflict {
    /// The sides that lost: what a restore may bring back. The latest comes first.
    pub fn losers(&self) -> Vec<&Write> {
        let mut losers = match self.winner {
            Winner::Here => vec![&self.came],
            Winner::Came => vec![&self.here],
            Winner::Neither => vec![&self.here, &self.came],
        };
        losers.sort_by_key(|write| std::cmp::Reverse((write.hlc, write.site)));
        losers
    }
}

/// How much a conflict log holds. What is over either bound goes, the oldest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ConflictLimits {
    /// How old an entry may get, in milliseconds. Default: 30 days.
    pub max_age_ms: u64,
    /// How many entries there may be. Default: 10,000.
    pub max_count: u64,
}

impl Default for ConflictLimits {
    fn default() -> Self {
        ConflictLimits { max_age_ms: 30 * 24 * 60 * 60 * 1000, max_count: 10_000 }
    }
}

impl ConflictLimits {
    /// Other bounds: an age in milliseconds, and a count.
    pub const fn new(max_age_ms: u64, max_count: u64) -> Self {
        ConflictLimits { max_age_ms, max_count }
    }
}

/// Which entries of a conflict log to look at; the default is all of them. The newest come first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ConflictFilter {
    /// Of this table only, in any case of its letters.
    pub table: Option<String>,
    /// Logged at this time or later, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Only those that wait for a person.
    pub open: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

impl ConflictFilter {
    /// Whether an entry is wanted, apart from the limit.
    pub fn wants(&self, conflict: &LoggedConflict) -> bool {
        self.table.as_ref().is_none_or(|table| conflict.table.eq_ignore_ascii_case(table))
            && self.since_ms.is_none_or(|since| conflict.logged_ms >= since)
            && (!self.open || conflict.open)
    }
}

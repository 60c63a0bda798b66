//! How the values of a column are merged where the later write is not to win.

use std::fmt;

/// What becomes of concurrent writes to a column that merges. A column without one is a register:
/// the later write wins.
///
/// ```
/// use pocketsync_core::conflict::MergeType;
/// assert_eq!(MergeType::named("Counter"), Some(MergeType::Counter));
/// assert_eq!(MergeType::Set.as_str(), "set");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[non_exhaustive]
pub enum MergeType {
    /// A number: the differences that writes make add up.
    Counter,
    /// The largest value that was written, in SQLite's order.
    Max,
    /// The smallest value that was written, in SQLite's order.
    Min,
    /// A JSON array as a set: what anybody added, without what those removed who had seen it.
    Set,
}

impl MergeType {
    /// All of them.
    pub const ALL: [MergeType; 4] = [MergeType::Counter, MergeType::Max, MergeType::Min, MergeType::Set];

    /// The word that stands for it in a rule.
    pub const fn as_str(self) -> &'static str {
        match self {
            MergeType::Counter => "counter",
            MergeType::Max => "max",
            MergeType::Min => "min",
            MergeType::Set => "set",
        }
    }

    /// What a word in a rule stands for.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|merge| merge.as_str().eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for MergeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! What an application keeps beside its tables that follows from them.

use serde::{Deserialize, Serialize};

/// Something that triggers keep, and that can as well be computed from the tables: a count, a search
/// index. Every device is asked whether the two agree.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// What it is, in words.
    pub what: String,
    /// A query that reads what is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// A query that computes the same rows anew, in any order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anew: Option<String>,
    /// A statement that fails where it is not as it should be, such as the `integrity-check` of a full-text index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

//! Which scopes: names, and names with `*` in them.

use std::fmt;
use std::str::FromStr;

use pocketsync_core::id::Scope;
use serde::Deserialize;

/// Says which scopes: a name, in which every `*` stands for any characters, none included.
///
/// ```
/// use pocketsync::{Scope, admission::ScopePattern};
///
/// let pattern: ScopePattern = "team-*".parse().unwrap();
/// assert!(pattern.matches(&Scope::new("team-7").unwrap()));
/// assert!(!pattern.matches(&Scope::new("my-team-7").unwrap()));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct ScopePattern(String);

impl ScopePattern {
    /// Whether it means this scope.
    pub fn matches(&self, scope: &Scope) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = scope.as_str().strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        // The first place where a part fits leaves the most for those after it.
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

/// A text that can match no scope.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` matches no scope: a scope has 1 to 255 bytes and no control characters")]
pub struct InvalidPattern(String);

impl FromStr for ScopePattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        match Scope::new(text) {
            Ok(scope) => Ok(ScopePattern(scope.into())),
            Err(_) => Err(InvalidPattern(text.to_owned())),
        }
    }
}

impl TryFrom<String> for ScopePattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        text.parse()
    }
}

impl fmt::Display for ScopePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything_and_nothing_else_does() {
        for (pattern, scope, expected) in [
            ("notes", "notes", true),
            ("notes", "notes2", false),
            ("notes", "Notes", false),
            ("*", "anything at all", true),
            ("team-*", "team-", true),
            ("team-*", "team", false),
            ("*-7", "team-7", true),
            ("*-7", "team-77", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("a*ab*b", "aabb", true),
            ("a*ab*b", "aab", false),
            ("a**b", "ab", true),
            ("a?c", "abc", false),
            ("ä*ö", "ä→ö", true),
        ] {
            let found = pattern.parse::<ScopePattern>().unwrap().matches(&Scope::new(scope).unwrap());
            assert_eq!(found, expected, "{pattern} and {scope}");
        }
        assert!("".parse::<ScopePattern>().is_err());
        assert!("a\nb".parse::<ScopePattern>().is_err());
    }
}

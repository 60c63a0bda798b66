//! What the column of a share is called among replicas.

use crate::conflict::MergeType;
use crate::id::SiteId;

/// Parts the name; no name in a schema is likely to hold it.
const SEPARATOR: char = '\u{1}';

/// The name of a column that holds one site's shares of another column.
///
/// ```
/// use pocketsync_core::conflict::MergeType;
/// use pocketsync_core::id::SiteId;
/// use pocketsync_core::merge::share::ShareName;
/// let name = ShareName { column: "n", merge: MergeType::Counter, site: SiteId::from_bytes([1; 16]) };
/// let written = name.to_string();
/// assert_eq!(ShareName::parse(&written), Some(name));
/// assert_eq!(ShareName::parse("n"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShareName<'a> {
    /// The column that merges, by the name that it has among replicas.
    pub column: &'a str,
    /// The type that the share was written under.
    pub merge: MergeType,
    /// Whose share.
    pub site: SiteId,
}

impl<'a> ShareName<'a> {
    /// Reads a column's name; `None` where it is not that of a share, or of a type that this build
    /// does not know.
    pub fn parse(name: &'a str) -> Option<Self> {
        let (rest, site) = name.rsplit_once(SEPARATOR)?;
        let (column, merge) = rest.rsplit_once(SEPARATOR)?;
        let merge = MergeType::ALL.into_iter().find(|known| known.as_str() == merge)?;
        if site.len() != 32 {
            return None;
        }
        let site = uuid::Uuid::try_parse(site).ok()?;
        Some(ShareName { column, merge, site: SiteId::from_bytes(site.into_bytes()) })
    }

    /// Whether a name is made as those of shares are, of whatever type.
    pub fn is_one(name: &str) -> bool {
        name.contains(SEPARATOR)
    }
}

impl std::fmt::Display for ShareName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let site = uuid::Uuid::from_bytes(*self.site.as_bytes());
        write!(f, "{}{SEPARATOR}{}{SEPARATOR}{}", self.column, self.merge, site.as_simple())
    }
}

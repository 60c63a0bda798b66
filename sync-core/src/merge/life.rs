//! Births and deaths of a row.

use crate::clock::Version;

/// The births and deaths of one row, as three maxima.
///
/// ```
/// use pocketsync_core::clock::{Hlc, Version};
/// use pocketsync_core::id::SiteId;
/// use pocketsync_core::merge::Life;
///
/// let at = |ms| Version::new(Hlc::from_ms(ms), SiteId::from_bytes([1; 16]));
/// let mut life = Life::born(at(1));
/// assert!(life.is_alive());
/// life.join(&Life::died(at(2)));
/// assert!(!life.is_alive());
/// life.join(&Life::born(at(3))); // the key was inserted again
/// assert!(life.is_alive());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Life {
    /// The largest insert version.
    pub born: Option<Version>,
    /// The largest delete version.
    pub died: Option<Version>,
    /// The largest delete version that was taken back.
    pub undone: Option<Version>,
}

impl Life {
    /// A life that only knows of an insert.
    pub const fn born(version: Version) -> Self {
        Life { born: Some(version), died: None, undone: None }
    }

    /// A life that only knows of a delete.
    pub const fn died(version: Version) -> Self {
        Life { born: None, died: Some(version), undone: None }
    }

    /// Takes the maximum of each part. Says whether anything changed.
    pub fn join(&mut self, other: &Life) -> bool {
        let before = *self;
        self.born = self.born.max(other.born);
        self.died = self.died.max(other.died);
        self.undone = self.undone.max(other.undone);
        *self != before
    }

    /// Whether the row exists: it was born, and after its last death that was not taken back.
    ///
    /// A concurrent update does not revive a deleted row; a later insert of its key does.
    pub fn is_alive(&self) -> bool {
        self.born.is_some() && (self.born > self.died || self.undone >= self.died)
    }

    /// Whether a cell of this version belongs to the present life: it is newer than the last
    /// death, or that death was taken back.
    pub fn covers(&self, version: Version) -> bool {
        Some(version) > self.died || self.undone >= self.died
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Life::default()
    }

    /// Birth, death and undone death, each alone.
    pub const fn parts(&self) -> [Life; 3] {
        let Life { born, died, undone } = *self;
        [
            Life { born, died: None, undone: None },
            Life { born: None, died, undone: None },
            Life { born: None, died: None, undone },
        ]
    }

    /// The versions that are set.
    pub fn versions(&self) -> impl Iterator<Item = Version> + use<> {
        [self.born, self.died, self.undone].into_iter().flatten()
    }
}

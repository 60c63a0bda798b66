//! Time: hybrid logical clocks ([`Hlc`]), the versions made of them ([`Version`]), and the
//! reading of the outside world's clocks that every input carries ([`Now`]).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::SiteId;

/// A hybrid logical clock value: 48 bits of wall milliseconds since 1970, 16 bits of counter.
///
/// After Kulkarni et al., "Logical Physical Clocks" (OPODIS 2014): close to wall time, yet always
/// larger than what its writer had seen. The counter carries into the milliseconds.
///
/// ```
/// use pocketsync_core::clock::Hlc;
/// let t = Hlc::from_ms(1_700_000_000_000);
/// assert_eq!(t.ms(), 1_700_000_000_000);
/// assert!(t.next() > t);
/// assert_eq!(t.next().ms(), t.ms());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Hlc(u64);

impl Hlc {
    /// The clock of what was there before tracking began. The smallest.
    pub const ZERO: Hlc = Hlc(0);
    /// The largest clock value, about the year 10889.
    pub const MAX: Hlc = Hlc(u64::MAX);
    const COUNTER_BITS: u32 = 16;

    /// The first clock value of a millisecond; times after the year 10889 saturate.
    pub const fn from_ms(ms: u64) -> Self {
        if ms >= 1 << 48 { Hlc(u64::MAX - 0xffff) } else { Hlc(ms << Self::COUNTER_BITS) }
    }

    /// The value whose 64 bits these are.
    pub const fn from_bits(bits: u64) -> Self {
        Hlc(bits)
    }

    /// All 64 bits: milliseconds above, counter in the low 16.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The wall milliseconds since 1970.
    pub const fn ms(self) -> u64 {
        self.0 >> Self::COUNTER_BITS
    }

    /// The smallest larger value; saturates at [`Hlc::MAX`].
    pub const fn next(self) -> Self {
        Hlc(self.0.saturating_add(1))
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ms(), self.0 & 0xffff)
    }
}

impl fmt::Debug for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hlc({self})")
    }
}

/// When and by whom something was written. Orders by clock, then by site.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Version {
    /// When.
    pub hlc: Hlc,
    /// By whom.
    pub site: SiteId,
}

impl Version {
    /// The version of what was there before tracking began: the smallest, the same everywhere.
    pub const GENESIS: Version = Version { hlc: Hlc::ZERO, site: SiteId::NIL };

    /// A version from its parts.
    pub const fn new(hlc: Hlc, site: SiteId) -> Self {
        Version { hlc, site }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.hlc, self.site)
    }
}

/// One reading of the outside world's clocks. Every input of a state machine carries one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Monotonic time since an arbitrary start, counting the time that the machine slept.
    pub mono: Duration,
    /// Wall time in milliseconds since 1970, right or wrong.
    pub wall_ms: u64,
}

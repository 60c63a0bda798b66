//! What a peer is not told, because it came from there.

use crate::id::SiteId;
use crate::merge::Life;

/// Whether a change under log number `seq`, which came from `origin` (`None`: it was made here),
/// is left out of what `peer` is told. Up to `resend_until` nothing is left out: the peer has lost
/// what it once sent.
///
/// ```
/// use pocketsync_core::{id::SiteId, store::is_echo};
/// let (a, b) = (SiteId::from_bytes([1; 16]), SiteId::from_bytes([2; 16]));
/// assert!(is_echo(5, Some(a), a, 0));
/// assert!(!is_echo(5, Some(a), b, 0) && !is_echo(5, None, a, 0) && !is_echo(5, Some(a), a, 7));
/// ```
pub fn is_echo(seq: u64, origin: Option<SiteId>, peer: SiteId, resend_until: u64) -> bool {
    origin == Some(peer) && seq > resend_until
}

/// Whether a life that a merge made of `before` and of what a peer `told` is news to that peer, so
/// that it must not pass as an echo: it has parts that the peer did not tell, or a death was taken
/// back, which tells the whole row again.
///
/// A cell has a log number of its own, but a life has one for its three parts: without this, a peer
/// that tells of a birth would never hear of the death that was known before.
///
/// ```
/// use pocketsync_core::clock::{Hlc, Version};
/// use pocketsync_core::{id::SiteId, merge::Life, store::is_news_to_its_sender};
/// let at = |ms| Version::new(Hlc::from_ms(ms), SiteId::from_bytes([1; 16]));
/// let (before, told) = (Life::died(at(9)), Life::born(at(5)));
/// let mut merged = before;
/// merged.join(&told);
/// assert!(is_news_to_its_sender(&before, &told, &merged));
/// assert!(!is_news_to_its_sender(&Life::default(), &told, &told));
/// ```
pub fn is_news_to_its_sender(before: &Life, told: &Life, merged: &Life) -> bool {
    merged != told || (merged.undone != before.undone && merged.undone >= merged.died)
}

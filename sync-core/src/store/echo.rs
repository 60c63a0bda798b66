//! What a peer is not told, because it came from there.

use crate::id::SiteId;

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

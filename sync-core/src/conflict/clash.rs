//! Own writes that met others before the peer had them.

use crate::id::SiteId;
use crate::merge::Cell;

/// A cell of our own that met another value, brought by a peer that did not hold ours yet.
///
/// The peer would judge the two if it had both, but the one that lost here is not in our state any
/// more, and a later write of ours over the one that won did not know of the other. So what lost
/// is told along, and what is written over a winner is told to have known no more than the winner
/// did.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Clash {
    /// Who brought the other value.
    pub(crate) peer: SiteId,
    /// Which table, row and column, by the store's numbers and keys.
    pub(crate) table: u32,
    pub(crate) row: Vec<u8>,
    pub(crate) column: u32,
    /// Our own.
    pub(crate) own: Cell,
    /// The log number under which it was written.
    pub(crate) seq: u64,
    /// The end of our log when the other one came.
    pub(crate) at: u64,
    /// Whether our own lost.
    pub(crate) lost: bool,
}

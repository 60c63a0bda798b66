//! When a piece of a peer's log is kept aside, and when it is merged.

/// How many bytes of an incomplete group are kept aside (see [`Changeset` weights]) before it is
/// merged in parts.
///
/// [`Changeset` weights]: crate::change::RowChange::weight
pub const STAGING_BYTES: usize = 16 << 20;

/// What to do with a piece that continues what is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// Keep it aside, durably, until its group is complete.
    Stage,
    /// Merge it, together with and after what was kept aside.
    Merge {
        /// Whether the group goes on: it has become too large to wait for, and its other pieces
        /// are merged as they come.
        streaming: bool,
    },
}

/// Decides about a piece of `bytes`, where `staged` bytes of its group are kept aside already, the
/// group is being merged in parts (`streaming`) or not, and the piece is the `last` one or not.
///
/// ```
/// use pocketsync_core::store::{Placement, STAGING_BYTES, place};
/// assert_eq!(place(0, false, 1_000, false), Placement::Stage);
/// assert_eq!(place(1_000, false, 1_000, true), Placement::Merge { streaming: false });
/// assert_eq!(place(STAGING_BYTES, false, 1, false), Placement::Merge { streaming: true });
/// ```
pub fn place(staged: usize, streaming: bool, bytes: usize, last: bool) -> Placement {
    if last || streaming || staged.saturating_add(bytes) > STAGING_BYTES {
        Placement::Merge { streaming: !last }
    } else {
        Placement::Stage
    }
}

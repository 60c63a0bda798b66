//! What a replica with local writers offers beside [`Store`].

use futures::stream::BoxStream;

use crate::lineage::Cursor;
use crate::store::{Store, StoreError};

/// A store that an application writes to behind the engine's back: a SQLite file.
///
/// Clones are handles to one replica. A driver runs every method but
/// [`committed`](Self::committed), [`suspend`](Self::suspend) and [`resume`](Self::resume)
/// through [`Runtime::unblock`](crate::runtime::Runtime::unblock), one at a time.
pub trait LocalStore: Store + Clone + Sync + 'static {
    /// Whether anything was committed since the last call, by anyone. Called a hundred times a
    /// second while there is activity, so it has to be cheap (`PRAGMA data_version`); it may say
    /// yes too often, but never no too often.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn changed(&mut self) -> Result<bool, StoreError>;

    /// Yields whenever the application says that it committed. Notices may be coalesced.
    fn committed(&self) -> BoxStream<'static, ()>;

    /// What there is to do.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn summary(&mut self) -> Result<Summary, StoreError>;

    /// Lets go of the file: interrupts running work, which rolls back and fails with
    /// [`StoreErrorKind::Suspended`](crate::store::StoreErrorKind::Suspended), and refuses new
    /// work likewise until [`resume`](Self::resume). Called where blocking is not allowed: a moment
    /// is all it may take.
    fn suspend(&self);

    /// Ends [`suspend`](Self::suspend).
    fn resume(&self);
}

/// What a replica has to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Local changes that the peer has not acknowledged, in rows, roughly; zero only when there
    /// is none. What was written but not yet folded counts.
    pub pending_changes: u64,
    /// Rows that the replica holds but cannot show yet: a constraint, an unknown column.
    pub parked: u64,
    /// Conflicts in the replica's log.
    pub conflicts: u64,
    /// The end of the replica's own log.
    pub position: Cursor,
}

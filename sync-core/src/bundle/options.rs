//! What an export and an import are told, and what they tell.

use std::fmt;
use std::sync::Arc;

use crate::clock::Now;
use crate::id::{Scope, SiteId};
use crate::lineage::Cursor;
use crate::wire::MAX_PIECE_BYTES;

type OnProgress = Arc<dyn Fn(BundleProgress) + Send + Sync>;

/// What to export.
///
/// ```
/// use pocketsync_core::bundle::ExportOptions;
/// use pocketsync_core::clock::Now;
/// use pocketsync_core::id::{Scope, SiteId};
/// let (scope, now) = (Scope::new("notes")?, Now { wall_ms: 1_700_000_000_000, ..Now::default() });
/// let for_anyone = ExportOptions::new(scope.clone(), now);
/// let for_one = ExportOptions::new(scope, now).for_peer(SiteId::from_bytes([7; 16]));
/// # Ok::<(), pocketsync_core::id::InvalidScope>(())
/// ```
#[derive(Clone)]
pub struct ExportOptions {
    pub(super) scope: Scope,
    pub(super) now: Now,
    pub(super) recipient: Option<SiteId>,
    pub(super) since: Option<Cursor>,
    pub(super) compression: bool,
    pub(super) piece_bytes: usize,
    pub(super) on_progress: Option<OnProgress>,
}

impl ExportOptions {
    /// Everything, for anyone.
    pub fn new(scope: Scope, now: Now) -> Self {
        ExportOptions {
            scope,
            now,
            recipient: None,
            since: None,
            compression: true,
            piece_bytes: 1 << 20,
            on_progress: None,
        }
    }

    /// For this replica alone: what it is not known to hold, and not what came from it.
    #[must_use]
    pub fn for_peer(mut self, site: SiteId) -> Self {
        self.recipient = Some(site);
        self
    }

    /// Only what came after this position of the exporting replica: the end of an earlier bundle
    /// ([`Exported::to`]), which whoever takes this one has to have taken.
    #[must_use]
    pub fn since(mut self, position: Cursor) -> Self {
        self.since = Some(position);
        self
    }

    /// Whether changes are compressed; they are unless this says otherwise.
    #[must_use]
    pub fn with_compression(mut self, compression: bool) -> Self {
        self.compression = compression;
        self
    }

    /// About how many bytes of changes one piece has: what an import has to do again when it is cut off. 1 MiB unless
    /// this says otherwise; at least one row it always is, and 2 MiB ([`MAX_PIECE_BYTES`]) at most beside it.
    #[must_use]
    pub fn with_piece_bytes(mut self, bytes: usize) -> Self {
        self.piece_bytes = bytes.clamp(1, MAX_PIECE_BYTES);
        self
    }

    /// Is called now and then, and says how far it is.
    #[must_use]
    pub fn on_progress(mut self, report: impl Fn(BundleProgress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(report));
        self
    }

    /// The position to begin after, where one was named.
    pub fn position(&self) -> Option<&Cursor> {
        self.since.as_ref()
    }

    /// For whom it is, if not for anyone.
    pub fn recipient(&self) -> Option<SiteId> {
        self.recipient
    }
}

impl fmt::Debug for ExportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportOptions")
            .field("scope", &self.scope)
            .field("recipient", &self.recipient)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

/// How to import.
#[derive(Clone)]
pub struct ImportOptions {
    pub(super) scope: Scope,
    pub(super) now: Now,
    pub(super) max_drift_ms: u64,
    pub(super) on_progress: Option<OnProgress>,
}

impl ImportOptions {
    /// A bundle of this scope, at this time. Versions are taken up to five minutes in the future.
    pub fn new(scope: Scope, now: Now) -> Self {
        ImportOptions { scope, now, max_drift_ms: 5 * 60 * 1_000, on_progress: None }
    }

    /// How far in the future, in milliseconds, versions are taken.
    #[must_use]
    pub fn with_max_drift_ms(mut self, max_drift_ms: u64) -> Self {
        self.max_drift_ms = max_drift_ms;
        self
    }

    /// Is called now and then, and says how far it is.
    #[must_use]
    pub fn on_progress(mut self, report: impl Fn(BundleProgress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(report));
        self
    }
}

impl fmt::Debug for ImportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportOptions")
            .field("scope", &self.scope)
            .field("max_drift_ms", &self.max_drift_ms)
            .finish_non_exhaustive()
    }
}

/// What is being done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BundleStep {
    /// A bundle is written.
    Writing,
    /// A bundle is looked through.
    Checking,
    /// A bundle is merged.
    Merging,
}

/// How far an export or import is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct BundleProgress {
    /// What is being done.
    pub step: BundleStep,
    /// Bytes of the bundle that are done.
    pub bytes: u64,
    /// Bytes of the whole bundle, where that is known.
    pub of_bytes: Option<u64>,
}

pub(super) fn report(to: &Option<OnProgress>, step: BundleStep, bytes: u64, of_bytes: Option<u64>) {
    if let Some(report) = to {
        report(BundleProgress { step, bytes, of_bytes });
    }
}

/// What an export wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Exported {
    /// Who made it.
    pub sender: SiteId,
    /// For whom, if not for anyone.
    pub recipient: Option<SiteId>,
    /// What it begins after, in the log of the sender.
    pub from: Cursor,
    /// Where it ends: whoever imports it has everything up to there.
    pub to: Cursor,
    /// How many rows it speaks of.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
}

/// What came of an import.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Imported {
    /// Who made the bundle: export for this site to answer.
    pub sender: SiteId,
    /// Whether all of it was here already, so that nothing was done.
    pub known: bool,
    /// How many rows the pieces spoke of that were taken now.
    pub rows: u64,
    /// How many rows of user tables look different now.
    pub changed_rows: u64,
    /// The bundle showed that this file was restored from a backup or cloned: it writes under this
    /// name from now on, and has nothing lost.
    pub new_site: Option<SiteId>,
}

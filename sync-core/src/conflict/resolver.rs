//! What an application may decide itself, on its hub.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Write;
use crate::id::{RowId, Scope};
use crate::value::Value;

/// Two writes of one row, made without knowledge of each other, that a [`Resolver`] is asked about.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Conflict {
    /// The logical database.
    pub scope: Scope,
    /// The table.
    pub table: String,
    /// Which row.
    pub row: RowId,
    /// The columns that both wrote, with different values, and whose rule is
    /// [`Strategy::Resolver`](super::Strategy::Resolver).
    pub columns: Vec<ContestedColumn>,
    /// The row as the hub had it, by column name.
    pub hub_row: BTreeMap<String, Value>,
    /// The same row with what came written over it.
    pub incoming_row: BTreeMap<String, Value>,
}

/// A column that both sides of a [`Conflict`] wrote.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct ContestedColumn {
    /// Its name.
    pub name: String,
    /// What the hub had.
    pub hub: Write,
    /// What came.
    pub incoming: Write,
}

/// What a [`Resolver`] says.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Resolution {
    /// What the hub had stays, in every contested column.
    KeepHub,
    /// What came is taken, in every contested column.
    KeepIncoming,
    /// These values, by column name. They may name other columns of the row too; in contested columns
    /// that are left out the later write wins.
    Merged(BTreeMap<String, Value>),
    /// A person has to decide: the later write wins for now, and the conflict is logged as open.
    Park,
}

/// Decides conflicts of columns whose rule is [`Strategy::Resolver`](super::Strategy::Resolver), on
/// the hub.
///
/// What it answers is written by the hub as a new write over both sides, so every device ends with
/// it, whatever it is. It is asked in the transaction that merges the change: it should be quick. A
/// resolver that panics has parked the conflict, and the hub goes on.
///
/// ```
/// use pocketsync_core::conflict::{Conflict, Resolution, Resolver, Written};
/// use pocketsync_core::store::MemoryStore;
/// # use pocketsync_core::{id::SiteId, lineage::Stamp};
///
/// /// Keeps the longer text.
/// struct Longer;
///
/// impl Resolver for Longer {
///     fn resolve(&self, conflict: &Conflict) -> Resolution {
///         let length = |what: &Written| match what {
///             Written::Value(value) => value.weight(),
///             _ => 0,
///         };
///         let merged = conflict.columns.iter().map(|column| {
///             let longer = [&column.hub, &column.incoming].into_iter().max_by_key(|side| length(&side.what));
///             match longer.map(|side| side.what.clone()) {
///                 Some(Written::Value(value)) => Some((column.name.clone(), value)),
///                 _ => None,
///             }
///         });
///         merged.collect::<Option<_>>().map_or(Resolution::Park, Resolution::Merged)
///     }
/// }
///
/// let hub = MemoryStore::hub(SiteId::from_bytes([9; 16]), Stamp(1)).with_resolver(Longer);
/// // The same for a hub in a file: HubStore::open(path, options)?.with_resolver(Longer)
/// ```
pub trait Resolver: Send + Sync {
    /// Decides. The same conflict should get the same answer.
    fn resolve(&self, conflict: &Conflict) -> Resolution;
}

impl<F: Fn(&Conflict) -> Resolution + Send + Sync> Resolver for F {
    fn resolve(&self, conflict: &Conflict) -> Resolution {
        self(conflict)
    }
}

/// A hub's resolver, if it has one.
#[derive(Clone, Default)]
pub(crate) struct HubResolver(Option<Arc<dyn Resolver>>);

impl HubResolver {
    pub(crate) fn new(resolver: impl Resolver + 'static) -> Self {
        HubResolver(Some(Arc::new(resolver)))
    }

    /// What the resolver says; `None` where there is none, and an error where it panics.
    pub(crate) fn ask(&self, conflict: &Conflict) -> Option<Result<Resolution, Panicked>> {
        let resolver = self.0.as_ref()?;
        // What a panic leaves behind in it is the resolver's own business: it is asked anew each time.
        let answer = catch_unwind(AssertUnwindSafe(|| resolver.resolve(conflict)));
        Some(answer.map_err(|_| {
            tracing::warn!(
                table = conflict.table,
                "the resolver panicked; the conflict is left for a person"
            );
            Panicked
        }))
    }
}

/// A resolver panicked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Panicked;

impl fmt::Debug for HubResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HubResolver").field(&self.0.is_some()).finish()
    }
}

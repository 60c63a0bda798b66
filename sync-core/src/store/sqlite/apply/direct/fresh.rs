//! Rows that this file cannot have yet: each site counts its rows, and it is known how far.

use std::collections::BTreeMap;

use crate::change::Changeset;
use crate::id::{RowId, SiteId};
use crate::store::Sites;

/// Up to which counter rows of other sites may be here.
#[derive(Debug, Default)]
pub(crate) struct Fresh(BTreeMap<SiteId, u64>);

impl Fresh {
    /// What is known before this changeset is learned of; `us` is who writes here.
    pub(crate) fn before(sites: &Sites, changeset: &Changeset, us: SiteId) -> Self {
        let mut known = BTreeMap::new();
        let mut last = None;
        for row in changeset.rows() {
            let RowId::Surrogate { site, .. } = row.id else { continue };
            // Of rows of our own there is another count.
            if site != us && last.replace(site) != Some(site) {
                known.entry(site).or_insert_with(|| sites.knowledge(site).counter);
            }
        }
        Fresh(known)
    }

    /// Whether a row was never heard of. It is after that, so that the second of two changes to a new row finds the first.
    pub(super) fn take(&mut self, id: &RowId) -> bool {
        let RowId::Surrogate { site, counter } = id else { return false };
        match self.0.get_mut(site) {
            Some(known) if counter > known => {
                *known = *counter;
                true
            }
            _ => false,
        }
    }
}

//! Taking a new site after a restore: what only this copy has is minted anew.

use sha2::{Digest, Sha256};

use super::scope::MemoryScope;
use crate::clock::Version;
use crate::id::{RowId, SiteId};
use crate::store::log::{row_key, row_of};
use crate::store::{Mint, Offered, Record};

impl MemoryScope {
    /// Takes a new site. The row ids and versions of our own folds after `kept` go with it,
    /// wherever they are referred to; clocks and log numbers stay.
    pub(super) fn take_new_site(&mut self, kept: u64) -> SiteId {
        let mut hash = Sha256::new();
        hash.update(b"pocketsync site after a fork");
        hash.update(self.state.site.as_bytes());
        hash.update(self.stamp.0.to_be_bytes());
        hash.update(self.state.head.to_be_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        let new = SiteId::from_bytes(bytes);
        let old = self.state.site;
        let (counter, last) = self.clock.used_at(kept);
        let mint = Mint { old, new, counter };
        let renewed = |seq: u64| seq > kept && self.clock.is_fold(seq);
        let moved: Vec<_> = (self.records.iter())
            .filter(|(_, record)| record.seq() > kept)
            .map(|(key, record)| (key.clone(), mint.record(record, kept, &self.clock, renewed)))
            .collect();
        for (key, record) in moved {
            let id = row_of(&key.1).expect("rows are kept under the keys of their ids");
            self.replace(&key, row_key(&mint.id(&id)), record);
        }
        self.state.site = new;
        // It is another's now: a correction of the clock keeps what is written over it above it.
        self.state.sites.learn_version(Version::new(last, old));
        self.state.sites.learn_row(&RowId::Surrogate { site: old, counter });
        // What lost was the old site's, and whoever has that has judged it.
        self.state.clashes.clear();
        self.state.offered = Offered::default();
        (self.state.unanswered, self.state.recent) = (None, None);
        new
    }
}

impl Mint {
    fn record(
        &self,
        record: &Record,
        kept: u64,
        clock: &super::clock::LocalClock,
        renewed: impl Fn(u64) -> bool,
    ) -> Record {
        let mut record = record.clone();
        // One log number stands for birth and death: each is placed by its own clock.
        let (kept_last, last) = (clock.used_at(kept).1, clock.used_at(u64::MAX).1);
        let life = &mut record.life;
        for version in [&mut life.born, &mut life.died, &mut life.undone].into_iter().flatten() {
            if version.hlc > kept_last && version.hlc <= last {
                self.version(version);
            }
        }
        for held in record.cells.values_mut().filter(|held| renewed(held.seq)) {
            self.version(&mut held.cell.version);
            held.cell.value = self.value(&held.cell.value);
        }
        record
    }

    fn version(&self, version: &mut Version) {
        if version.site == self.old {
            version.site = self.new;
        }
    }
}

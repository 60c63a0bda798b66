//! The sites that a store knows, as small ordinals: a UUID is written once a database, not once a
//! row.

use std::collections::{BTreeMap, BTreeSet};

use super::Knowledge;
use crate::change::Changeset;
use crate::clock::Version;
use crate::codec::{DecodeError, Reader, Writer};
use crate::id::{RowId, SiteId};

/// Sites by ordinal, and what is known of each one's writes. Ordinal 0 is [`SiteId::NIL`].
///
/// Lives in memory; the store loads it when it opens and writes [`take_dirty`](Self::take_dirty)
/// in the transaction that uses it.
#[derive(Clone, Debug)]
pub struct Sites {
    entries: Vec<(SiteId, Knowledge)>,
    ordinals: BTreeMap<SiteId, u64>,
    dirty: BTreeSet<u64>,
    /// The one that was asked for last: most of what is written together is one site's.
    last: (SiteId, u64),
}

impl Default for Sites {
    fn default() -> Self {
        let mut sites = Sites {
            entries: Vec::new(),
            ordinals: BTreeMap::new(),
            dirty: BTreeSet::new(),
            last: (SiteId::NIL, 0),
        };
        sites.load(0, SiteId::NIL, Knowledge::default());
        sites
    }
}

impl Sites {
    /// Takes in a stored entry. Ordinals are loaded in order, from 0 (which may be left out).
    pub fn load(&mut self, ordinal: u64, site: SiteId, knowledge: Knowledge) {
        let index = usize::try_from(ordinal).expect("ordinals are small");
        if index == self.entries.len() {
            self.entries.push((site, knowledge));
            self.ordinals.insert(site, ordinal);
        } else {
            self.entries[index] = (site, knowledge);
        }
    }

    /// The ordinal of a site, new if it was never seen.
    pub fn ordinal(&mut self, site: SiteId) -> u64 {
        if self.last.0 == site {
            return self.last.1;
        }
        if let Some(&ordinal) = self.ordinals.get(&site) {
            self.last = (site, ordinal);
            return ordinal;
        }
        let ordinal = self.entries.len() as u64;
        self.load(ordinal, site, Knowledge::default());
        self.dirty.insert(ordinal);
        ordinal
    }

    /// The ordinal of a site that was seen before.
    pub fn existing(&self, site: SiteId) -> Option<u64> {
        self.ordinals.get(&site).copied()
    }

    /// The site with this ordinal.
    pub fn site(&self, ordinal: u64) -> Option<SiteId> {
        self.entries.get(usize::try_from(ordinal).ok()?).map(|(site, _)| *site)
    }

    /// What is known of a site's writes.
    pub fn knowledge(&self, site: SiteId) -> Knowledge {
        self.existing(site).map_or_else(Knowledge::default, |ordinal| self.entries[ordinal as usize].1)
    }

    /// Every site and what is known of its writes, in the order of the ordinals.
    pub fn iter(&self) -> impl Iterator<Item = (SiteId, Knowledge)> + '_ {
        self.entries.iter().copied()
    }

    /// Learns of a write.
    pub fn learn_version(&mut self, version: Version) {
        let ordinal = self.ordinal(version.site);
        let known = &mut self.entries[ordinal as usize].1;
        if version.hlc > known.hlc {
            known.hlc = version.hlc;
            self.dirty.insert(ordinal);
        }
    }

    /// Learns of a row.
    pub fn learn_row(&mut self, id: &RowId) {
        if let RowId::Surrogate { site, counter } = id {
            let ordinal = self.ordinal(*site);
            let known = &mut self.entries[ordinal as usize].1;
            if *counter > known.counter {
                known.counter = *counter;
                self.dirty.insert(ordinal);
            }
        }
    }

    /// Learns of everything in a changeset.
    pub fn learn(&mut self, changeset: &Changeset) {
        let mut last = None;
        for version in changeset.versions() {
            // The cells of a row mostly have one version.
            if last != Some(version) {
                self.learn_version(version);
                last = Some(version);
            }
        }
        changeset.rows().for_each(|row| self.learn_row(&row.id));
    }

    /// The entries to write, and forgets that they were to be.
    pub fn take_dirty(&mut self) -> Vec<(u64, SiteId, Knowledge)> {
        std::mem::take(&mut self.dirty)
            .into_iter()
            .map(|ordinal| {
                let (site, knowledge) = self.entries[ordinal as usize];
                (ordinal, site, knowledge)
            })
            .collect()
    }

    /// Appends a version: the clock's eight bytes, then the site's ordinal.
    pub fn encode_version(&mut self, version: Version, writer: &mut Writer) {
        writer.bytes(&version.hlc.bits().to_be_bytes());
        writer.varint(self.ordinal(version.site));
    }

    /// Reads what [`encode_version`](Self::encode_version) wrote.
    ///
    /// # Errors
    /// When the bytes end early or name an ordinal that is not known.
    pub fn decode_version(&self, reader: &mut Reader<'_>) -> Result<Version, DecodeError> {
        let hlc = crate::clock::Hlc::from_bits(u64::from_be_bytes(reader.array()?));
        let site = self.site(reader.varint()?).ok_or(DecodeError::Invalid("unknown site ordinal"))?;
        Ok(Version { hlc, site })
    }
}

//! A set in which an addition wins over a removal that did not see it.
//!
//! Each time that a site adds an element, it gives it a new **dot**: the site's next number. Who
//! removes the element removes the dots that it sees. An element with a dot that nobody removed is
//! there. Elements of the base have no dots and are removed by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Hlc;
use crate::codec::{DecodeError, Reader, Writer};
use crate::id::SiteId;

/// One site's additions and removals since the base. Elements are canonical JSON.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Elements {
    /// The number of the next dot. It begins at the clock, so that a site which has forgotten its
    /// share of a past life gives no dot twice.
    next: u64,
    /// What it added, and has not removed itself.
    added: BTreeMap<String, u64>,
    /// Dots of others that it removed.
    removed: BTreeSet<(SiteId, u64)>,
    /// Elements of the base that it removed.
    dropped: BTreeSet<String>,
}

impl Elements {
    /// Whether nothing was ever added or removed. What was added and removed again leaves an empty
    /// set, where there may have been none.
    pub(super) fn is_none(&self) -> bool {
        self.next == 0 && self.removed.is_empty() && self.dropped.is_empty()
    }

    pub(super) fn add(&mut self, element: &str, now: Hlc) {
        if self.next == 0 {
            self.next = now.bits();
        }
        self.added.insert(element.to_owned(), self.next);
        self.next += 1;
    }

    /// Removes an element, of which others have these dots, and the base the element itself.
    pub(super) fn remove<'a>(
        &mut self,
        element: &str,
        others: impl Iterator<Item = (SiteId, &'a Elements)>,
        in_base: bool,
    ) {
        self.added.remove(element);
        self.removed.extend(others.filter_map(|(site, other)| Some((site, *other.added.get(element)?))));
        if in_base {
            self.dropped.insert(element.to_owned());
        }
    }

    /// Whether it has a dot of an element.
    pub(super) fn has(&self, element: &str) -> bool {
        self.added.contains_key(element)
    }

    /// Forgets removals of dots that their sites have taken back themselves: a dot is not used twice, so
    /// they do not come back.
    pub(super) fn forget_settled(&mut self, other: SiteId, held: &Elements) {
        let dots: BTreeSet<u64> = held.added.values().copied().collect();
        self.removed.retain(|(site, dot)| *site != other || *dot >= held.next || dots.contains(dot));
    }

    /// What came after `first`, as another site's: dots that `first` does not have, and the removal of
    /// those that are there no more.
    pub(super) fn since(&self, first: &Elements, old: SiteId) -> Elements {
        let mut rest = self.clone();
        rest.added.retain(|element, dot| first.added.get(element) != Some(dot));
        let gone = first.added.iter().filter(|(element, dot)| self.added.get(*element) != Some(dot));
        rest.removed.extend(gone.map(|(_, dot)| (old, *dot)));
        rest
    }

    /// Does once more what `rest` did since some earlier state of the same site's share, whose own dots it removed
    /// under the name of `site`.
    pub(super) fn redo(&mut self, rest: &Elements, site: SiteId) {
        self.next = self.next.max(rest.next);
        self.added.retain(|_, dot| !rest.removed.contains(&(site, *dot)));
        for (element, dot) in &rest.added {
            let held = self.added.entry(element.clone()).or_insert(*dot);
            *held = (*held).max(*dot);
        }
        self.removed.extend(rest.removed.iter().filter(|(of, _)| *of != site));
        self.dropped.extend(rest.dropped.iter().cloned());
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.varint(self.next);
        writer.varint(self.added.len() as u64);
        for (element, dot) in &self.added {
            writer.length_prefixed(element.as_bytes());
            writer.varint(self.next.wrapping_sub(*dot));
        }
        writer.varint(self.removed.len() as u64);
        for (site, dot) in &self.removed {
            writer.bytes(site.as_bytes());
            writer.varint(*dot);
        }
        writer.varint(self.dropped.len() as u64);
        self.dropped.iter().for_each(|element| writer.length_prefixed(element.as_bytes()));
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut elements = Elements { next: reader.varint()?, ..Elements::default() };
        for _ in 0..reader.count(2)? {
            let element = text(reader.length_prefixed()?)?;
            elements.added.insert(element, elements.next.wrapping_sub(reader.varint()?));
        }
        for _ in 0..reader.count(17)? {
            elements.removed.insert((SiteId::from_bytes(reader.array()?), reader.varint()?));
        }
        for _ in 0..reader.count(1)? {
            elements.dropped.insert(text(reader.length_prefixed()?)?);
        }
        Ok(elements)
    }
}

fn text(bytes: &[u8]) -> Result<String, DecodeError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(DecodeError::Invalid("an element that is not UTF-8")),
    }
}

/// The elements that a base and the shares of all sites make.
pub(super) fn present<'a>(
    base: &BTreeSet<String>,
    shares: impl Iterator<Item = (SiteId, &'a Elements)> + Clone,
) -> BTreeSet<String> {
    let removed: BTreeSet<(SiteId, u64)> =
        shares.clone().flat_map(|(_, share)| share.removed.iter().copied()).collect();
    let dropped: BTreeSet<&String> = shares.clone().flat_map(|(_, share)| &share.dropped).collect();
    let mut present: BTreeSet<String> =
        base.iter().filter(|element| !dropped.contains(element)).cloned().collect();
    for (site, share) in shares {
        let alive = share.added.iter().filter(|(_, dot)| !removed.contains(&(site, **dot)));
        present.extend(alive.map(|(element, _)| element.clone()));
    }
    present
}

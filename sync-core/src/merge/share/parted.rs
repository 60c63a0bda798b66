//! A share whose site goes on elsewhere: what of it belongs to a new site.

use super::part::outermost;
use super::{Base, Part, Share};
use crate::conflict::MergeType;
use crate::id::SiteId;

impl Share {
    /// What was contributed after `before`, which stays the share of the site `old`: together they make
    /// what this one makes. `goes_on`: this one contains what `before` contributed.
    pub fn since(&self, merge: MergeType, before: &Share, goes_on: bool, old: SiteId) -> Share {
        if !goes_on || before.resets != self.resets {
            return self.clone();
        }
        let base = if before.base == self.base { Base::Inherited } else { self.base.clone() };
        let part = match (&self.part, &before.part) {
            (Part::Counter(Some(all)), Part::Counter(Some(first))) => {
                let rest = all.since(first);
                if rest.is_zero() { Part::none(merge) } else { Part::Counter(Some(rest)) }
            }
            (Part::Set(all), Part::Set(first)) => Part::Set(all.since(first, old)),
            // The outermost value stays what it is, whoever says it.
            (part, _) => part.clone(),
        };
        Share { born: self.born, resets: self.resets, base, part }
    }

    /// This share with what [`since`](Self::since) found, done once more by the same site: what was contributed apart
    /// from it adds up.
    pub fn plus(&self, merge: MergeType, rest: &Share, site: SiteId) -> Share {
        if (rest.born, rest.resets) > (self.born, self.resets) {
            return rest.clone();
        }
        if (rest.born, rest.resets) < (self.born, self.resets) {
            return self.clone();
        }
        let base = if self.base == Base::Inherited { rest.base.clone() } else { self.base.clone() };
        let part = match (self.part.clone(), &rest.part) {
            (part, rest) if rest.is_none() => part,
            (Part::Counter(sum), Part::Counter(Some(more))) => {
                let mut sum = sum.unwrap_or_default();
                sum.add(more);
                Part::Counter(Some(sum))
            }
            (Part::Max(Some(here)), Part::Max(Some(there))) => {
                Part::Max(Some(outermost(merge, &here, there).clone()))
            }
            (Part::Min(Some(here)), Part::Min(Some(there))) => {
                Part::Min(Some(outermost(merge, &here, there).clone()))
            }
            (Part::Set(mut elements), Part::Set(rest)) => {
                elements.redo(rest, site);
                Part::Set(elements)
            }
            (_, rest) => rest.clone(),
        };
        Share { born: self.born, resets: self.resets, base, part }
    }
}

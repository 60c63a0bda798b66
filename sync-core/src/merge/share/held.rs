//! The value that a plain cell and shares make.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::json;
use super::part::{Part, outermost, takes};
use super::set::{self, Elements};
use super::total::Total;
use super::{Base, Share};
use crate::clock::Version;
use crate::conflict::MergeType;
use crate::id::SiteId;
use crate::merge::{Cell, Life};
use crate::value::Value;

/// A share that is held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldShare {
    /// The type that it was written under.
    pub merge: MergeType,
    /// Whose it is.
    pub site: SiteId,
    /// The version of its last change.
    pub version: Version,
    /// The share.
    pub share: Share,
}

/// What is held of one column of one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held<'a> {
    plain: Option<&'a Value>,
    default: Option<&'a Value>,
    /// The shares that count, by site.
    shares: Vec<HeldShare>,
}

impl<'a> Held<'a> {
    /// Takes the cells of a row with this life: the plain one, what the column shows where it was never
    /// written, and the cells of shares. A share that cannot be read counts as none.
    pub fn new<'c>(
        life: &Life,
        plain: Option<&'a Cell>,
        default: Option<&'a Value>,
        shares: impl IntoIterator<Item = (MergeType, SiteId, &'c Cell)>,
    ) -> Self {
        let counts = |version: Version, share: &Share| {
            let of_this_life =
                life.undone >= life.died || life.died.is_none_or(|died| share.born >= died.hlc);
            life.covers(version) && of_this_life
        };
        let read = |(merge, site, cell): (MergeType, SiteId, &Cell)| {
            let share = Share::from_value(merge, &cell.value).ok()?;
            let version = cell.version;
            counts(version, &share).then_some(HeldShare { merge, site, version, share })
        };
        let mut shares: Vec<HeldShare> = shares.into_iter().filter_map(read).collect();
        let resets = shares.iter().map(|held| held.share.resets).max();
        shares.retain(|held| Some(held.share.resets) == resets);
        shares.sort_by_key(|held| (held.site, held.merge));
        let plain = plain.filter(|cell| life.covers(cell.version)).map(|cell| &cell.value);
        Held { plain, default, shares }
    }

    /// How many resets the shares that count know of; `None`: no share counts.
    pub fn resets(&self) -> Option<u64> {
        self.shares.first().map(|held| held.share.resets)
    }

    /// The type of the shares that count: of the last one, where they were written under several.
    pub fn merge(&self) -> Option<MergeType> {
        self.shares.iter().max_by_key(|held| held.version).map(|held| held.merge)
    }

    /// The share of a site, if it counts.
    pub fn own(&self, site: SiteId, merge: MergeType) -> Option<&Share> {
        let mut shares = self.shares.iter();
        shares.find(|held| held.site == site && held.merge == merge).map(|held| &held.share)
    }

    /// The value to show. `None`: the column was never written, and shows its default.
    pub fn shown(&self) -> Option<Cow<'_, Value>> {
        let Some(merge) = self.merge() else { return self.plain.map(Cow::Borrowed) };
        let base = self.base();
        let parts = || self.parts(merge).filter(|part| !part.is_none());
        if parts().next().is_none() {
            return Some(base.map_or(Cow::Owned(Value::Null), Cow::Borrowed));
        }
        let base = base.filter(|base| takes(merge, base));
        Some(match merge {
            MergeType::Counter => Cow::Owned(self.total(base).value()),
            MergeType::Max | MergeType::Min => {
                let bounds = parts().filter_map(|part| match part {
                    Part::Max(bound) | Part::Min(bound) => bound.as_ref(),
                    _ => None,
                });
                let shown = base.into_iter().chain(bounds).reduce(|a, b| outermost(merge, a, b));
                Cow::Borrowed(shown.unwrap_or(&Value::Null))
            }
            MergeType::Set => Cow::Owned(json::array(&set::present(&self.base_elements(), self.elements()))),
        })
    }

    /// The sum of a base and all contributions.
    fn total(&self, base: Option<&Value>) -> Total {
        let mut total = base.and_then(Total::of).unwrap_or_default();
        for part in self.parts(MergeType::Counter) {
            if let Part::Counter(Some(part)) = part {
                total.add(part);
            }
        }
        total
    }

    /// The sum that a counter shows; `None`: it shows no number.
    pub(super) fn counted(&self) -> Option<Total> {
        let base = self.base();
        let is_counted = self.parts(MergeType::Counter).any(|part| !part.is_none());
        (is_counted || base.and_then(Total::of).is_some()).then(|| self.total(base))
    }

    /// What contributions are relative to.
    fn base(&self) -> Option<&Value> {
        let resets = self.shares.iter().filter_map(|held| match &held.share.base {
            Base::Reset(when, value) => Some((*when, held.site, value)),
            _ => None,
        });
        if let Some((_, _, value)) = resets.max() {
            return Some(value);
        }
        let inserted = || self.shares.iter().any(|held| held.share.base == Base::Nothing);
        self.plain.or_else(|| if inserted() { None } else { self.default })
    }

    /// The elements of the base of a set.
    pub(super) fn base_elements(&self) -> BTreeSet<String> {
        self.base().and_then(json::elements).unwrap_or_default()
    }

    /// The contributions of this type.
    fn parts(&self, merge: MergeType) -> impl Iterator<Item = &Part> {
        self.shares.iter().filter(move |held| held.merge == merge).map(|held| &held.share.part)
    }

    /// The contributions to a set.
    pub(super) fn elements(&self) -> impl Iterator<Item = (SiteId, &Elements)> + Clone {
        self.shares.iter().filter_map(|held| match &held.share.part {
            Part::Set(elements) => Some((held.site, elements)),
            _ => None,
        })
    }

    /// What the column shows where nothing was written.
    pub(super) fn default(&self) -> Option<&'a Value> {
        self.default
    }
}

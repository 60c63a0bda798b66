//! A whole row as people see it: no shares, but what they make.

use std::collections::BTreeMap;

use super::{Held, ShareName};
use crate::conflict::MergeType;
use crate::id::SiteId;
use crate::merge::{Cell, Life};
use crate::value::Value;

/// The values of a row's cells by column name, where each column that has shares has what they make of
/// it.
pub fn row<'c>(cells: impl IntoIterator<Item = (&'c str, &'c Cell)>) -> BTreeMap<String, Value> {
    let mut plain: BTreeMap<&str, &Cell> = BTreeMap::new();
    let mut shared: BTreeMap<&str, Vec<(MergeType, SiteId, &Cell)>> = BTreeMap::new();
    for (name, cell) in cells {
        match ShareName::parse(name) {
            Some(share) => shared.entry(share.column).or_default().push((share.merge, share.site, cell)),
            None if ShareName::is_one(name) => {}
            None => drop(plain.insert(name, cell)),
        }
    }
    let shown = |(column, shares): (&str, Vec<(MergeType, SiteId, &Cell)>)| {
        let held = Held::new(&Life::default(), plain.get(column).copied(), None, shares);
        Some((column.to_owned(), held.shown()?.into_owned()))
    };
    let shown: Vec<(String, Value)> = shared.into_iter().filter_map(shown).collect();
    let mut row: BTreeMap<String, Value> =
        plain.into_iter().map(|(name, cell)| (name.to_owned(), cell.value.clone())).collect();
    row.extend(shown);
    row
}

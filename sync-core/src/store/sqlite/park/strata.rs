//! In which order contests are decided, where a unique key contains a reference: what the rows
//! referred to are shown as has to be known first.

use std::collections::{BTreeMap, BTreeSet};

use super::super::catalog::{Catalog, Table};

/// The tables in the order in which their contests follow from each other.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Strata {
    /// Of tables whose keys refer to others.
    levels: BTreeMap<u32, u32>,
    /// Of tables whose keys refer, directly or not, to the table itself: the columns that do.
    chains: BTreeMap<u32, Vec<(usize, u32)>>,
}

impl Strata {
    /// The order of a schema.
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let edges: BTreeMap<u32, Vec<(usize, u32)>> = catalog
            .tables
            .values()
            .map(|table| (table.no, key_references(catalog, table)))
            .filter(|(_, edges)| !edges.is_empty())
            .collect();
        let reach: BTreeMap<u32, BTreeSet<u32>> =
            edges.keys().map(|&table| (table, reachable(&edges, table))).collect();
        let reaches = |from: u32, to: u32| reach.get(&from).is_some_and(|reach| reach.contains(&to));
        let mut strata = Strata::default();
        // The longest way down, where tables that refer to each other are one step.
        for _ in 0..edges.len() {
            for (&table, columns) in &edges {
                for &(_, parent) in columns {
                    let step = u32::from(!reaches(parent, table));
                    let level = strata.level(table).max(strata.level(parent) + step);
                    strata.levels.insert(table, level);
                }
            }
        }
        for (&table, columns) in &edges {
            let chain: Vec<_> = columns.iter().copied().filter(|(_, to)| reaches(*to, table)).collect();
            if !chain.is_empty() {
                strata.chains.insert(table, chain);
            }
        }
        strata
    }

    /// Contests of tables of a lower level are decided first.
    pub(crate) fn level(&self, table: u32) -> u32 {
        self.levels.get(&table).copied().unwrap_or(0)
    }

    /// The columns through which rows of a table, and of those that it is mutually dependent with,
    /// stand in line, and where they lead to. Empty for most tables.
    pub(crate) fn chain(&self, table: u32) -> &[(usize, u32)] {
        self.chains.get(&table).map_or(&[], Vec::as_slice)
    }

    /// The tables whose keys refer to themselves, directly or not.
    pub(crate) fn recursive(&self) -> impl Iterator<Item = u32> + '_ {
        self.chains.keys().copied()
    }
}

/// The columns of a table's keys that refer to rows which may be shown as others.
fn key_references(catalog: &Catalog, table: &Table) -> Vec<(usize, u32)> {
    let columns: BTreeSet<usize> =
        table.claim_keys().flat_map(|(_, key)| key.columns.iter().map(|(at, _)| *at)).collect();
    let target = |at: usize| {
        let parent = table.columns[at].reference.as_ref()?.table;
        let claims = catalog.tables.get(&parent).is_some_and(Table::has_claim_keys);
        claims.then_some((at, parent))
    };
    columns.into_iter().filter_map(target).collect()
}

fn reachable(edges: &BTreeMap<u32, Vec<(usize, u32)>>, from: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut list = vec![from];
    while let Some(table) = list.pop() {
        for &(_, to) in edges.get(&table).into_iter().flatten() {
            if found.insert(to) {
                list.push(to);
            }
        }
    }
    found
}

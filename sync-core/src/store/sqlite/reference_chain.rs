//! Where a foreign key leads in the end: to a row whose integer means nothing elsewhere, or to
//! plain values.

use std::collections::BTreeSet;

use super::catalog::{Catalog, ForeignKey, Reference};

/// Sets [`Column::reference`](super::catalog::Column::reference) throughout.
pub(crate) fn resolve(catalog: &mut Catalog) {
    let found: Vec<(u32, usize, Reference)> = catalog
        .tables
        .values()
        .flat_map(|table| (0..table.columns.len()).map(move |column| (table.no, column)))
        .filter_map(|(table, column)| {
            let reference = follow(catalog, table, column, &mut BTreeSet::new())?;
            Some((table, column, reference))
        })
        .collect();
    for (table, column, reference) in found {
        let table = catalog.tables.get_mut(&table).expect("it was found there");
        table.columns[column].reference = Some(reference);
    }
}

/// The surrogate row that a column's values mean, through any number of tables.
fn follow(
    catalog: &Catalog,
    table: u32,
    column: usize,
    seen: &mut BTreeSet<(u32, usize)>,
) -> Option<Reference> {
    if !seen.insert((table, column)) {
        return None;
    }
    let keys = catalog.tables[&table].foreign_keys.iter();
    let mut through: Vec<(&ForeignKey, usize)> =
        keys.filter_map(|key| Some((key, key.columns.iter().position(|&part| part == column)?))).collect();
    // What a key of one column says of it is more than what a composite key does.
    through.sort_by_key(|(key, _)| key.columns.len());
    through.into_iter().find_map(|(key, part)| target(catalog, key, part, seen))
}

fn target(
    catalog: &Catalog,
    key: &ForeignKey,
    part: usize,
    seen: &mut BTreeSet<(u32, usize)>,
) -> Option<Reference> {
    let parent = &catalog.tables[&key.parent];
    let name = &key.parent_columns[part];
    let column = parent.columns.iter().position(|column| column.name == *name)?;
    let here = Reference { table: parent.no, column: name.clone() };
    if parent.integer_key() == Some(column) {
        return Some(here);
    }
    if let Some(further) = follow(catalog, parent.no, column, seen) {
        return Some(further);
    }
    // Another column names one row of the parent only where it is unique by itself.
    (parent.is_surrogate() && key.columns.len() == 1).then_some(here)
}

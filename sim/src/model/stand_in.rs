//! Rows that are shown under the name of another one.
//!
//! Of two rows that claim a unique value one is shown, and who refers to the other shows that one
//! instead. Where the reference is part of a key, the row that it names is then shown under a name
//! that nobody may ever have given it, and wins that name from a younger row that was given it.

use pocketsync_core::value::Value;

use super::scope::folded;
use super::{Mark, Row, Rules, Scope};
use crate::history::DeviceView;
use crate::shape::{Key, Role, RowTag, Shape};

impl Scope {
    /// The rows that may be what a device shows under the name of `row`, besides itself.
    pub fn stand_ins<'s>(
        &'s self,
        shape: &'s Shape,
        rules: &'s Rules,
        row: &'s Row,
        view: &'s DeviceView,
    ) -> impl Iterator<Item = &'s Row> {
        let shifts = rules.shifting_key(row.tag.table);
        let others = self.rows().map(|(_, other)| other).filter(move |_| shifts);
        others.filter(|other| self.is_shown_as(shape, rules, other, &row.tag, view))
    }

    /// Whether one row, not visible itself, may be represented by another: both claimed the same
    /// unique value, or all that their keys differ in are rows of which that is true.
    fn is_shown_as(
        &self,
        shape: &Shape,
        rules: &Rules,
        hidden: &Row,
        shown: &RowTag,
        view: &DeviceView,
    ) -> bool {
        let table = shown.table;
        let apart = hidden.tag.table == table && hidden.tag != *shown;
        if !apart || hidden.inserts.is_empty() || view.rows.contains_key(&hidden.tag) {
            return false;
        }
        let Some(cells) = view.rows.get(shown).map(|shown| &shown.cells) else { return false };
        let Key::Natural { columns } = &shape.tables[table].key else {
            let shown = self.find(shown).map(|shown| self.row(shown));
            return shown.is_some_and(|shown| {
                rules.unique(table).iter().any(|&column| shares(hidden, shown, column))
            });
        };
        columns.iter().all(|&column| {
            // A key is the same in every write, or it were another row.
            let theirs = hidden.cells[column].nodes().first().map(|node| &node.mark);
            let Some(Mark::Plain(theirs)) = theirs else { return false };
            let ours = &cells[column];
            if theirs == ours {
                return true;
            }
            let Role::Reference { table: parent } = shape.tables[table].columns[column].role else {
                return false;
            };
            // A row that refers to its own kind by its key could be asked for itself.
            let tags = named(parent, theirs).zip(named(parent, ours)).filter(|_| parent != table);
            tags.and_then(|(theirs, ours)| Some((self.row(self.find(&theirs)?), ours)))
                .is_some_and(|(theirs, ours)| self.is_shown_as(shape, rules, theirs, &ours, view))
        })
    }
}

fn named(table: usize, key: &Value) -> Option<RowTag> {
    let Value::Text(name) = key else { return None };
    Some(RowTag { table, name: std::str::from_utf8(name).ok()?.to_owned() })
}

/// Whether two rows ever had the same value in a column.
fn shares(one: &Row, other: &Row, column: usize) -> bool {
    let values = |row: &Row| -> Vec<Value> {
        let plain = row.cells[column].nodes().iter().filter_map(|node| match &node.mark {
            Mark::Stamp(..) => None,
            Mark::Plain(value) => Some(folded(value)),
        });
        plain.filter(|value| *value != Value::Null).collect()
    };
    let others = values(other);
    values(one).iter().any(|value| others.contains(value))
}

//! Rows that are shown under the name of another one.
//!
//! Of two rows that claim a unique value one is shown, and who refers to the other shows that one
//! instead. Where the reference is part of a key, the row that it names is then shown under a name
//! that nobody may ever have given it, and wins that name from a younger row that was given it.

use pocketsync_core::value::Value;

use super::scope::folded;
use super::{Mark, Row, Rules, Scope};
use crate::shape::{Key, Role, RowTag, Shape};

impl Scope {
    /// The rows that may be what is shown under the name of `row`, besides itself.
    pub fn stand_ins<'s>(
        &'s self,
        shape: &'s Shape,
        rules: &'s Rules,
        row: &'s Row,
        is_visible: &'s impl Fn(&RowTag) -> bool,
    ) -> impl Iterator<Item = &'s Row> {
        let shifts = rules.shifting_key(row.tag.table);
        let others = self.rows().map(|(_, other)| other).filter(move |_| shifts);
        others.filter(|other| self.is_shown_as(shape, rules, other, row, is_visible))
    }

    /// Whether one row, not visible itself, may be represented by another: both claimed the same
    /// unique value, or all that their keys differ in are rows of which that is true.
    fn is_shown_as(
        &self,
        shape: &Shape,
        rules: &Rules,
        hidden: &Row,
        shown: &Row,
        is_visible: &impl Fn(&RowTag) -> bool,
    ) -> bool {
        let table = shown.tag.table;
        let apart = hidden.tag.table == table && hidden.tag != shown.tag;
        if !apart || is_visible(&hidden.tag) || !is_visible(&shown.tag) {
            return false;
        }
        let Key::Natural { columns } = &shape.tables[table].key else {
            return rules.unique(table).iter().any(|&column| shares(hidden, shown, column));
        };
        columns.iter().all(|&column| {
            let (theirs, ours) = (part(hidden, column), part(shown, column));
            if theirs.is_some() && theirs == ours {
                return true;
            }
            let Role::Reference { table: parent } = shape.tables[table].columns[column].role else {
                return false;
            };
            // A row that refers to its own kind by its key could be asked for itself.
            let named = |part| self.named_row(parent, part).filter(|_| parent != table);
            match (named(theirs), named(ours)) {
                (Some(theirs), Some(ours)) => self.is_shown_as(shape, rules, theirs, ours, is_visible),
                _ => false,
            }
        })
    }

    fn named_row(&self, table: usize, part: Option<&Mark>) -> Option<&Row> {
        let Some(Mark::Plain(Value::Text(name))) = part else { return None };
        let name = std::str::from_utf8(name).ok()?.to_owned();
        self.find(&RowTag { table, name }).map(|row| self.row(row))
    }
}

/// What a natural key says in a column: the same in every write, or it were another row.
fn part(row: &Row, column: usize) -> Option<&Mark> {
    row.cells[column].nodes().first().map(|node| &node.mark)
}

/// Whether two rows ever had the same value in a column.
fn shares(one: &Row, other: &Row, column: usize) -> bool {
    let values = |row: &'_ Row| -> Vec<_> {
        let plain = row.cells[column].nodes().iter().filter_map(|node| match &node.mark {
            Mark::Stamp(..) => None,
            Mark::Plain(value) => Some(folded(value)),
        });
        plain.filter(|value| *value != Value::Null).collect()
    };
    let others = values(other);
    values(one).iter().any(|value| others.contains(value))
}

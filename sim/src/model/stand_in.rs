//! Rows that are shown under the name of another one.
//!
//! Of two rows that claim a unique value one is shown, and who refers to the other shows that one
//! instead. Where the reference is part of a key, the row that it names is then shown under a name
//! that nobody may ever have given it, and wins that name from a younger row that was given it.

use pocketsync_core::value::Value;

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
        let shifts = rules.shifting_key(row.tag.table) && view.rows.contains_key(&row.tag);
        let others = self.rows().map(|(_, other)| other).filter(move |_| shifts);
        let hidden = others.filter(|other| !view.rows.contains_key(&other.tag));
        hidden.filter(|other| self.may_be_called(shape, rules, other, &row.tag))
    }

    /// The other rows under whose names a row may ever have been shown, and written to, anywhere.
    pub fn other_names<'s>(
        &'s self,
        shape: &'s Shape,
        rules: &'s Rules,
        row: &'s Row,
    ) -> impl Iterator<Item = &'s Row> {
        let shifts = rules.shifting_key(row.tag.table);
        let others = self.rows().map(|(_, other)| other).filter(move |_| shifts);
        others.filter(|other| self.may_be_called(shape, rules, row, &other.tag))
    }

    /// Whether another row may ever have been shown under this row's name, and written to, anywhere.
    pub fn may_show_another(&self, shape: &Shape, rules: &Rules, row: &Row) -> bool {
        let others = self.rows().map(|(_, other)| other).filter(|_| rules.shifting_key(row.tag.table));
        others.into_iter().any(|other| self.may_be_called(shape, rules, other, &row.tag))
    }

    /// Whether a row may have been hidden behind another one that was deleted, and so with it.
    pub fn may_have_gone_with_another(&self, rules: &Rules, row: &Row) -> bool {
        let table = row.tag.table;
        let shares = |other: &Row| {
            let both = |&column: &usize| (self.unique_values(other, column), self.unique_values(row, column));
            let mut claims = rules.unique(table).iter().map(both);
            other.tag.name.eq_ignore_ascii_case(&row.tag.name)
                || claims.any(|(theirs, ours)| !theirs.is_disjoint(&ours))
        };
        let others = self.rows().map(|(_, other)| other);
        let mut deleted = others.filter(|other| other.tag.table == table && !other.deaths.is_empty());
        deleted.any(|other| other.tag != row.tag && shares(other))
    }

    /// Whether one row may be represented by another: both may have claimed the same unique value,
    /// or all that their keys differ in are rows of which that is true.
    fn may_be_called(&self, shape: &Shape, rules: &Rules, hidden: &Row, shown: &RowTag) -> bool {
        let table = shown.table;
        let apart = hidden.tag.table == table && hidden.tag != *shown;
        let Some(shown) = self.find(shown).map(|shown| self.row(shown)) else { return false };
        if !apart || hidden.inserts.is_empty() {
            return false;
        }
        let Key::Natural { columns } = &shape.tables[table].key else {
            let unique = |&column: &usize| {
                let theirs = self.unique_values(hidden, column);
                !theirs.is_disjoint(&self.unique_values(shown, column))
            };
            return rules.unique(table).iter().any(unique);
        };
        // A key is the same in every write, or it were another row.
        let written =
            |row: &Row, column: usize| match row.cells[column].nodes().first().map(|node| &node.mark) {
                Some(Mark::Plain(value)) => Some(value.clone()),
                _ => None,
            };
        // Under a name that nobody inserted there may only ever have been written to.
        let parts: Vec<&str> = shown.tag.name.split('|').collect();
        let key = |row: &Row, n: usize, column: usize| {
            let part = || parts.get(n).filter(|_| parts.len() == columns.len()).map(|part| Value::text(part));
            written(row, column).or_else(|| part().filter(|_| row.tag == shown.tag))
        };
        columns.iter().enumerate().all(|(n, &column)| {
            let Some((theirs, ours)) = key(hidden, n, column).zip(key(shown, n, column)) else {
                return false;
            };
            if theirs == ours {
                return true;
            }
            let Role::Reference { table: parent, .. } = shape.tables[table].columns[column].role else {
                return false;
            };
            if alike(&theirs, &ours) {
                return true;
            }
            // A row that refers to its own kind by its key could be asked for itself.
            let tags = named(parent, &theirs).zip(named(parent, &ours)).filter(|_| parent != table);
            tags.and_then(|(theirs, ours)| Some((self.row(self.find(&theirs)?), ours)))
                .is_some_and(|(theirs, ours)| self.may_be_called(shape, rules, theirs, &ours))
        })
    }
}

/// Whether two names of a row that is referred to may be one: they differ in case, or in what marks
/// that the row is spelled in another way.
fn alike(theirs: &Value, ours: &Value) -> bool {
    let (Value::Text(theirs), Value::Text(ours)) = (theirs, ours) else { return false };
    let bare = |name: &[u8]| name.strip_prefix(b"?").unwrap_or(name).to_ascii_lowercase();
    bare(theirs) == bare(ours)
}

fn named(table: usize, key: &Value) -> Option<RowTag> {
    let Value::Text(name) = key else { return None };
    Some(RowTag { table, name: std::str::from_utf8(name).ok()?.to_owned() })
}

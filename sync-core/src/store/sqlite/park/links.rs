//! Which columns refer to which, seen from both ends.

use std::collections::{BTreeMap, BTreeSet};

use super::super::affinity::stored;
use super::super::catalog::{Catalog, Collation, FkAction, Table};
use super::claims::{key_part, merged};
use super::defaults::Defaults;
use crate::codec::Writer;
use crate::id::RowId;
use crate::store::Record;
use crate::value::Value;

/// Something that a row refers to, and that another row is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Target {
    /// A row of a surrogate table, by its id.
    Row(u32, RowId),
    /// The row of a table with these values in these columns (positions).
    Key(u32, Vec<usize>, Vec<u8>),
}

impl Target {
    /// The table of the row that is referred to.
    pub(crate) fn table(&self) -> u32 {
        match self {
            Target::Row(table, _) | Target::Key(table, ..) => *table,
        }
    }

    /// The stored form, beside the table.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Target::Row(_, id) => {
                writer.byte(0);
                id.encode(&mut writer);
            }
            Target::Key(_, columns, key) => {
                writer.byte(1);
                writer.varint(columns.len() as u64);
                columns.iter().for_each(|&column| writer.varint(column as u64));
                writer.bytes(key);
            }
        }
        writer.into_bytes()
    }
}

/// A foreign key, or a column that holds another row's global id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    /// The referring table.
    pub(crate) child: u32,
    /// Its columns, as positions.
    pub(crate) child_columns: Vec<usize>,
    /// The table referred to.
    pub(crate) parent: u32,
    /// Its columns, as positions.
    pub(crate) parent_columns: Vec<usize>,
    /// How the parent's columns compare.
    pub(crate) collations: Vec<Collation>,
    /// Their declared types: what is compared with them is taken as they would store it.
    pub(crate) types: Vec<String>,
    /// Whether the merged value is the parent's id, and not its columns' values.
    pub(crate) by_row: bool,
    /// Whether a child that never wrote its columns refers to something.
    has_default: bool,
}

impl Link {
    /// What a row refers to through this link: nothing where a part is NULL or dangles. What was
    /// never written is the default.
    pub(crate) fn need(
        &self,
        table: &Table,
        id: &RowId,
        record: &Record,
        defaults: &Defaults,
    ) -> Option<Target> {
        let mut writer = Writer::new();
        for (n, &position) in self.child_columns.iter().enumerate() {
            match merged(table, id, record, position).or_else(|| defaults.get(table.no, position))? {
                Value::Ref(id) if self.by_row => return Some(Target::Row(self.parent, (**id).clone())),
                Value::Null | Value::Dangling(_) => return None,
                value => {
                    let shown = stored(&table.columns[position].declared_type, value);
                    key_part(&stored(&self.types[n], &shown), &self.collations[n], &mut writer);
                }
            }
        }
        Some(Target::Key(self.parent, self.parent_columns.clone(), writer.into_bytes()))
    }

    /// What a row of the parent table is to those who refer through this link.
    fn offers(&self, table: &Table, id: &RowId, record: &Record, defaults: &Defaults) -> Vec<Target> {
        let mut offers = Vec::new();
        if self.by_row {
            offers.push(Target::Row(self.parent, id.clone()));
            if !self.has_default {
                return offers;
            }
        }
        let mut writer = Writer::new();
        for (n, &position) in self.parent_columns.iter().enumerate() {
            match merged(table, id, record, position).or_else(|| defaults.get(table.no, position)) {
                None | Some(Value::Null) => return offers,
                Some(value) => key_part(&stored(&self.types[n], value), &self.collations[n], &mut writer),
            }
        }
        offers.push(Target::Key(self.parent, self.parent_columns.clone(), writer.into_bytes()));
        offers
    }
}

/// The links of a schema.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Links {
    by_parent: BTreeMap<u32, Vec<Link>>,
    by_child: BTreeMap<u32, Vec<Link>>,
    /// The tables whose rows others may keep from being deleted.
    pinned: BTreeSet<u32>,
    /// Those, and the tables that such rows hang on.
    kept: BTreeSet<u32>,
}

impl Links {
    /// The links that a catalog declares.
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let mut links = Links::default();
        for table in catalog.tables.values() {
            for (position, column) in table.columns.iter().enumerate() {
                let Some(reference) = &column.reference else { continue };
                let Some(parent) = catalog.tables.get(&reference.table) else { continue };
                links.add(table, vec![position], parent, std::slice::from_ref(&reference.column), true);
            }
            for key in &table.foreign_keys {
                let Some(parent) = catalog.tables.get(&key.parent) else { continue };
                let by_row = matches!(key.columns[..], [only]
                    if table.columns[only].reference.as_ref().is_some_and(|to| to.table == key.parent));
                if !by_row {
                    links.add(table, key.columns.clone(), parent, &key.parent_columns, false);
                }
            }
        }
        for key in catalog.tables.values().flat_map(|table| &table.foreign_keys) {
            // SET NULL and SET DEFAULT may turn out to be what a column cannot take.
            if key.on_delete != FkAction::Cascade {
                links.pinned.insert(key.parent);
            }
        }
        links.kept.clone_from(&links.pinned);
        loop {
            let before = links.kept.len();
            for table in catalog.tables.values() {
                if links.kept.contains(&table.no) {
                    links.kept.extend(table.foreign_keys.iter().map(|key| key.parent));
                }
            }
            // A row is pinned through the rows that would go with it, too.
            for table in catalog.tables.values() {
                if links.pinned.contains(&table.no) {
                    let cascades = table.foreign_keys.iter().filter(|key| key.on_delete == FkAction::Cascade);
                    links.pinned.extend(cascades.map(|key| key.parent));
                }
            }
            links.kept.extend(links.pinned.clone());
            if links.kept.len() == before {
                return links;
            }
        }
    }

    /// Whether a live row may keep rows of a table from going with their parents.
    pub(crate) fn pins(&self, table_no: u32) -> bool {
        self.pinned.contains(&table_no)
    }

    /// Whether a deleted row of a table may have to come back, so that its values are kept.
    pub(crate) fn keeps_dead(&self, table_no: u32) -> bool {
        self.kept.contains(&table_no)
    }

    fn add(&mut self, child: &Table, columns: Vec<usize>, parent: &Table, names: &[String], by_row: bool) {
        let named =
            |name: &String| parent.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        let Some(parent_columns) = names.iter().map(named).collect::<Option<Vec<_>>>() else { return };
        let collation = |position: &usize| {
            let declared = parent.unique_keys.iter().find(|key| {
                key.columns.len() == parent_columns.len()
                    && key.columns.iter().all(|(column, _)| parent_columns.contains(column))
            });
            let part = declared.and_then(|key| key.columns.iter().find(|(column, _)| column == position));
            part.map_or(Collation::Binary, |(_, collation)| collation.clone())
        };
        let collations = parent_columns.iter().map(collation).collect();
        let types = parent_columns.iter().map(|&at| parent.columns[at].declared_type.clone()).collect();
        let has_default = columns.iter().all(|&at| child.columns[at].default.is_some());
        let link = Link {
            child: child.no,
            child_columns: columns,
            parent: parent.no,
            parent_columns,
            collations,
            types,
            by_row,
            has_default,
        };
        self.by_child.entry(child.no).or_default().push(link.clone());
        self.by_parent.entry(parent.no).or_default().push(link);
    }

    /// The links that end at a table.
    pub(crate) fn to(&self, table_no: u32) -> &[Link] {
        self.by_parent.get(&table_no).map_or(&[], Vec::as_slice)
    }

    /// The links that begin at a table.
    pub(crate) fn from(&self, table_no: u32) -> &[Link] {
        self.by_child.get(&table_no).map_or(&[], Vec::as_slice)
    }

    /// What a row is to those who refer to it.
    pub(crate) fn offers(
        &self,
        table: &Table,
        id: &RowId,
        record: &Record,
        defaults: &Defaults,
    ) -> Vec<Target> {
        let mut offers: Vec<Target> =
            self.to(table.no).iter().flat_map(|link| link.offers(table, id, record, defaults)).collect();
        offers.sort();
        offers.dedup();
        offers
    }

    /// The tables, parents before their children where they do not refer to each other.
    pub(crate) fn parents_first(&self, tables: impl Iterator<Item = u32>) -> Vec<u32> {
        fn visit(links: &Links, table: u32, done: &mut Vec<u32>, open: &mut Vec<u32>) {
            if done.contains(&table) || open.contains(&table) {
                return;
            }
            open.push(table);
            for link in links.from(table) {
                visit(links, link.parent, done, open);
            }
            open.pop();
            done.push(table);
        }
        let mut done = Vec::new();
        for table in tables {
            visit(self, table, &mut done, &mut Vec::new());
        }
        done
    }
}

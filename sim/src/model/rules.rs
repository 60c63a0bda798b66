//! What a schema does on its own account.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::shape::{Key, OnDelete, Role, Rule, Shape, Strategy};

/// What a schema does on its own account, table by table.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    tables: Vec<TableRules>,
}

#[derive(Clone, Debug, Default)]
struct TableRules {
    revivable: bool,
    unique: Vec<usize>,
    set_null: BTreeMap<usize, BTreeSet<usize>>,
    references: Vec<usize>,
    free: Vec<usize>,
    shifting_key: bool,
    /// By column.
    strategies: Vec<Strategy>,
    on_delete: OnDelete,
}

impl Rules {
    /// The rules of a schema, as SQLite understands it.
    pub fn of(shape: &Shape) -> Self {
        let mut tables: Vec<TableRules> = shape.tables.iter().map(by_roles).collect();
        // A shape was read off its SQL, so the SQL is good; without it nothing more is known.
        if let Ok(declared) = Declared::read(shape) {
            for (table, unique) in declared.unique {
                tables[table].unique = unique.into_iter().collect();
            }
            for (table, set_null) in declared.set_null {
                tables[table].set_null = set_null;
            }
            for table in revivable(declared.pinned, &declared.parents) {
                tables[table].revivable = true;
            }
        }
        for (number, (table, rules)) in shape.tables.iter().zip(&mut tables).enumerate() {
            let named_by = match &table.key {
                Key::Natural { columns } => columns.as_slice(),
                Key::Surrogate { .. } => &[],
            };
            rules.shifting_key = named_by.iter().any(|column| rules.references.contains(column));
            rules.free.retain(|&column| !shape.is_dropped(number, column));
            rules.strategies = vec![Strategy::default(); table.columns.len()];
        }
        let mut rules = Rules { tables };
        // What is said of a column counts before what is said of its table.
        let (of_tables, of_columns): (Vec<_>, Vec<_>) =
            shape.rules.iter().partition(|rule| rule.column.is_none());
        of_tables.into_iter().chain(of_columns).for_each(|rule| rules.choose(shape, rule));
        rules
    }

    fn choose(&mut self, shape: &Shape, rule: &Rule) {
        let Some(table) = shape.table(&rule.table) else { return };
        let columns = shape.tables[table].columns.iter();
        let is_meant =
            |name: &str| rule.column.as_ref().is_none_or(|column| column.eq_ignore_ascii_case(name));
        let rules = &mut self.tables[table];
        for (strategy, _) in
            rules.strategies.iter_mut().zip(columns).filter(|(_, column)| is_meant(&column.name))
        {
            *strategy = rule.strategy.unwrap_or(*strategy);
        }
        rules.on_delete = rule.on_delete.unwrap_or(rules.on_delete);
    }

    /// Who wins between two writes of a cell that did not know of each other.
    pub fn strategy(&self, table: usize, column: usize) -> Strategy {
        self.tables[table].strategies.get(column).copied().unwrap_or_default()
    }

    /// Who wins between a deletion and a change that did not know of each other.
    pub fn on_delete(&self, table: usize) -> OnDelete {
        self.tables[table].on_delete
    }

    /// Whether a deleted row of the table comes back where a child that nobody deleted refers to it.
    pub fn revivable(&self, table: usize) -> bool {
        self.tables[table].revivable
    }

    /// The columns in which two rows of the table may not be equal, besides its key.
    pub fn unique(&self, table: usize) -> &[usize] {
        &self.tables[table].unique
    }

    /// The tables whose deleted rows take the value of a column with them.
    pub fn set_null(&self, table: usize, column: usize) -> &BTreeSet<usize> {
        static NONE: BTreeSet<usize> = BTreeSet::new();
        self.tables[table].set_null.get(&column).unwrap_or(&NONE)
    }

    /// The columns that refer to rows.
    pub fn references(&self, table: usize) -> &[usize] {
        &self.tables[table].references
    }

    /// The columns whose values say whose they are.
    pub fn free(&self, table: usize) -> &[usize] {
        &self.tables[table].free
    }

    /// Whether the key of the table refers to rows: then a row is shown under another name where
    /// one that it refers to is represented by another one.
    pub fn shifting_key(&self, table: usize) -> bool {
        self.tables[table].shifting_key
    }
}

fn by_roles(table: &crate::shape::TableShape) -> TableRules {
    let with = |wanted: fn(&Role) -> bool| {
        let columns = table.columns.iter().enumerate();
        columns.filter(|(_, column)| wanted(&column.role)).map(|(index, _)| index).collect()
    };
    TableRules {
        references: with(|role| matches!(role, Role::Reference { .. })),
        free: with(|role| matches!(role, Role::Free(_))),
        ..TableRules::default()
    }
}

/// The tables that are pinned by a child, and all that those refer to: whoever keeps a row keeps
/// its parents.
fn revivable(pinned: BTreeSet<usize>, parents: &BTreeMap<usize, BTreeSet<usize>>) -> BTreeSet<usize> {
    let mut ahead: Vec<usize> = pinned.iter().copied().collect();
    let mut revivable = pinned;
    while let Some(table) = ahead.pop() {
        let above = parents.get(&table).into_iter().flatten();
        ahead.extend(above.filter(|&&parent| revivable.insert(parent)));
    }
    revivable
}

/// What is declared.
#[derive(Default)]
struct Declared {
    /// Tables with a child that does not let them go.
    pinned: BTreeSet<usize>,
    /// Which tables a table refers to.
    parents: BTreeMap<usize, BTreeSet<usize>>,
    unique: BTreeMap<usize, BTreeSet<usize>>,
    /// By table and column, the tables whose deleted rows take its value with them.
    set_null: BTreeMap<usize, BTreeMap<usize, BTreeSet<usize>>>,
}

impl Declared {
    fn read(shape: &Shape) -> rusqlite::Result<Self> {
        let sqlite = Connection::open_in_memory()?;
        sqlite.execute_batch(&shape.sql)?;
        let mut declared = Declared::default();
        for (number, table) in shape.tables.iter().enumerate() {
            declared.foreign_keys(&sqlite, shape, number)?;
            let natural = matches!(table.key, Key::Natural { .. });
            declared.unique_indexes(&sqlite, shape, number, natural)?;
        }
        Ok(declared)
    }

    fn foreign_keys(&mut self, sqlite: &Connection, shape: &Shape, child: usize) -> rusqlite::Result<()> {
        let mut list = sqlite.prepare("SELECT k.\"table\", k.on_delete, k.\"from\", t.pk OR t.\"notnull\"
             FROM pragma_foreign_key_list(?1) k JOIN pragma_table_info(?1) t ON t.name = k.\"from\" COLLATE NOCASE",
        )?;
        let mut keys = list.query([&shape.tables[child].name])?;
        while let Some(key) = keys.next()? {
            let (name, on_delete): (String, String) = (key.get(0)?, key.get(1)?);
            let (column, is_needed): (String, bool) = (key.get(2)?, key.get(3)?);
            let named = |table: &crate::shape::TableShape| table.name.eq_ignore_ascii_case(&name);
            let Some(parent) = shape.tables.iter().position(named) else { continue };
            self.parents.entry(child).or_default().insert(parent);
            if on_delete == "SET NULL" {
                let columns = &shape.tables[child].columns;
                let at = columns.iter().position(|known| known.name.eq_ignore_ascii_case(&column));
                let set_null = self.set_null.entry(child).or_default();
                at.map(|at| set_null.entry(at).or_default().insert(parent));
            }
            // What a column cannot be set to keeps the parent; so may a default.
            if !(on_delete == "CASCADE" || on_delete == "SET NULL" && !is_needed) {
                self.pinned.insert(parent);
            }
        }
        Ok(())
    }

    fn unique_indexes(
        &mut self,
        sqlite: &Connection,
        shape: &Shape,
        number: usize,
        natural: bool,
    ) -> rusqlite::Result<()> {
        let table = &shape.tables[number];
        let mut list = sqlite.prepare(
            "SELECT l.origin, i.name, i.coll FROM pragma_index_list(?1) l, pragma_index_xinfo(l.name) i
             WHERE l.\"unique\" AND i.key",
        )?;
        let mut parts = list.query([&table.name])?;
        while let Some(part) = parts.next()? {
            let (origin, column, collation): (String, Option<String>, Option<String>) =
                (part.get(0)?, part.get(1)?, part.get(2)?);
            // A key is looked up by its bytes; under another collation it is a claim besides.
            let is_key = natural && origin == "pk";
            if is_key && collation.is_none_or(|collation| collation == "BINARY") {
                continue;
            }
            let unique = self.unique.entry(number).or_default();
            match column {
                Some(name) => {
                    let named = |column: &crate::shape::Column| column.name.eq_ignore_ascii_case(&name);
                    unique.extend(table.columns.iter().position(named));
                }
                // Of an expression, which may be of any of them.
                None => unique.extend(0..table.columns.len()),
            }
        }
        Ok(())
    }
}

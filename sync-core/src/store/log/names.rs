//! Numbers for table and column names, so that a name is stored once a scope.

use std::collections::BTreeMap;

/// One assignment of a number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Name {
    /// The table's number.
    pub(crate) table: u32,
    /// The column's number; `None` for the table itself.
    pub(crate) column: Option<u32>,
    /// The name.
    pub(crate) name: String,
}

/// The tables of a scope and their columns, numbered in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    tables: Vec<Table>,
    numbers: BTreeMap<String, u32>,
    fresh: Vec<Name>,
}

#[derive(Clone, Debug, Default)]
struct Table {
    name: String,
    columns: Vec<String>,
    numbers: BTreeMap<String, u32>,
}

impl Names {
    /// The number of a table, new if the name was never seen.
    pub(crate) fn table(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.tables.len() as u32;
        self.load(Name { table: number, column: None, name: name.to_owned() });
        self.fresh.push(Name { table: number, column: None, name: name.to_owned() });
        number
    }

    /// The number of a table, if its name was seen.
    pub(crate) fn existing_table(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The number of a column of a known table, if its name was seen.
    pub(crate) fn existing_column(&self, table: u32, name: &str) -> Option<u32> {
        self.tables.get(table as usize)?.numbers.get(name).copied()
    }

    /// The number of a column of a known table, new if the name was never seen.
    pub(crate) fn column(&mut self, table: u32, name: &str) -> u32 {
        let known = &self.tables[table as usize];
        if let Some(&number) = known.numbers.get(name) {
            return number;
        }
        let fresh = Name { table, column: Some(known.columns.len() as u32), name: name.to_owned() };
        self.load(fresh.clone());
        self.fresh.push(fresh);
        self.tables[table as usize].columns.len() as u32 - 1
    }

    /// Takes in a stored assignment: a table before its columns, each in the order of the numbers.
    /// Says whether it fits what was taken in before.
    pub(crate) fn load(&mut self, name: Name) -> bool {
        match name.column {
            None if name.table as usize == self.tables.len() => {
                self.numbers.insert(name.name.clone(), name.table);
                self.tables.push(Table { name: name.name, ..Table::default() });
                true
            }
            Some(column) => match self.tables.get_mut(name.table as usize) {
                Some(table) if column as usize == table.columns.len() => {
                    table.numbers.insert(name.name.clone(), column);
                    table.columns.push(name.name);
                    true
                }
                _ => false,
            },
            None => false,
        }
    }

    /// The name of a table.
    pub(crate) fn table_name(&self, table: u32) -> Option<&str> {
        self.tables.get(table as usize).map(|table| table.name.as_str())
    }

    /// The name of a column.
    pub(crate) fn column_name(&self, table: u32, column: u32) -> Option<&str> {
        self.tables.get(table as usize)?.columns.get(column as usize).map(String::as_str)
    }

    /// The assignments to write, and forgets that they were to be.
    #[cfg(feature = "sqlite")]
    pub(crate) fn take_fresh(&mut self) -> Vec<Name> {
        std::mem::take(&mut self.fresh)
    }
}

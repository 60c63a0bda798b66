//! A schema that changes: its versions, and what they have in common.
//!
//! Devices migrate one after the other, so several versions are in use at a time. The shape of them all has every table
//! and column that any version has, under its latest name; each version says what it calls them, and
//! which it has not.

use std::collections::{BTreeMap, BTreeSet};

use pocketsync_core::value::Value;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::{Column, Key, Role, Shape, ShapeError, TableShape};

/// What makes one version of a schema of the one before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Step {
    /// The statements.
    pub sql: String,
    /// Tables with other names: the one before, and the one after.
    pub tables: Vec<(String, String)>,
    /// Columns with other names: the table's name before, the column's, and the one after.
    pub columns: Vec<(String, String, String)>,
}

/// A version of a schema.
#[derive(Clone, PartialEq, Debug)]
pub struct Version {
    /// What makes it of the one before.
    pub step: Step,
    /// The tables of the [shape](Shape::tables) as they are here, with the names that they have here. What this version has not
    /// has columns that are [absent](Role::Absent).
    pub tables: Vec<TableShape>,
}

impl Shape {
    /// The shape of a schema in several versions: what `sql` makes, and then each step.
    ///
    /// # Errors
    /// As [`of_sql`](Shape::of_sql), of any of the versions.
    pub fn of_versions(sql: &str, untracked: &[String], steps: &[Step]) -> Result<Shape, ShapeError> {
        let first = Step { sql: sql.to_owned(), ..Step::default() };
        let steps: Vec<Step> = std::iter::once(first).chain(steps.iter().cloned()).collect();
        let mut all_sql = String::new();
        let mut shapes = Vec::new();
        for step in &steps {
            all_sql = format!("{all_sql}\n{};", step.sql);
            shapes.push(Shape::of_tracked(&all_sql, untracked)?);
        }
        let known = Known::of(&shapes, &steps);
        let versions = steps.iter().zip(&shapes).zip(&known.versions);
        let versions: Vec<Version> = versions
            .map(|((step, shape), names)| Version { step: step.clone(), tables: known.tables(shape, names) })
            .collect();
        let latest = |table: usize, column: usize| {
            let here = versions.iter().rev().map(|version| &version.tables[table]);
            here.into_iter().find(|table| table.columns[column].role != Role::Absent)
        };
        let tables = (0..known.widths.len()).map(|table| {
            let of = |column: usize| latest(table, column).expect("some version has it");
            // A table has a key in every version that has it.
            let key =
                versions.iter().rev().map(|version| &version.tables[table]).find(|table| table.is_here());
            let named = key.expect("some version has it");
            let columns = (0..known.widths[table]).map(|column| of(column).columns[column].clone());
            TableShape { name: named.name.clone(), key: named.key.clone(), columns: columns.collect() }
        });
        let tables: Vec<TableShape> = tables.collect();
        let sql = format!("{all_sql}\nPRAGMA user_version = {};", versions.len() - 1);
        let defaults = defaults(&sql, &tables, &versions)?;
        Ok(Shape { sql, tables, versions, defaults, untracked: untracked.to_vec(), ..Shape::default() })
    }

    /// The tables as a version has them; all there are where there is but one.
    pub fn tables_at(&self, version: usize) -> &[TableShape] {
        self.versions.get(version).map_or(&self.tables, |version| &version.tables)
    }

    /// Whether some version drops a column that the one before it has.
    pub fn is_dropped(&self, table: usize, column: usize) -> bool {
        let has = |version: &Version| version.tables[table].columns[column].role != Role::Absent;
        self.versions.windows(2).any(|pair| has(&pair[0]) && !has(&pair[1]))
    }

    /// All names that a column has in any version.
    pub fn names_of(&self, table: usize, column: usize) -> BTreeSet<&str> {
        let versions =
            (0..self.versions.len().max(1)).map(|version| &self.tables_at(version)[table].columns[column]);
        versions.filter(|column| column.role != Role::Absent).map(|column| column.name.as_str()).collect()
    }

    /// By table and name, the columns whose cells not all replicas hold alike, by right: `None` for those that some version
    /// drops; and the first name of those that have a later one, which a replica without a schema takes for another column.
    pub(crate) fn unshared(&self) -> BTreeMap<(String, String), Option<String>> {
        let mut unshared = BTreeMap::new();
        for (table, shape) in self.tables.iter().enumerate() {
            let tables = || self.versions.iter().map(|version| &version.tables[table]);
            let Some(known_as) = tables().find(|table| table.is_here()).map(|table| &table.name) else {
                continue;
            };
            for column in 0..shape.columns.len() {
                let mut names = tables().map(|table| &table.columns[column]);
                let Some(first) = names.find(|column| column.role != Role::Absent) else { continue };
                let kept = Some(&first.name).filter(|_| !self.is_dropped(table, column));
                let others = self
                    .names_of(table, column)
                    .into_iter()
                    .filter(|name| kept.is_none_or(|kept| kept != name));
                unshared.extend(others.map(|name| ((known_as.clone(), name.to_owned()), kept.cloned())));
            }
        }
        unshared
    }

    /// What a column shows that nobody has written, where not every version has it.
    pub fn default_of(&self, table: usize, column: usize) -> Option<&Value> {
        self.defaults.get(&(table, column))
    }
}

impl TableShape {
    /// Whether the version that this is of has the table.
    pub fn is_here(&self) -> bool {
        self.columns.iter().any(|column| column.role != Role::Absent)
    }
}

/// The numbers of tables and columns by their names in one version, in lower case.
type Names = BTreeMap<String, (usize, BTreeMap<String, usize>)>;

/// What is one table or column in several versions.
struct Known {
    versions: Vec<Names>,
    /// How many columns each table has, in all versions together.
    widths: Vec<usize>,
}

impl Known {
    fn of(shapes: &[Shape], steps: &[Step]) -> Self {
        // Counted from the last version on, so that its tables and columns come first and in their order.
        let mut known = Known { versions: Vec::new(), widths: Vec::new() };
        for (number, shape) in shapes.iter().enumerate().rev() {
            let later = steps.get(number + 1).zip(known.versions.last());
            let names = known.named(shape, later.map(|(step, names)| (step, names.clone())));
            known.versions.push(names);
        }
        known.versions.reverse();
        known
    }

    fn named(&mut self, shape: &Shape, later: Option<(&Step, Names)>) -> Names {
        let mut names = Names::new();
        for table in &shape.tables {
            let found = later.as_ref().and_then(|(step, names)| {
                names.get(&step.table_after(&table.name).to_ascii_lowercase()).map(|found| (*step, found))
            });
            let number = found.map_or(self.widths.len(), |(_, (number, _))| *number);
            if number == self.widths.len() {
                self.widths.push(0);
            }
            let mut columns = BTreeMap::new();
            for column in &table.columns {
                let after = found.and_then(|(step, (_, columns))| {
                    columns.get(&step.column_after(&table.name, &column.name).to_ascii_lowercase())
                });
                let at = after.copied().unwrap_or(self.widths[number]);
                self.widths[number] = self.widths[number].max(at + 1);
                columns.insert(column.name.to_ascii_lowercase(), at);
            }
            names.insert(table.name.to_ascii_lowercase(), (number, columns));
        }
        names
    }

    /// The tables of one version, under the numbers of all.
    fn tables(&self, shape: &Shape, names: &Names) -> Vec<TableShape> {
        let absent = || Column { name: String::new(), role: Role::Absent, nullable: true };
        let mut tables: Vec<TableShape> = (self.widths.iter())
            .map(|width| TableShape {
                name: String::new(),
                key: Key::Natural { columns: Vec::new() },
                columns: (0..*width).map(|_| absent()).collect(),
            })
            .collect();
        for table in &shape.tables {
            let (number, columns) = &names[&table.name.to_ascii_lowercase()];
            let at = |column: usize| columns[&table.columns[column].name.to_ascii_lowercase()];
            let here = &mut tables[*number];
            here.name.clone_from(&table.name);
            here.key = match &table.key {
                Key::Surrogate { column } => Key::Surrogate { column: at(*column) },
                Key::Natural { columns } => {
                    Key::Natural { columns: columns.iter().map(|column| at(*column)).collect() }
                }
            };
            for (column, declared) in table.columns.iter().enumerate() {
                let mut declared = declared.clone();
                if let Role::Reference { table, with } = &mut declared.role {
                    with.iter_mut().for_each(|column| *column = at(*column));
                    *table = names[&shape.tables[*table].name.to_ascii_lowercase()].0;
                }
                here.columns[at(column)] = declared;
            }
        }
        tables
    }
}

impl Step {
    /// The renamings that are not in the statements, because a rebuild makes them: tables, and columns.
    pub(crate) fn undeclared(&self) -> Step {
        let statements: String = self.sql.chars().filter(|sign| !"\"`[]".contains(*sign)).collect();
        let words: Vec<String> = statements.split_whitespace().map(str::to_ascii_lowercase).collect();
        let says = |text: String| words.join(" ").contains(&text.to_ascii_lowercase());
        let mut step = Step { tables: self.tables.clone(), columns: self.columns.clone(), ..Step::default() };
        step.tables.retain(|(old, new)| !says(format!("alter table {old} rename to {new}")));
        step.columns.retain(|(_, old, new)| {
            !says(format!("rename column {old} to {new}")) && !says(format!(" rename {old} to {new}"))
        });
        step
    }

    fn table_after(&self, before: &str) -> String {
        let renamed = self.tables.iter().find(|(old, _)| old.eq_ignore_ascii_case(before));
        renamed.map_or(before, |(_, new)| new).to_owned()
    }

    fn column_after(&self, table: &str, before: &str) -> String {
        let is_it = |(of, old, _): &&(String, String, String)| {
            of.eq_ignore_ascii_case(table) && old.eq_ignore_ascii_case(before)
        };
        self.columns.iter().find(is_it).map_or(before, |(_, _, new)| new).to_owned()
    }
}

/// What columns show that nobody has written, of those that not all versions have.
fn defaults(
    sql: &str,
    tables: &[TableShape],
    versions: &[Version],
) -> Result<BTreeMap<(usize, usize), Value>, ShapeError> {
    let sqlite = Connection::open_in_memory()?;
    sqlite.execute_batch(sql)?;
    let mut defaults = BTreeMap::new();
    for (number, table) in tables.iter().enumerate() {
        let come_and_go = (0..table.columns.len()).filter(|&at| {
            versions.iter().any(|version| version.tables[number].columns[at].role == Role::Absent)
        });
        for at in come_and_go {
            let declared = sqlite
                .prepare("SELECT dflt_value FROM pragma_table_info(?1) WHERE name = ?2")?
                .query_row((&table.name, &table.columns[at].name), |row| row.get::<_, Option<String>>(0));
            let value = match declared.ok().flatten() {
                None => Value::Null,
                Some(sql) => sqlite.query_row(&format!("SELECT {sql}"), [], |row| {
                    Ok(match row.get_ref(0)? {
                        ValueRef::Null => Value::Null,
                        ValueRef::Integer(number) => Value::Integer(number),
                        ValueRef::Real(number) => Value::Real(number),
                        ValueRef::Text(text) => Value::Text(text.to_vec()),
                        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
                    })
                })?,
            };
            defaults.insert((number, at), value);
        }
    }
    Ok(defaults)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(sql: &str) -> Step {
        Step { sql: sql.to_owned(), ..Step::default() }
    }

    #[test]
    fn what_statements_rename_need_not_be_declared() {
        let columns = [("note", "a", "b"), ("note", "c", "d")];
        let columns = columns.map(|(table, old, new)| (table.to_owned(), old.to_owned(), new.to_owned()));
        let tables = [("note", "memo"), ("tag", "label")].map(|(old, new)| (old.to_owned(), new.to_owned()));
        let step = Step {
            columns: columns.to_vec(),
            tables: tables.to_vec(),
            ..step(
                "ALTER TABLE note\n RENAME COLUMN \"a\" TO b; CREATE TABLE memo(d); alter table tag rename to label",
            )
        };
        let undeclared = step.undeclared();
        assert_eq!((undeclared.columns, undeclared.tables), (columns[1..].to_vec(), tables[..1].to_vec()));
    }

    #[test]
    fn all_versions_have_one_shape() {
        let base = "CREATE TABLE note(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, title TEXT, draft TEXT);
                    CREATE TABLE old(name TEXT PRIMARY KEY NOT NULL)";
        let renamed = Step {
            columns: vec![("note".to_owned(), "title".to_owned(), "heading".to_owned())],
            ..step(
                "ALTER TABLE note RENAME COLUMN title TO heading; ALTER TABLE note DROP COLUMN draft; DROP TABLE old",
            )
        };
        let added = step(
            "CREATE TABLE mark(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note INTEGER REFERENCES note(id));
             ALTER TABLE note ADD COLUMN stars INT DEFAULT 3",
        );
        let shape = Shape::of_versions(base, &[], &[renamed, added]).expect("it makes sense");
        let names = |tables: &[TableShape]| -> Vec<String> {
            let name = |table: &TableShape| {
                let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
                format!("{}({})", table.name, columns.join(" "))
            };
            tables.iter().map(name).collect()
        };
        assert_eq!(
            names(&shape.tables),
            ["note(id tag heading stars draft)", "mark(id tag note)", "old(name)"]
        );
        assert_eq!(names(shape.tables_at(0)), ["note(id tag title  draft)", "(  )", "old(name)"]);
        assert_eq!(names(shape.tables_at(1)), ["note(id tag heading  )", "(  )", "()"]);
        assert_eq!(names(shape.tables_at(2)), ["note(id tag heading stars )", "mark(id tag note)", "()"]);
        assert_eq!(shape.tables[1].columns[2].role, Role::Reference { table: 0, with: Vec::new() });
        assert_eq!(shape.default_of(0, 3), Some(&Value::Integer(3)));
        assert_eq!((shape.default_of(0, 2), shape.default_of(0, 4)), (None, Some(&Value::Null)));
    }

    #[test]
    fn a_composite_reference_knows_its_other_columns_in_every_version() {
        let base = "CREATE TABLE shop(id INTEGER PRIMARY KEY, tag TEXT NOT NULL);
                    CREATE TABLE day(shop INTEGER REFERENCES shop, at TEXT, PRIMARY KEY(shop, at)) WITHOUT ROWID;
                    CREATE TABLE sale(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note TEXT, shop INTEGER, at TEXT,
                      FOREIGN KEY (shop, at) REFERENCES day)";
        let shape = Shape::of_versions(base, &[], &[step("ALTER TABLE sale DROP COLUMN note")]);
        let shape = shape.expect("it makes sense");
        for version in 0..2 {
            let sale = &shape.tables_at(version)[2];
            let at = |name: &str| sale.columns.iter().position(|column| column.name == name);
            let shop = &sale.columns[at("shop").expect("shop")];
            assert_eq!(shop.role, Role::Reference { table: 0, with: vec![at("at").expect("at")] });
            assert_eq!(at("at"), Some(3), "the dropped column comes last");
        }
    }
}

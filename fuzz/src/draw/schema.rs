//! Schemas: tables with keys of every kind, and whatever else SQLite lets a table have.

use super::{Input, Result};

/// A schema and the SQL that makes it.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) tables: Vec<Table>,
    pub(crate) triggers: Vec<String>,
}

/// A table, as far as statements need to know it.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// As an SQL identifier.
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// How many of the first columns are the primary key.
    pub(crate) key: usize,
    pub(crate) is_rowid: bool,
    /// Whether the key is another name of the rowid.
    pub(crate) is_alias: bool,
    constraints: Vec<String>,
    options: &'static str,
    /// The positions of columns that are unique alone.
    unique: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// As an SQL identifier.
    pub(crate) name: String,
    pub(crate) holds: Holds,
    definition: String,
}

/// What is written into a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Holds {
    Numbers,
    Names,
    /// Anything that a key without type keeps as it is: `1.0` is the key `1`, and shown so elsewhere.
    Keys,
    Anything,
    /// It is computed.
    Nothing,
}

const TABLE_NAMES: [&str; 8] = ["t", "order", "Weird \"name\"", "naïve tbl", "a.b", "[x]", "1st", "'q'"];
const COLUMN_NAMES: [&str; 10] = ["id", "a", "group by", "Ü", "x\"y", "key", "K ", "oid", "new", "v"];
const COLLATIONS: [&str; 4] = ["", " COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY"];
const ACTIONS: [&str; 5] = ["NO ACTION", "CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT"];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// One to four tables.
pub(crate) fn schema(u: &mut Input<'_>) -> Result<Schema> {
    let mut schema = Schema::default();
    let first = u.choose_index(TABLE_NAMES.len())?;
    for n in 0..u.int_in_range(1..=4)? {
        let name = quoted(TABLE_NAMES[(first + n) % TABLE_NAMES.len()]);
        let table = table(u, name, &schema.tables)?;
        schema.tables.push(table);
    }
    if u.ratio(1, 4u8)? {
        let trigger = trigger(u, &schema.tables)?;
        schema.triggers.push(trigger);
    }
    Ok(schema)
}

impl Schema {
    pub(crate) fn sql(&self) -> String {
        let tables = self.tables.iter().map(|table| {
            let columns = table.columns.iter().map(|column| format!("{} {}", column.name, column.definition));
            let parts: Vec<String> = columns.chain(table.constraints.iter().cloned()).collect();
            format!("CREATE TABLE {}({}){};", table.name, parts.join(", "), table.options)
        });
        tables.chain(self.triggers.iter().cloned()).collect::<Vec<_>>().join("\n")
    }
}

impl Table {
    /// Whether a reference is a part of a unique key besides the primary key.
    pub(crate) fn claims_references(&self) -> bool {
        let claims = |column: &Column| {
            let mut claims = self.constraints.iter().filter(|constraint| constraint.starts_with("UNIQUE"));
            column.definition.contains(" UNIQUE") || claims.any(|claim| claim.contains(&column.name))
        };
        let mut references = self.columns.iter().filter(|column| column.definition.contains("REFERENCES"));
        references.any(claims)
    }

    fn add(&mut self, u: &mut Input<'_>, holds: Holds, definition: String) -> Result<usize> {
        let at = self.columns.len();
        // Two columns may not have one name, whatever its case.
        let skip = if at == 0 { u.choose_index(2)? } else { 1 };
        let taken = |name: &String| self.columns.iter().any(|column| column.name == *name);
        let mut names =
            COLUMN_NAMES.iter().cycle().skip(at * 3 + skip - usize::from(at > 0)).map(|name| quoted(name));
        let name = names.find(|name| !taken(name)).expect("more names than columns");
        self.columns.push(Column { name, holds, definition });
        Ok(at)
    }
}

fn table(u: &mut Input<'_>, name: String, others: &[Table]) -> Result<Table> {
    use Holds::{Keys, Names, Numbers};
    let mut table = Table { name, key: 1, is_rowid: true, ..Table::default() };
    let without_rowid = [" WITHOUT ROWID", ""];
    match u.int_in_range(0..=11u8)? {
        0..=3 => {
            table.is_alias = true;
            table.add(u, Numbers, "INTEGER PRIMARY KEY".to_owned())?;
        }
        4 => {
            table.is_alias = true;
            table.add(u, Numbers, "INTEGER PRIMARY KEY AUTOINCREMENT".to_owned())?;
        }
        5 => {
            let collation = u.choose(&COLLATIONS)?;
            table.options = u.choose(&without_rowid)?;
            table.add(u, Names, format!("TEXT PRIMARY KEY{collation}"))?;
        }
        6 => {
            // Not an alias of the rowid.
            let kind = *u.choose(&["INT PRIMARY KEY", "INTEGER PRIMARY KEY DESC", "REAL PRIMARY KEY"])?;
            table.add(u, Numbers, kind.to_owned())?;
        }
        7 => {
            table.options = " WITHOUT ROWID";
            let kind = *u.choose(&["INTEGER PRIMARY KEY", "PRIMARY KEY", "BLOB PRIMARY KEY"])?;
            table.add(u, Keys, kind.to_owned())?;
        }
        8..=10 => {
            table.key = 2;
            table.options = u.choose(&without_rowid)?;
            key_part(u, &mut table, others)?;
            key_part(u, &mut table, others)?;
            let parts: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
            table.constraints.push(format!("PRIMARY KEY({})", parts.join(", ")));
        }
        _ => {
            table.options = " STRICT";
            table.add(u, Names, "TEXT NOT NULL PRIMARY KEY".to_owned())?;
        }
    }
    table.is_rowid = table.options != " WITHOUT ROWID";
    for _ in 0..u.int_in_range(0..=4u8)? {
        column(u, &mut table, others)?;
    }
    if table.columns.len() > 2 && u.ratio(1, 4u8)? {
        let last = &table.columns[table.columns.len() - 2..];
        // Claims on what is computed are settled as SQLite refuses them, in the order of arrival.
        if last.iter().all(|column| column.holds != Holds::Nothing) {
            let names = format!("{}, {}", last[0].name, last[1].name);
            table.constraints.push(format!("UNIQUE({names}){}", conflict(u)?));
        }
    }
    Ok(table)
}

fn conflict(u: &mut Input<'_>) -> Result<&'static str> {
    Ok(match u.int_in_range(0..=7u8)? {
        0 => " ON CONFLICT REPLACE",
        1 => " ON CONFLICT IGNORE",
        _ => "",
    })
}

/// A column of a composite key, which may be a reference.
fn key_part(u: &mut Input<'_>, table: &mut Table, others: &[Table]) -> Result<()> {
    let not_null = *u.choose(&["", " NOT NULL"])?;
    if let Some((holds, kind, clause)) = reference(u, others)? {
        table.add(u, holds, format!("{kind}{not_null} {clause}"))?;
    } else if u.arbitrary()? {
        let collation = u.choose(&COLLATIONS)?;
        table.add(u, Holds::Names, format!("TEXT{collation}{not_null}"))?;
    } else {
        table.add(u, Holds::Numbers, format!("INT{not_null}"))?;
    }
    Ok(())
}

fn column(u: &mut Input<'_>, table: &mut Table, others: &[Table]) -> Result<()> {
    let is_strict = table.options == " STRICT";
    let kinds: &[(&str, Holds)] = if is_strict {
        &[
            ("TEXT", Holds::Names),
            ("INTEGER", Holds::Numbers),
            ("ANY", Holds::Anything),
            ("BLOB", Holds::Anything),
        ]
    } else {
        &[
            ("TEXT", Holds::Names),
            ("INT", Holds::Numbers),
            ("", Holds::Anything),
            ("REAL", Holds::Anything),
            ("VARCHAR(9)", Holds::Anything),
            ("NUMERIC", Holds::Anything),
            ("BLOB", Holds::Anything),
        ]
    };
    let &(kind, holds) = u.choose(kinds)?;
    match u.int_in_range(0..=9u8)? {
        0 | 1 => {
            let definition = format!("{kind}{} UNIQUE{}", u.choose(&COLLATIONS)?, conflict(u)?);
            let at = table.add(u, holds, definition)?;
            table.unique.push(at);
        }
        2 => {
            let default = if holds == Holds::Numbers { "3" } else { "'a'" };
            table.add(u, holds, format!("{kind} NOT NULL DEFAULT {default}"))?;
        }
        3 => {
            let at = table.add(u, holds, String::new())?;
            let name = &table.columns[at].name;
            table.columns[at].definition =
                format!("{kind} DEFAULT NULL CHECK({name} IS NOT 4 AND {name} IS NOT 'ä')");
        }
        4 if !is_strict => {
            let of = table.columns[0].name.clone();
            let stored = *u.choose(&["VIRTUAL", "STORED"])?;
            table.add(u, Holds::Nothing, format!("AS ({of} || 'x') {stored}"))?;
        }
        5..=7 if !is_strict => {
            let own = [std::mem::take(table)];
            let to_itself = own[0].key == 1 && u.ratio(1, 4u8)?;
            let found = reference(u, if to_itself { &own } else { others })?;
            let [own] = own;
            *table = own;
            if let Some((holds, kind, clause)) = found {
                let extra = *u.choose(&["", " UNIQUE", " NOT NULL", " DEFAULT 2"])?;
                table.add(u, holds, format!("{kind}{extra} {clause}"))?;
            }
        }
        8 if others.last().is_some_and(|other| other.key == 2) && !is_strict => {
            let parent = &others[others.len() - 1];
            let pair = [0, 1].map(|part| parent.columns[part].clone());
            let mut names = Vec::new();
            for part in &pair {
                let kind = if part.holds == Holds::Names { "TEXT" } else { "INT" };
                let at = table.add(u, part.holds, kind.to_owned())?;
                names.push(table.columns[at].name.clone());
            }
            table.constraints.push(format!(
                "FOREIGN KEY({}) REFERENCES {}({}, {}){}",
                names.join(", "),
                parent.name,
                pair[0].name,
                pair[1].name,
                actions(u)?
            ));
        }
        _ => {
            let collation = u.choose(&COLLATIONS)?;
            table.add(u, holds, format!("{kind}{collation}"))?;
        }
    }
    Ok(())
}

/// A reference to the key, or maybe to another column that is unique, of one of these tables: what it
/// holds, its type, and the clause.
fn reference(u: &mut Input<'_>, parents: &[Table]) -> Result<Option<(Holds, &'static str, String)>> {
    if parents.is_empty() || u.ratio(1, 4u8)? {
        return Ok(None);
    }
    let parent = u.choose(parents)?;
    // Elsewhere a reference is spelled as what it refers to: `'A'` as `'a'` where case does not
    // matter, `1` as `'1'` where the types differ.
    let is_exact = |at: &&usize| {
        let column = &parent.columns[**at];
        let folds = ["NOCASE", "RTRIM"].iter().any(|collation| column.definition.contains(collation));
        !folds && matches!(column.holds, Holds::Numbers | Holds::Names)
    };
    let mut candidates: Vec<usize> = parent.unique.iter().filter(is_exact).copied().collect();
    if parent.key == 1 {
        // The key more often than other columns.
        candidates.extend([0, 0, 0]);
    }
    if candidates.is_empty() {
        return Ok(None);
    }
    let target = &parent.columns[*u.choose(&candidates)?];
    let kind = match target.holds {
        Holds::Numbers => "INT",
        Holds::Names => "TEXT",
        _ => "",
    };
    Ok(Some((target.holds, kind, format!("REFERENCES {}({}){}", parent.name, target.name, actions(u)?))))
}

fn actions(u: &mut Input<'_>) -> Result<String> {
    let deferred = if u.ratio(1, 4u8)? { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
    Ok(format!(" ON DELETE {} ON UPDATE {}{deferred}", u.choose(&ACTIONS)?, u.choose(&ACTIONS)?))
}

/// A trigger of the application.
fn trigger(u: &mut Input<'_>, tables: &[Table]) -> Result<String> {
    let (on, other) = (u.choose(tables)?, u.choose(tables)?);
    let key = &on.columns[0].name;
    let last = &on.columns[on.columns.len() - 1];
    Ok(match u.int_in_range(0..=3u8)? {
        0 if last.holds != Holds::Nothing && on.columns.len() > on.key => format!(
            "CREATE TRIGGER touched AFTER UPDATE OF {key} ON {} BEGIN \
             UPDATE OR IGNORE {} SET {} = 2 WHERE {key} IS NEW.{key}; END;",
            on.name, on.name, last.name
        ),
        1 => format!(
            "CREATE TRIGGER refused BEFORE INSERT ON {} WHEN NEW.{key} IS 3 BEGIN SELECT RAISE(ABORT, 'three'); END;",
            on.name
        ),
        2 => format!(
            "CREATE TRIGGER emptied AFTER DELETE ON {} BEGIN DELETE FROM {} WHERE {} IS OLD.{key}; END;",
            on.name, other.name, other.columns[0].name
        ),
        _ => format!(
            "CREATE TRIGGER copied AFTER INSERT ON {} BEGIN INSERT OR IGNORE INTO {}({}) VALUES(NEW.{key}); END;",
            on.name, other.name, other.columns[0].name
        ),
    })
}

//! A schema as SQLite's own catalog tells it.

use rusqlite::{Connection, params};

use super::ShapeError;

/// A table of the user's.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<CatalogColumn>,
    pub(super) key: CatalogKey,
    /// Every UNIQUE index but the key's own; columns as indexes into `columns`.
    pub(super) unique: Vec<Unique>,
    pub(super) references: Vec<ForeignKey>,
}

#[derive(Clone, Debug)]
pub(super) struct CatalogColumn {
    pub(super) name: String,
    pub(super) affinity: Affinity,
    pub(super) not_null: bool,
}

/// How SQLite stores what is put into a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Affinity {
    Text,
    Integer,
    Numeric,
    Real,
    Blob,
    /// None declared: everything is stored as it comes.
    Any,
}

#[derive(Clone, Debug)]
pub(super) enum CatalogKey {
    /// The column is the rowid.
    Rowid(usize),
    Declared(Unique),
    Absent,
}

#[derive(Clone, Debug)]
pub(super) struct Unique {
    pub(super) columns: Vec<usize>,
    /// Whether a column of it compares without case.
    pub(super) nocase: Vec<bool>,
}

#[derive(Clone, Debug)]
pub(super) struct ForeignKey {
    pub(super) parent: String,
    /// The columns here and there; there `None` means the parent's key.
    pub(super) columns: Vec<(usize, Option<String>)>,
}

/// All tables of the user's, in the order in which they were created.
pub(super) fn tables(connection: &Connection) -> Result<Vec<Table>, ShapeError> {
    let mut names = connection.prepare(
        "SELECT l.name, l.wr FROM pragma_table_list AS l JOIN sqlite_schema AS s ON s.name = l.name
         WHERE l.schema = 'main' AND l.type = 'table' AND s.type = 'table' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY s.rowid",
    )?;
    let names: Vec<(String, bool)> =
        names.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    names.into_iter().map(|(name, without_rowid)| table(connection, name, without_rowid)).collect()
}

fn table(connection: &Connection, name: String, without_rowid: bool) -> Result<Table, ShapeError> {
    let (columns, key_columns) = columns(connection, &name)?;
    let (key_index, unique) = indexes(connection, &name, &columns)?;
    let key = match (key_columns.as_slice(), key_index) {
        ([], _) => CatalogKey::Absent,
        // A key that is the rowid itself needs no index.
        ([column], None) if !without_rowid => CatalogKey::Rowid(*column),
        (_, index) => {
            let nocase = index.map_or_else(|| vec![false; key_columns.len()], |index| index.nocase);
            CatalogKey::Declared(Unique { columns: key_columns, nocase })
        }
    };
    let references = references(connection, &name, &columns)?;
    Ok(Table { name, columns, key, unique, references })
}

/// The columns that can be written, and which of them are the key, in its order.
fn columns(connection: &Connection, table: &str) -> Result<(Vec<CatalogColumn>, Vec<usize>), ShapeError> {
    let mut query = connection.prepare(
        "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid",
    )?;
    let mut rows = query.query(params![table])?;
    let (mut columns, mut key) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(3)?;
        if position > 0 {
            key.push((position, columns.len()));
        }
        let declared: String = row.get(1)?;
        columns.push(CatalogColumn {
            name: row.get(0)?,
            affinity: affinity(&declared),
            not_null: row.get(2)?,
        });
    }
    key.sort_unstable();
    Ok((columns, key.into_iter().map(|(_, column)| column).collect()))
}

/// SQLite's rules for the type that a column declares.
fn affinity(declared: &str) -> Affinity {
    let declared = declared.to_ascii_uppercase();
    let says = |word: &str| declared.contains(word);
    if declared.is_empty() || declared == "ANY" {
        Affinity::Any
    } else if says("INT") {
        Affinity::Integer
    } else if says("CHAR") || says("CLOB") || says("TEXT") {
        Affinity::Text
    } else if says("BLOB") {
        Affinity::Blob
    } else if says("REAL") || says("FLOA") || says("DOUB") {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// The key's own index, where it has one, and all other UNIQUE ones.
fn indexes(
    connection: &Connection,
    table: &str,
    columns: &[CatalogColumn],
) -> Result<(Option<Unique>, Vec<Unique>), ShapeError> {
    let mut list = connection
        .prepare("SELECT name, origin FROM pragma_index_list(?1) WHERE \"unique\" = 1 ORDER BY seq DESC")?;
    let list: Vec<(String, String)> =
        list.query_map(params![table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let (mut key, mut unique) = (None, Vec::new());
    for (name, origin) in list {
        let mut parts = connection
            .prepare("SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key = 1 ORDER BY seqno")?;
        let mut rows = parts.query(params![name])?;
        let mut index = Unique { columns: Vec::new(), nocase: Vec::new() };
        while let Some(row) = rows.next()? {
            // An expression has no name; which columns it reads shows when values are tried.
            let Some(part) = row.get::<_, Option<String>>(0)? else { continue };
            let collation: Option<String> = row.get(1)?;
            if let Some(column) = columns.iter().position(|column| column.name == part) {
                index.columns.push(column);
                index.nocase.push(collation.is_some_and(|name| name.eq_ignore_ascii_case("NOCASE")));
            }
        }
        match origin.as_str() {
            "pk" => key = Some(index),
            _ => unique.push(index),
        }
    }
    Ok((key, unique))
}

fn references(
    connection: &Connection,
    table: &str,
    columns: &[CatalogColumn],
) -> Result<Vec<ForeignKey>, ShapeError> {
    let mut query = connection.prepare(
        "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id DESC, seq",
    )?;
    let mut rows = query.query(params![table])?;
    let mut found: Vec<(i64, ForeignKey)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, parent): (i64, String) = (row.get(0)?, row.get(1)?);
        let from: String = row.get(2)?;
        let Some(here) = columns.iter().position(|column| column.name.eq_ignore_ascii_case(&from)) else {
            continue;
        };
        let part = (here, row.get(3)?);
        match found.last_mut() {
            Some((last, key)) if *last == id => key.columns.push(part),
            _ => found.push((id, ForeignKey { parent, columns: vec![part] })),
        }
    }
    Ok(found.into_iter().map(|(_, key)| key).collect())
}

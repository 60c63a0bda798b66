//! Rows that are held and cannot be shown, told to people; and what people can do about them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::OpenError;
use super::handle::Replica;
use super::not_allowed;
use super::options::ReplicaOptions;
use crate::clock::Version;
use crate::id::RowId;
use crate::merge::share;
use crate::store::sqlite::apply::Shown;
use crate::store::sqlite::catalog::Table;
use crate::store::sqlite::engine::Engine;
use crate::store::sqlite::park::{self, claims::merged, work::Work};
use crate::store::sqlite::row_clock::expand_id;
use crate::store::sqlite::system::AsideReason;
use crate::store::sqlite::{apply, connection, fold, merging, refs, refused, schema_change};
use crate::store::{Record, ShownRows, StoreError, StoreErrorKind};
use crate::value::Value;

/// A row that is held and cannot be shown, or a change that the hub did not take. Nothing of a row is lost: others are
/// told of it, and it is shown as soon as it can be. A change that was not allowed is kept here.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Parked {
    /// Its table.
    pub table: String,
    /// Which row.
    pub row: RowId,
    /// A short name of the row, the same on every replica: 16 hexadecimal digits.
    pub handle: String,
    /// The primary key that it was written with, where it has one; another row may have it here.
    pub key: Vec<Value>,
    /// Why it is parked.
    pub reason: ParkedReason,
    /// The same in a sentence, with the constraint and the row that is in the way.
    pub sentence: String,
    /// Since when it has been, in milliseconds since 1970, by the clock of this device.
    pub since_ms: Option<u64>,
    /// Its merged values by column; those of columns that were never written are left out.
    pub values: BTreeMap<String, Value>,
}

/// Why a row is parked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ParkedReason {
    /// An older row has the same unique key. References to this row show that one.
    UniqueClaim,
    /// A row that it refers to is not shown here.
    MissingParent,
    /// The table refuses it: CHECK, NOT NULL, a type of a STRICT table.
    Refused,
    /// This file has no such table, or does not track it.
    UnknownTable,
    /// Changes of a row that did not come with them.
    Unborn,
    /// Changes that were made here and that the hub does not take, because the device has no right to make them. The row
    /// is as the hub has it; others are not told of these. [`Replica::retry_parked`] writes them once more.
    NotAllowed,
}

impl ParkedReason {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            ParkedReason::UniqueClaim => AsideReason::UniqueClaim.as_str(),
            ParkedReason::MissingParent => AsideReason::MissingParent.as_str(),
            ParkedReason::Refused => AsideReason::Refused.as_str(),
            ParkedReason::UnknownTable => AsideReason::UnknownTable.as_str(),
            ParkedReason::Unborn => AsideReason::Unborn.as_str(),
            ParkedReason::NotAllowed => "not allowed",
        }
    }

    fn of(reason: AsideReason) -> Option<Self> {
        Some(match reason {
            AsideReason::UniqueClaim => ParkedReason::UniqueClaim,
            AsideReason::MissingParent => ParkedReason::MissingParent,
            AsideReason::Refused => ParkedReason::Refused,
            AsideReason::UnknownTable => ParkedReason::UnknownTable,
            AsideReason::Unborn => ParkedReason::Unborn,
            AsideReason::Deleted => return None,
        })
    }
}

impl Replica {
    /// The rows that are parked, by table and row.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use pocketsync_core::store::sqlite::{Replica, ReplicaOptions, Tables};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("notes.db");
    /// # pocketsync_core::rusqlite::Connection::open(&path)?.execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY)")?;
    /// # let replica = Replica::open(&path, ReplicaOptions::default())?;
    /// # replica.track(&Tables::all())?;
    /// for parked in replica.parked()? {
    ///     println!("{}: {}", parked.handle, parked.sentence);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn parked(&self) -> Result<Vec<Parked>, StoreError> {
        self.with(|open| list(&open.engine))
    }

    /// The same, without becoming the engine of the file: beside one that is open.
    ///
    /// # Errors
    /// When the file is missing, not a database, or was written by a newer version.
    pub fn inspect_parked(path: impl AsRef<Path>, options: ReplicaOptions) -> Result<Vec<Parked>, OpenError> {
        let given = path.as_ref();
        let path = given.canonicalize().map_err(|error| OpenError::io(given, error))?;
        let engine = connection::open(&path, &options)
            .and_then(|conn| Engine::load(conn).map_err(|error| OpenError::store(&path, error)))?;
        list(&engine).map_err(|error| OpenError::store(&path, error))
    }

    /// Tries again to show every row that is parked. That happens by itself when something changes
    /// that they wait for; this is for what the engine cannot see, such as a collation that the
    /// application defines in another way now. Changes that were not allowed
    /// ([`ParkedReason::NotAllowed`]) are written once more, as of now; if they still are not, they come back when the hub
    /// has said so. Answers how many rows are parked no more.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn retry_parked(&self) -> Result<u64, StoreError> {
        self.change(|engine| {
            let before = list(engine)?.len();
            let mut shown = apply::retry(engine)?;
            shown.extend(park::retry(engine)?);
            Ok((before.saturating_sub(list(engine)?.len()) as u64, shown))
        })
    }

    /// Deletes a row that is parked, as if the application had deleted it: everywhere, for good.
    ///
    /// Rows that refer to it meet what their foreign keys declare for a deleted parent. To keep that
    /// from being a surprise, a row that others show another one for (see
    /// [`ParkedReason::UniqueClaim`]) is not discarded: delete or rename the row that is shown in its
    /// place, which is written to this one, too.
    ///
    /// # Errors
    /// When no such row is parked, when others refer to it, or when the file cannot be written.
    pub fn discard_parked(&self, table: &str, row: &RowId) -> Result<(), StoreError> {
        self.change(|engine| discard(engine, table, row).map(|shown| ((), shown)))
    }

    /// Forgets a change that was not allowed ([`ParkedReason::NotAllowed`]). Nobody else has heard of it.
    ///
    /// # Errors
    /// When nothing was refused of this row, or when the file cannot be written.
    pub fn discard_refused(&self, table: &str, row: &RowId) -> Result<(), StoreError> {
        self.change(|engine| {
            let no = number(engine, table)?;
            match refused::forget(engine, no, row)? {
                true => Ok(((), Shown::default())),
                false => Err(unsupported(format!("nothing was refused of row {row} of {table}"))),
            }
        })
    }

    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&mut Engine) -> Result<(T, Shown), StoreError>,
    ) -> Result<T, StoreError> {
        let (answer, shown): (T, Vec<ShownRows>) = self.with(|open| {
            if !open.engine.is_tracked() {
                return Err(unsupported("no table of this file is tracked: call track first"));
            }
            open.engine.write(|engine| {
                let settled = schema_change::settle(engine)?;
                fold::run(engine)?;
                let (answer, last) = work(engine)?;
                let mut shown = settled;
                shown.extend(std::mem::take(&mut engine.shown_by_folds));
                shown.extend(last);
                Ok((answer, shown.into_rows(&engine.catalog)))
            })
        })?;
        self.publish(&shown);
        Ok(answer)
    }
}

fn unsupported(message: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unsupported, message)
}

fn list(engine: &Engine) -> Result<Vec<Parked>, StoreError> {
    let mut found = Vec::new();
    if !engine.is_tracked() {
        return Ok(found);
    }
    let mut statement = engine.conn.prepare_cached(
        "SELECT t.no, t.name, a.id, a.reason, a.detail, a.since, a.state
         FROM __pocketsync_aside a JOIN __pocketsync_table t ON t.no = a.tbl
         WHERE a.reason <> 'deleted' ORDER BY t.name, a.id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let reason = AsideReason::named(row.get_ref(3)?.as_str().unwrap_or_default());
        let Some(reason) = reason.and_then(ParkedReason::of) else { continue };
        let no: u32 = row.get(0)?;
        let blob = |at: usize| row.get_ref(at)?.as_blob().map_err(rusqlite::Error::from);
        let id = expand_id(blob(2)?, &engine.sites)?;
        let record = Record::decode(blob(6)?, &engine.sites)?;
        let detail: Option<String> = row.get(4)?;
        let name: String = row.get(1)?;
        let (key, values) = values(engine, no, &id, &record)?;
        found.push(Parked {
            handle: handle(&name, &id, 0),
            key,
            reason,
            sentence: sentence(engine, (no, &name), &id, &record, reason, detail)?,
            since_ms: row.get::<_, Option<i64>>(5)?.and_then(|ms| u64::try_from(ms).ok()),
            values,
            table: name,
            row: id,
        });
    }
    drop(rows);
    found.extend(not_allowed::list(engine)?);
    Ok(found)
}

/// FNV-1a of the table's name and the row's id, which are the same everywhere, and of which of several lists it is in.
pub(super) fn handle(table: &str, id: &RowId, list: u8) -> String {
    let bytes = id.to_bytes();
    let text = table.bytes().map(|byte| byte.to_ascii_lowercase()).chain([list]).chain(bytes);
    let hash = text.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The primary key that the row was written with, and its values by column.
pub(super) fn values(
    engine: &Engine,
    no: u32,
    id: &RowId,
    record: &Record,
) -> Result<(Vec<Value>, BTreeMap<String, Value>), StoreError> {
    let Some(table) = engine.catalog.tables.get(&no) else {
        let mut names =
            engine.conn.prepare_cached("SELECT no, name FROM __pocketsync_column WHERE tbl = ?1")?;
        let names = names.query_map([no], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let names: BTreeMap<u32, String> = names.collect::<rusqlite::Result<_>>()?;
        let cells = record.cells.iter();
        let values = share::row(cells.filter_map(|(no, held)| Some((names.get(no)?.as_str(), &held.cell))));
        return Ok((Vec::new(), values));
    };
    let value = |at: usize| merged(table, id, record, at).cloned();
    let key: Option<Vec<Value>> = table.key.iter().map(|&at| value(at)).collect();
    let columns = table.columns.iter().enumerate();
    let shown = |at: usize| merging::shown(table, record, table.columns[at].no);
    let values =
        columns.filter_map(|(at, column)| Some((column.name.clone(), shown(at).or_else(|| value(at))?)));
    Ok((key.unwrap_or_default(), values.collect()))
}

fn sentence(
    engine: &Engine,
    (no, name): (u32, &str),
    id: &RowId,
    record: &Record,
    reason: ParkedReason,
    detail: Option<String>,
) -> Result<String, StoreError> {
    let table = engine.catalog.tables.get(&no);
    let detail = detail.map(|detail| detail.strip_prefix(&format!("{name}: ")).unwrap_or(&detail).to_owned());
    Ok(match (reason, table) {
        (ParkedReason::UnknownTable, _) | (_, None) => {
            format!("this file has no table {name}, or does not track it")
        }
        (ParkedReason::UniqueClaim, Some(table)) => match refs::winner(engine, no, id)? {
            Some(winner) => {
                let key = contested(engine, table, id)?;
                let shown = row_name(engine, table, &winner)?;
                format!("{shown} is older and has the same {key}; what refers to this row shows that one")
            }
            None => detail.unwrap_or_else(|| "another row has the same unique key".to_owned()),
        },
        (ParkedReason::MissingParent, Some(table)) => missing(engine, table, id, record)?,
        (ParkedReason::Refused, _) => {
            let why = detail.unwrap_or_else(|| "a constraint".to_owned());
            format!("{name} refuses it: {why}")
        }
        (ParkedReason::Unborn | ParkedReason::NotAllowed, _) => {
            "changes of a row that has not arrived".to_owned()
        }
    })
}

/// The columns that a row and its winner have in common.
fn contested(engine: &Engine, table: &Table, id: &RowId) -> Result<String, StoreError> {
    let claims = park::index::claims_of(engine, &(table.no, id.clone()))?;
    let key = claims.first().and_then(|claim| table.claim_key(claim.index));
    let names = key.into_iter().flat_map(|key| &key.columns).map(|(at, _)| table.columns[*at].name.as_str());
    Ok(names.collect::<Vec<_>>().join(", "))
}

/// A row as a person knows it: its table and key here.
fn row_name(engine: &Engine, table: &Table, id: &RowId) -> Result<String, StoreError> {
    let Some(key) = refs::local_key(engine, table.no, id)? else {
        return Ok(format!("a row of {} that is not shown", table.name));
    };
    let names = table.key.iter().map(|&at| &table.columns[at].name);
    let parts: Vec<String> = names.zip(key.iter()).map(|(name, value)| format!("{name} = {value}")).collect();
    Ok(format!("{} {}", table.name, parts.join(", ")))
}

fn missing(engine: &Engine, table: &Table, id: &RowId, record: &Record) -> Result<String, StoreError> {
    for foreign in &table.foreign_keys {
        let Some(parent) = engine.catalog.tables.get(&foreign.parent) else { continue };
        let names: Vec<&str> = foreign.columns.iter().map(|&at| table.columns[at].name.as_str()).collect();
        let Some(parent_id) = park::actions::parent_of(engine, table, foreign, id, record).map(|key| key.1)
        else {
            continue;
        };
        if refs::local_key(engine, parent.no, &parent_id)?.is_some() {
            continue;
        }
        let state = match refs::aside(engine, parent.no, &parent_id)? {
            Some((AsideReason::Deleted, _)) => "was deleted",
            Some((AsideReason::UniqueClaim, _)) => continue,
            Some(_) => "is parked itself",
            None => "has not arrived",
        };
        return Ok(format!("{} refers to a row of {} that {state}", names.join(", "), parent.name));
    }
    Ok("a row that it refers to is not shown here".to_owned())
}

fn number(engine: &Engine, table: &str) -> Result<u32, StoreError> {
    let no = engine.catalog.by_name(table).map(|table| table.no).or_else(|| {
        let mut names = engine.catalog.numbers.iter();
        names.find(|(name, _)| name.eq_ignore_ascii_case(table)).map(|(_, no)| *no)
    });
    no.ok_or_else(|| unsupported(format!("there is no table {table}")))
}

fn discard(engine: &mut Engine, table: &str, id: &RowId) -> Result<Shown, StoreError> {
    let no = number(engine, table)?;
    let key = (no, id.clone());
    match refs::aside(engine, no, id)? {
        None | Some((AsideReason::Deleted, _)) => {
            return Err(unsupported(format!("row {id} of {table} is not parked")));
        }
        Some((AsideReason::UniqueClaim, _)) => {
            let target = park::links::Target::Row(no, id.clone());
            let referring = park::index::waiting(engine, &target)?.len();
            if referring > 0 {
                return Err(unsupported(format!(
                    "{referring} rows refer to row {id} of {table} and show the one that has its unique key: \
                     delete or rename that one, or set them to it first"
                )));
            }
        }
        Some(_) => {}
    }
    let seq = engine.meta.next_seq();
    let version = Version::new(engine.meta.clock().next(), engine.site());
    engine.meta.clock = i64::try_from(version.hlc.bits()).unwrap_or(i64::MAX);
    fold::log(engine, seq)?;
    let mut work = Work::new(engine)?;
    work.derive_at = Some(seq);
    let released = park::index::claims_of(engine, &key)?;
    let row = work.load(engine, &key)?;
    row.record.life.died = row.record.life.died.max(Some(version));
    row.record.life_seq = seq;
    row.record.forget_past(false);
    (row.dirty, row.refused, row.reclaimed) = (true, None, true);
    let mut shown = Shown::default();
    apply::store::settle(engine, &mut work, BTreeSet::from([key]), &released, &mut shown)?;
    Ok(shown)
}

//! The declared actions of foreign keys, where a merge brings a deleted row together with one that
//! refers to it: SQLite saw each at a time when the other was not there.
//!
//! | declared | what is written |
//! |---|---|
//! | CASCADE | the death of the row that refers; where that is pinned, the deleted row comes back |
//! | SET NULL, SET DEFAULT | the reference; where its column does not take that, as NO ACTION |
//! | SET DEFAULT, and the default is an integer that stands for a row | as NO ACTION |
//! | NO ACTION, RESTRICT | the deleted row comes back: its death is taken back |
//!
//! An integer key is each replica's own: what a default names on one, another knows by another
//! integer, or has not heard of. So no write can follow from it that all would make.
//!
//! A row is **pinned** if a live row refers to it through NO ACTION or RESTRICT, or a pinned one
//! through CASCADE: it could not have been deleted, nor could what it hangs on.
//!
//! Each of these is a function of its causes. The versions are computed from those of the death, of
//! the birth and of the reference, and belong to no site; so whoever comes to a conclusion makes
//! the same write, and one who comes to it again makes none.

use std::collections::{BTreeMap, BTreeSet};

use super::super::affinity::stored;
use super::super::catalog::{FkAction, ForeignKey, Table};
use super::super::engine::Engine;
use super::super::refs;
use super::super::system::AsideReason;
use super::claims::merged;
use super::defaults::Defaults;
use super::row::{Row, RowKey, is_identity};
use super::work::Work;
use crate::clock::Version;
use crate::id::{RowId, SiteId};
use crate::merge::Cell;
use crate::store::{Record, RecordCell, StoreError};
use crate::value::Value;

/// Does to the rows under work what the deletion of their parents demands. Answers the rows that
/// are changed by it.
pub(crate) fn act(engine: &Engine, work: &mut Work) -> Result<BTreeSet<RowKey>, StoreError> {
    let mut changed = BTreeSet::new();
    let waiting: Vec<RowKey> = work
        .rows
        .iter()
        .filter(|(_, row)| matches!(row.fate, Some((AsideReason::MissingParent | AsideReason::Refused, _))))
        .map(|(key, _)| key.clone())
        .collect();
    let Some(seq) = work.derive_at else {
        work.undecided.extend(waiting);
        return Ok(changed);
    };
    let mut writes = Vec::new();
    let mut children = None;
    for key in waiting {
        writes.extend(conclusions(engine, work, &key, &mut children)?);
    }
    for write in writes {
        if let Write::Revive(key) = &write {
            work.load(engine, key)?;
        }
        changed.extend(write.apply(engine, work, seq));
    }
    work.derived |= !changed.is_empty();
    Ok(changed)
}

/// What follows from the deletion of a row.
#[derive(Debug)]
enum Write {
    /// This row goes with the one that died at this version.
    Die(RowKey, Version),
    /// This row comes back.
    Revive(RowKey),
    /// A column of this row gets a value, since the row that it refers to died at this version.
    Set(RowKey, usize, Value, Version),
}

impl Write {
    /// Writes it. Answers the row, if that changed anything.
    fn apply(self, engine: &Engine, work: &mut Work, seq: u64) -> Option<RowKey> {
        let (Write::Die(key, _) | Write::Revive(key) | Write::Set(key, ..)) = &self;
        let key = key.clone();
        let table = engine.catalog.tables.get(&key.0)?;
        let keeps = work.links.keeps_dead(key.0);
        let row = work.rows.get_mut(&key)?;
        let before = row.record.life;
        match self {
            Write::Die(_, cause) => {
                let life = &mut row.record.life;
                life.died = life.died.max(Some(after(cause.max(life.born?))));
                row.record.forget_past(keeps);
            }
            Write::Revive(_) => row.record.life.undone = before.died.max(before.undone),
            Write::Set(_, position, value, cause) => {
                let column = table.columns[position].no;
                let held = row.record.cells.get(&column)?;
                let version = after(cause.max(held.cell.version));
                row.record.cells.insert(column, RecordCell { cell: Cell { version, value }, seq });
                row.columns.insert(column);
                (row.dirty, row.tried, row.refused) = (true, false, None);
                return Some(key);
            }
        }
        if row.record.life == before {
            return None;
        }
        row.record.life_seq = seq;
        (row.dirty, row.tried, row.refused) = (true, false, None);
        Some(key)
    }
}

/// The version that follows from this one, whoever finds out.
fn after(cause: Version) -> Version {
    Version::new(cause.hlc.next(), SiteId::NIL)
}

/// The rows under work and beside it that refer to a row, and what happens to them.
type Children = BTreeMap<RowKey, Vec<(RowKey, FkAction)>>;

fn conclusions(
    engine: &Engine,
    work: &mut Work,
    key: &RowKey,
    children: &mut Option<Children>,
) -> Result<Vec<Write>, StoreError> {
    let table = &engine.catalog.tables[&key.0];
    let mut dead = Vec::new();
    for foreign in &table.foreign_keys {
        let record = &work.rows[key].record;
        let Some(parent) = parent_of(engine, table, foreign, &key.1, record) else { continue };
        if let Some(died) = death(engine, work, &parent)? {
            dead.push((foreign, parent, died));
        }
    }
    let cascades = |foreign: &ForeignKey| foreign.on_delete == FkAction::Cascade;
    if dead.iter().any(|(foreign, ..)| cascades(foreign)) && !is_pinned(engine, work, key, children)? {
        let died = dead.iter().filter(|(foreign, ..)| cascades(foreign)).map(|(.., died)| *died).max();
        return Ok(died.into_iter().map(|died| Write::Die(key.clone(), died)).collect());
    }
    let mut writes = Vec::new();
    for (foreign, parent, died) in dead {
        match action(&work.defaults, table, foreign, &key.1, &work.rows[key].record) {
            FkAction::SetNull => {
                for &position in &foreign.columns {
                    writes.push(Write::Set(key.clone(), position, Value::Null, died));
                }
            }
            FkAction::SetDefault => {
                for &position in &foreign.columns {
                    let value = work.defaults.get(table.no, position).cloned().unwrap_or(Value::Null);
                    writes.push(Write::Set(key.clone(), position, value, died));
                }
            }
            FkAction::Cascade | FkAction::NoAction | FkAction::Restrict => {
                if has_values(engine, work, &parent)? {
                    writes.push(Write::Revive(parent));
                }
            }
        }
    }
    Ok(writes)
}

/// What a foreign key does to a row of its table: what its columns cannot take is refused.
fn action(defaults: &Defaults, table: &Table, foreign: &ForeignKey, id: &RowId, record: &Record) -> FkAction {
    let mut columns = foreign.columns.iter().copied();
    let takes = match foreign.on_delete {
        FkAction::SetNull => columns.all(|at| !is_identity(table, id, at) && !table.columns[at].not_null),
        FkAction::SetDefault => {
            // With nothing to change, the row would refer to the deleted one as before.
            let changes = |at| {
                merged(table, id, record, at) != Some(defaults.get(table.no, at).unwrap_or(&Value::Null))
            };
            columns.clone().any(changes)
                && columns.all(|at| !is_identity(table, id, at) && takes_default(defaults, table, at))
        }
        _ => true,
    };
    if takes { foreign.on_delete } else { FkAction::NoAction }
}

/// Whether every replica would set a column to the same default, and it may be that.
fn takes_default(defaults: &Defaults, table: &Table, at: usize) -> bool {
    let column = &table.columns[at];
    match defaults.get(table.no, at) {
        // One that is computed has no value that replicas agree on.
        None => column.default.is_none() && !column.not_null,
        Some(Value::Null) => !column.not_null,
        Some(_) => column.reference.is_none(),
    }
}

/// The row that a row refers to through a foreign key, where its id follows from that.
pub(crate) fn parent_of(
    engine: &Engine,
    table: &Table,
    foreign: &ForeignKey,
    id: &RowId,
    record: &Record,
) -> Option<RowKey> {
    let parent = engine.catalog.tables.get(&foreign.parent)?;
    let value = |at: usize| merged(table, id, record, at);
    if let [only] = foreign.columns[..]
        && table.columns[only].reference.as_ref().is_some_and(|to| to.table == parent.no)
    {
        return match value(only)? {
            Value::Ref(id) => Some((parent.no, (**id).clone())),
            _ => None,
        };
    }
    if parent.is_surrogate() || parent.key.len() != foreign.columns.len() {
        return None;
    }
    let part = |&at: &usize| {
        let name = &parent.columns[at].name;
        let n = foreign.parent_columns.iter().position(|column| column == name)?;
        match value(foreign.columns[n])? {
            Value::Null | Value::Dangling(_) => None,
            plain => {
                let shown = stored(&table.columns[foreign.columns[n]].declared_type, plain);
                Some(refs::key_value(stored(&parent.columns[at].declared_type, &shown).into_owned()))
            }
        }
    };
    Some((parent.no, RowId::Natural(parent.key.iter().map(part).collect::<Option<_>>()?)))
}

/// Whether the values of a dead row are here, and not only what was written to it after this replica
/// had deleted it. Where they are not, it comes back by the word of who has them.
fn has_values(engine: &Engine, work: &Work, key: &RowKey) -> Result<bool, StoreError> {
    let table = &engine.catalog.tables[&key.0];
    let held = |row: &Row| {
        let Some(born) = row.record.life.born else { return false };
        let cells = &row.record.cells;
        let mut own = (0..table.columns.len()).filter(|&at| !is_identity(table, &key.1, at));
        // What was written at the birth came with all the rest of it.
        cells.values().any(|held| held.cell.version == born)
            || own.all(|at| cells.contains_key(&table.columns[at].no))
    };
    Ok(match work.rows.get(key) {
        Some(row) => held(row),
        None => held(&Row::load(engine, key)?),
    })
}

/// When a row died that is dead.
fn death(engine: &Engine, work: &Work, key: &RowKey) -> Result<Option<Version>, StoreError> {
    let dead = |row: &Row| row.record.life.died.filter(|_| !row.record.life.is_alive());
    if let Some(row) = work.rows.get(key) {
        return Ok(dead(row));
    }
    // Kept out of the work unless it is to change: its fate is not in question.
    Ok(dead(&Row::load(engine, key)?))
}

/// Whether a live row that cannot do without a row hangs on it.
fn is_pinned(
    engine: &Engine,
    work: &mut Work,
    key: &RowKey,
    children: &mut Option<Children>,
) -> Result<bool, StoreError> {
    if !work.links.pins(key.0) {
        return Ok(false);
    }
    if children.is_none() {
        *children = Some(under_work(engine, work));
    }
    let mut seen = BTreeSet::from([key.clone()]);
    let mut list = vec![key.clone()];
    while let Some(at) = list.pop() {
        let mut found = children.as_ref().and_then(|children| children.get(&at)).cloned().unwrap_or_default();
        found.extend(beside(engine, work, &at)?);
        for (child, action) in found {
            match action {
                FkAction::NoAction | FkAction::Restrict => return Ok(true),
                FkAction::Cascade if work.links.pins(child.0) && seen.insert(child.clone()) => {
                    list.push(child)
                }
                _ => {}
            }
        }
    }
    Ok(false)
}

/// By parent, the live rows under work that refer to it.
fn under_work(engine: &Engine, work: &Work) -> Children {
    let mut children = Children::new();
    for (key, row) in &work.rows {
        children_of(engine, &work.defaults, key, row, |parent, action| {
            children.entry(parent).or_default().push((key.clone(), action));
        });
    }
    children
}

fn children_of(
    engine: &Engine,
    defaults: &Defaults,
    key: &RowKey,
    row: &Row,
    mut found: impl FnMut(RowKey, FkAction),
) {
    let Some(table) = engine.catalog.tables.get(&key.0).filter(|_| row.record.life.is_alive()) else {
        return;
    };
    for foreign in &table.foreign_keys {
        if let Some(parent) = parent_of(engine, table, foreign, &key.1, &row.record) {
            found(parent, action(defaults, table, foreign, &key.1, &row.record));
        }
    }
}

/// The live rows that are not under work and refer to a row.
fn beside(engine: &Engine, work: &mut Work, key: &RowKey) -> Result<Vec<(RowKey, FkAction)>, StoreError> {
    let Some(table) = engine.catalog.tables.get(&key.0) else { return Ok(Vec::new()) };
    let (local, targets) = match work.rows.get(key) {
        Some(row) => (row.local.clone(), work.links.offers(table, &key.1, &row.record, &work.defaults)),
        None => {
            let row = Row::load(engine, key)?;
            let targets = work.links.offers(table, &key.1, &row.record, &work.defaults);
            (row.local, targets)
        }
    };
    let mut keys: BTreeSet<RowKey> =
        work.find_children_of(engine, key.0, &local)?.into_iter().map(|(child, _)| child).collect();
    for target in targets {
        keys.extend(work.find_waiting(engine, &target)?);
    }
    let mut found = Vec::new();
    for child in keys.into_iter().filter(|child| !work.rows.contains_key(child)) {
        let row = Row::load(engine, &child)?;
        children_of(engine, &work.defaults, &child, &row, |parent, action| {
            if parent == *key {
                found.push((child.clone(), action));
            }
        });
    }
    Ok(found)
}

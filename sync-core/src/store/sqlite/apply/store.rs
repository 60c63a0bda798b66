//! Storing what became of the rows under work.

use std::collections::BTreeMap;

use super::super::catalog::Catalog;
use super::super::engine::Engine;
use super::super::park::actions::act;
use super::super::park::claims::Claim;
use super::super::park::contest::contest;
use super::super::park::index;
use super::super::park::redirect;
use super::super::park::row::{LocalKey, RowKey};
use super::super::park::visible::decide;
use super::super::park::work::Work;
use super::super::refs;
use super::super::system::AsideReason;
use super::write::write;
use crate::id::RowId;
use crate::store::{Record, ShownRows, StoreError};
use crate::value::Value;
use std::collections::BTreeSet;

/// Which rows of user tables look different, and whether there is a row now.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// By table number: the local key, in the order in which they were noted.
    tables: BTreeMap<u32, Vec<(LocalKey, bool)>>,
}

impl Shown {
    /// Whether no row looks different.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Notes that a row looks different.
    pub(crate) fn note(&mut self, table_no: u32, at: LocalKey, present: bool) {
        self.tables.entry(table_no).or_default().push((at, present));
    }

    /// Takes over what happened after this.
    pub fn extend(&mut self, later: Shown) {
        for (table_no, noted) in later.tables {
            let rows = self.tables.entry(table_no).or_default();
            rows.extend(noted);
            // So that what is taken over again and again does not grow with it.
            last_of_each(rows);
        }
    }

    /// By table, for the application.
    pub fn into_rows(self, catalog: &Catalog) -> Vec<ShownRows> {
        let mut tables = Vec::new();
        for (table_no, mut noted) in self.tables {
            let Some(table) = catalog.tables.get(&table_no) else { continue };
            last_of_each(&mut noted);
            let table = table.name.clone();
            let mut rows = ShownRows { table, changed: Vec::new(), removed: Vec::new() };
            for (key, present) in noted {
                if present { rows.changed.push(key) } else { rows.removed.push(key) }
            }
            tables.push(rows);
        }
        tables
    }
}

/// Sorts by key, and leaves what was said of each last.
fn last_of_each(noted: &mut Vec<(LocalKey, bool)>) {
    noted.sort_by(|a, b| a.0.cmp(&b.0));
    noted.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 = later.1;
        }
        same
    });
}

/// Decides about the rows under work, makes the tables show it, and stores all of it. `changed`
/// are the rows whose merged state changed, `released` unique keys that somebody had.
pub(crate) fn settle(
    engine: &mut Engine,
    work: &mut Work,
    mut changed: BTreeSet<RowKey>,
    released: &[Claim],
    shown: &mut Shown,
) -> Result<(), StoreError> {
    let mut released = released;
    loop {
        contest(engine, work, &changed, released)?;
        decide(engine, work)?;
        changed = act(engine, work)?;
        if changed.is_empty() {
            changed = write(engine, work)?;
        }
        if changed.is_empty() {
            break;
        }
        // A refusal changes who has which key, and that who is shown; each row is refused once.
        released = &[];
    }
    store(engine, work)?;
    report(work, shown);
    work.clear();
    Ok(())
}

fn store(engine: &mut Engine, work: &mut Work) -> Result<(), StoreError> {
    for (key, row) in &work.rows {
        if let Some(was_at) = &row.was_at
            && row.at != row.was_at
        {
            refs::remove_clock(engine, key.0, was_at)?;
        }
        if row.reclaimed && work.is_contested(key.0) {
            index::forget_claims(engine, key)?;
        }
        let showed_another =
            row.aliased || row.stored_shadows.values().any(|value| matches!(value, Value::Ref(_)));
        use AsideReason::{MissingParent, Refused, UniqueClaim};
        if showed_another || matches!(row.aside, Some(MissingParent | UniqueClaim | Refused)) {
            index::forget_waits(engine, key)?;
        }
        if row.aliased {
            refs::forget_alias(engine, key.0, &key.1)?;
        }
    }
    for (key, row) in &mut work.rows {
        let unknown: Vec<(u32, Value)> = match engine.catalog.tables.get(&key.0) {
            Some(table) if row.at.is_some() => {
                let cells = row.record.cells.iter().filter(|(column, _)| table.position(**column).is_none());
                cells.map(|(column, held)| (*column, held.cell.value.clone())).collect()
            }
            _ => {
                row.shadows.clear();
                Vec::new()
            }
        };
        row.shadows.extend(unknown);
        if row.shadows != row.stored_shadows {
            refs::remove_shadows(engine, key.0, &key.1)?;
            for (column, value) in &row.shadows {
                refs::put_shadow(engine, key.0, &key.1, *column, value)?;
            }
            row.dirty = true;
        }
        if let Some(at) = &row.at {
            if row.dirty || row.at != row.was_at {
                let clock = row.clock(&engine.catalog.tables[&key.0], &key.1, at);
                refs::put_clock(engine, key.0, at, &key.1, &clock)?;
            }
            if row.aside.is_some() {
                refs::remove_aside(engine, key.0, &key.1)?;
            }
        } else if let Some((reason, detail)) = &row.fate
            && (row.dirty || row.aside != Some(*reason) || row.holder != row.stored_holder)
            && row.record != Record::default()
        {
            let detail = Some(detail.as_str()).filter(|detail| !detail.is_empty());
            refs::put_aside(engine, key.0, &key.1, *reason, detail, &row.record)?;
            if let (AsideReason::UniqueClaim, Some((_, winner))) = (reason, &row.holder) {
                refs::put_winner(engine, key.0, &key.1, Some(winner))?;
            }
        } else if row.aside.is_some() && row.record == Record::default() {
            // Nothing is left of it: a peer did not take it.
            refs::remove_aside(engine, key.0, &key.1)?;
        }
    }
    store_aliases(engine, work)?;
    store_waiting(engine, work)
}

/// Notes which rows are shown under another key than their id says.
fn store_aliases(engine: &mut Engine, work: &Work) -> Result<(), StoreError> {
    for (key, row) in &work.rows {
        let (Some(at), RowId::Natural(parts)) = (&row.at, &key.1) else { continue };
        let table = &engine.catalog.tables[&key.0];
        if table.identity_key.is_none() && !table.named_key {
            continue;
        }
        let mut aliased = table.named_key;
        for (part, &position) in parts.iter().zip(&table.key) {
            if let (Value::Ref(id), Some(reference)) = (part, &table.columns[position].reference) {
                aliased |= work.shown_as(engine, &(reference.table, (**id).clone()))?.1 != **id;
            }
        }
        if aliased {
            refs::put_alias(engine, key.0, at, &key.1)?;
        }
    }
    Ok(())
}

/// Stores the claims of hidden rows, and of whoever has a key that a hidden row claims, so that a
/// change of any of them finds the others; and what hidden rows wait for.
fn store_waiting(engine: &mut Engine, work: &Work) -> Result<(), StoreError> {
    for row in work.rows.values() {
        let Some((AsideReason::UniqueClaim | AsideReason::MissingParent, _)) = &row.fate else {
            continue;
        };
        for claim in &row.claims {
            for (_, claimant) in work.by_claim.get(claim).into_iter().flatten() {
                index::put_claim(engine, claimant, claim)?;
            }
        }
    }
    for key in work.rows.keys() {
        for target in redirect::awaited(engine, work, key)? {
            index::put_wait(engine, key, &target)?;
        }
    }
    for (claim, claimants) in &work.by_claim {
        let contested = claimants.len() > 1;
        if contested && work.is_contested(claim.table) {
            for (_, claimant) in claimants {
                index::put_claim(engine, claimant, claim)?;
            }
        } else if !contested && work.is_contested(claim.table) && work.knows_all(claim) {
            let hidden = claimants.iter().any(|(_, key)| work.rows[key].fate.is_some());
            if !hidden {
                index::forget_claim(engine, claim)?;
            }
        }
    }
    Ok(())
}

fn report(work: &Work, shown: &mut Shown) {
    for (key, row) in &work.rows {
        if let Some(was_at) = &row.was_at
            && row.at != row.was_at
        {
            shown.note(key.0, was_at.clone(), false);
        }
    }
    for (key, row) in &work.rows {
        if let Some(at) = &row.at
            && (row.written || row.at != row.was_at)
        {
            shown.note(key.0, at.clone(), true);
        }
    }
}

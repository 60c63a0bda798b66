//! The contest for unique keys.

use std::collections::BTreeSet;

use super::super::engine::Engine;
use super::claims::Claim;
use super::index;
use super::row::{Age, RowKey};
use super::work::Work;
use crate::store::StoreError;

/// Decides for every row whose chances may have changed, going from the oldest to the youngest,
/// whether it has its unique keys: it does if none of them is held by an older row that has its.
///
/// What changed is known by the rows in `changed`; any other row can only be touched through a
/// key that it shares with a row whose decision changed.
pub(crate) fn contest(
    engine: &Engine,
    work: &mut Work,
    changed: &BTreeSet<RowKey>,
    released: &[Claim],
) -> Result<(), StoreError> {
    let mut list = List::default();
    let mut moved = Vec::new();
    let in_line = work.rerank(engine, changed)?;
    // All of them first: a list made on the way would name rows by what they claimed before.
    let mut before = Vec::new();
    for key in changed.iter().chain(in_line.iter().filter(|key| !changed.contains(key))) {
        let had_them = work.rows[key].wins;
        before.push((key, had_them, work.refresh_claims(engine, key)?));
    }
    for (key, had_them, before) in before {
        let row = work.rows.get_mut(key).expect("changed rows are under work");
        if row.claims.is_empty() {
            row.wins = row.is_claimant() && engine.catalog.tables.contains_key(&key.0);
            if row.holder.take().is_some() {
                moved.push(key.clone());
            }
        } else if before.is_some() || !had_them || !changed.contains(key) {
            list.push(work, key);
        }
        for claim in before.into_iter().flatten() {
            if had_them {
                list.push_claimants(engine, work, &claim)?;
            }
        }
    }
    for claim in released {
        list.push_claimants(engine, work, claim)?;
    }
    for key in moved {
        list.push_referring(engine, work, &key)?;
    }
    while let Some((_, age, key)) = list.0.pop_first() {
        if work.rows[&key].age != age {
            // It is listed where it stands now.
            continue;
        }
        let claims = work.rows[&key].claims.clone();
        let mut holder = None;
        for claim in &claims {
            work.load_claimants(engine, claim)?;
            if holder.is_none() {
                holder =
                    older(work, claim, &(age, key.clone())).find(|other| work.rows[*other].wins).cloned();
            }
        }
        let shown_as = work.shown_as(engine, &key)?;
        let row = work.rows.get_mut(&key).expect("listed rows are under work");
        let wins = row.is_claimant() && holder.is_none();
        let won_before = std::mem::replace(&mut row.wins, wins);
        row.holder = holder;
        let new = wins && (!won_before || row.reclaimed);
        if !wins {
            work.losers.insert(key.0);
        }
        for claim in &claims {
            // Who has a key displaces whoever else had it; who loses one leaves it to the others.
            let affected: Vec<RowKey> = younger(work, claim, &(age, key.clone()))
                .filter(|other| if wins { new || work.rows[*other].wins } else { won_before })
                .cloned()
                .collect();
            affected.iter().for_each(|other| list.push(work, other));
        }
        if work.shown_as(engine, &key)? != shown_as {
            list.push_referring(engine, work, &key)?;
        }
    }
    Ok(())
}

/// The rows to be decided about: those first that others follow from.
#[derive(Debug, Default)]
struct List(BTreeSet<(u32, Age, RowKey)>);

impl List {
    fn push(&mut self, work: &Work, key: &RowKey) {
        self.0.insert((work.strata.level(key.0), work.rows[key].age, key.clone()));
    }

    fn push_claimants(&mut self, engine: &Engine, work: &mut Work, claim: &Claim) -> Result<(), StoreError> {
        work.load_claimants(engine, claim)?;
        work.claimants(claim).for_each(|key| self.push(work, key));
        Ok(())
    }

    /// A row is shown as another one than before: so are the references to it, and with them what
    /// those who refer to it claim.
    fn push_referring(&mut self, engine: &Engine, work: &mut Work, key: &RowKey) -> Result<(), StoreError> {
        for (other, is_new) in work.load_referring(engine, key)? {
            let had_them = work.rows[&other].wins;
            let before = if is_new {
                // What it claims by now was found out just now; what it claimed is stored.
                let row = work.rows.get_mut(&other).expect("it was loaded");
                if row.claims.is_empty() {
                    continue;
                }
                row.reclaimed = true;
                index::claims_of(engine, &other)?
            } else {
                let Some(before) = work.refresh_claims(engine, &other)? else { continue };
                before
            };
            self.push(work, &other);
            for claim in before.iter().filter(|_| had_them) {
                self.push_claimants(engine, work, claim)?;
            }
        }
        Ok(())
    }
}

fn older<'w>(work: &'w Work, claim: &Claim, than: &(Age, RowKey)) -> impl Iterator<Item = &'w RowKey> {
    work.by_claim.get(claim).into_iter().flat_map(move |set| set.range(..than)).map(|(_, key)| key)
}

fn younger<'w>(work: &'w Work, claim: &Claim, than: &(Age, RowKey)) -> impl Iterator<Item = &'w RowKey> {
    use std::ops::Bound::{Excluded, Unbounded};
    work.by_claim
        .get(claim)
        .into_iter()
        .flat_map(move |set| set.range((Excluded(than), Unbounded)))
        .map(|(_, key)| key)
}

/// The older row that has a key of this row.
pub(crate) fn holder<'w>(work: &'w Work, key: &RowKey) -> Option<(&'w Claim, &'w RowKey)> {
    let row = work.rows.get(key)?;
    let me = (row.age, key.clone());
    row.claims.iter().find_map(|claim| {
        let (claim, set) = work.by_claim.get_key_value(claim)?;
        let held = set.range(..&me).find(|(_, other)| work.rows[other].wins)?;
        Some((claim, &held.1))
    })
}

//! The contest for unique keys.

use std::collections::BTreeSet;

use super::super::engine::Engine;
use super::claims::Claim;
use super::row::RowKey;
use super::work::Work;
use crate::clock::Version;
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
    let mut list: BTreeSet<(Option<Version>, RowKey)> = BTreeSet::new();
    // All of them first: a list made on the way would name rows by what they claimed before.
    let mut before = Vec::new();
    for key in changed {
        let had_them = work.rows[key].wins;
        before.push((key, had_them, work.refresh_claims(engine.catalog.tables.get(&key.0), key)));
    }
    for (key, had_them, before) in before {
        let row = work.rows.get_mut(key).expect("changed rows are under work");
        if row.claims.is_empty() {
            row.wins = row.is_claimant() && engine.catalog.tables.contains_key(&key.0);
        } else if before.is_some() || !had_them {
            list.insert((row.age, key.clone()));
        }
        for claim in before.into_iter().flatten() {
            if had_them {
                push_claimants(engine, work, &claim, &mut list)?;
            }
        }
    }
    for claim in released {
        push_claimants(engine, work, claim, &mut list)?;
    }
    while let Some((age, key)) = list.pop_first() {
        let claims = work.rows[&key].claims.clone();
        let mut wins = work.rows[&key].is_claimant();
        for claim in &claims {
            work.load_claimants(engine, claim)?;
            wins &= !older(work, claim, &(age, key.clone())).any(|other| work.rows[other].wins);
        }
        let row = work.rows.get_mut(&key).expect("listed rows are under work");
        let won_before = std::mem::replace(&mut row.wins, wins);
        for claim in &claims {
            // Who has a key displaces whoever else had it; who loses one leaves it to the others.
            let affected: Vec<_> = younger(work, claim, &(age, key.clone()))
                .filter(|other| if wins { work.rows[other].wins } else { won_before })
                .map(|other| (work.rows[other].age, other.clone()))
                .collect();
            list.extend(affected);
        }
    }
    Ok(())
}

fn push_claimants(
    engine: &Engine,
    work: &mut Work,
    claim: &Claim,
    list: &mut BTreeSet<(Option<Version>, RowKey)>,
) -> Result<(), StoreError> {
    work.load_claimants(engine, claim)?;
    if let Some(claimants) = work.by_claim.get(claim) {
        list.extend(claimants.iter().cloned());
    }
    Ok(())
}

fn older<'w>(
    work: &'w Work,
    claim: &Claim,
    than: &(Option<Version>, RowKey),
) -> impl Iterator<Item = &'w RowKey> {
    work.by_claim.get(claim).into_iter().flat_map(move |set| set.range(..than)).map(|(_, key)| key)
}

fn younger<'w>(
    work: &'w Work,
    claim: &Claim,
    than: &(Option<Version>, RowKey),
) -> impl Iterator<Item = &'w RowKey> {
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

//! What a local write does to the writer's own share.

use std::cmp::Ordering;

use super::held::Held;
use super::json;
use super::order::compare;
use super::part::{Part, outermost, takes};
use super::total::Total;
use super::{Base, Share};
use crate::clock::Hlc;
use crate::conflict::MergeType;
use crate::id::SiteId;
use crate::value::Value;

/// Who writes, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Local {
    /// The writer.
    pub site: SiteId,
    /// The type that is in force for the column; `None`: the later write wins.
    pub merge: Option<MergeType>,
    /// The last birth of the row that the writer knows of.
    pub born: Hlc,
    /// The clock of the write.
    pub now: Hlc,
    /// Whether the row was inserted, so that nothing was there to the writer.
    pub inserted: bool,
}

/// What a local write comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing: it makes no difference to what is held.
    Nothing,
    /// The plain cell is written.
    Plain,
    /// The own share of this type is this now.
    Share(MergeType, Share),
}

/// What it comes to that a table shows `live` where `held` is known.
///
/// Under a type, a write is the difference that it makes to what was shown, and an insert the
/// difference to nothing. A value that the type cannot take resets what shares make, and so does any
/// write under no type; where there are no shares, that one is plain.
pub fn write(held: &Held<'_>, local: &Local, live: &Value) -> Change {
    let of_shares = held.merge();
    let Some(merge) = local.merge.or(of_shares) else { return Change::Plain };
    let is_difference = local.merge.is_some() && takes(merge, live) && of_shares.is_none_or(|of| of == merge);
    let shown = held.shown();
    let shown = shown.as_deref().or(held.default()).unwrap_or(&Value::Null);
    let is_shown = !local.inserted && *live == *shown;
    match (is_difference, held.resets()) {
        _ if is_shown => Change::Nothing,
        (true, resets) => {
            let before = if local.inserted { &Value::Null } else { shown };
            difference(held, local, (merge, resets), before, live)
        }
        // What was inserted without a difference is what others add to.
        (false, None) if local.merge.is_none() || local.inserted => Change::Plain,
        (false, resets) => reset(local, merge, resets.unwrap_or(0), live),
    }
}

/// What it comes to that `INSERT OR REPLACE` has put `live` into a row that was there: the row begins anew with
/// it, and what was added to the old one is gone.
pub fn replace(held: &Held<'_>, local: &Local, live: &Value) -> Change {
    match local.merge.or(held.merge()) {
        Some(merge) => reset(local, merge, held.resets().unwrap_or(0), live),
        None => Change::Plain,
    }
}

fn reset(local: &Local, merge: MergeType, resets: u64, live: &Value) -> Change {
    let base = Base::Reset(local.now, live.clone());
    Change::Share(merge, Share::new(local.born, resets.saturating_add(1), base, merge))
}

fn difference(
    held: &Held<'_>,
    local: &Local,
    (merge, resets): (MergeType, Option<u64>),
    before: &Value,
    live: &Value,
) -> Change {
    let own = held.own(local.site, merge).cloned();
    let mut share =
        own.unwrap_or_else(|| Share::new(local.born, resets.unwrap_or(0), Base::Inherited, merge));
    share.born = share.born.max(local.born);
    if local.inserted && share.resets == 0 {
        share.base = Base::Nothing;
    }
    let made = match &mut share.part {
        Part::Counter(sum) => match count(sum, held.counted().filter(|_| !local.inserted), live) {
            // Reals too far apart to be added: the difference would be lost.
            Count::Inexact => return reset(local, merge, resets.unwrap_or(0), live),
            counted => counted == Count::Made,
        },
        Part::Max(bound) | Part::Min(bound) => reach(merge, bound, before, live),
        Part::Set(_) => change_elements(held, local, &mut share, before, live),
    };
    match (made, resets) {
        (true, _) => Change::Share(merge, share),
        // An empty set where there was none is no difference of elements.
        (false, None) if !takes(merge, before) => Change::Plain,
        (false, Some(resets)) if !takes(merge, before) && !local.inserted => {
            reset(local, merge, resets, live)
        }
        (false, _) => Change::Nothing,
    }
}

/// What became of an addition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Count {
    Made,
    Nothing,
    Inexact,
}

fn count(sum: &mut Option<Total>, before: Option<Total>, live: &Value) -> Count {
    let Some(live) = Total::of(live) else { return Count::Nothing };
    let difference = Total::difference(&before.unwrap_or_default(), &live);
    if before.is_some() && difference.is_zero() {
        return Count::Nothing;
    }
    sum.get_or_insert_default().add(&difference);
    let mut after = before.unwrap_or_default();
    after.add(&difference);
    if after.is_about(&live) { Count::Made } else { Count::Inexact }
}

fn reach(merge: MergeType, bound: &mut Option<Value>, before: &Value, live: &Value) -> bool {
    let is_no_further = takes(merge, before)
        && (compare(before, live) == Ordering::Equal || outermost(merge, before, live) == before);
    if is_no_further {
        return false;
    }
    let reached = bound.as_ref().map_or(live, |bound| outermost(merge, bound, live)).clone();
    *bound = Some(reached);
    true
}

fn change_elements(held: &Held<'_>, local: &Local, share: &mut Share, before: &Value, live: &Value) -> bool {
    let Part::Set(own) = &mut share.part else { return false };
    let (before, now) =
        (json::elements(before).unwrap_or_default(), json::elements(live).unwrap_or_default());
    let base = held.base_elements();
    let others = || held.elements().filter(|(site, _)| *site != local.site);
    let mut made = false;
    for element in before.difference(&now) {
        own.remove(element, others(), base.contains(element));
        made = true;
    }
    for element in now.difference(&before) {
        if !(local.inserted && own.has(element)) {
            own.add(element, local.now);
            made = true;
        }
    }
    if made {
        others().for_each(|(site, other)| own.forget_settled(site, other));
    }
    made
}

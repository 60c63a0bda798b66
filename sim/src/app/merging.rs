//! What applications write into columns that merge.

use std::collections::BTreeSet;

use pocketsync_core::value::Value;

use crate::determinism::Chance;
use crate::shape::{Kind, Merge, WriteId, stamped};

/// One write in so many sets the column back, where NULL may stand there.
const RESETS_ONE_IN: u64 = 24;
/// One write of a counter in so many says what it is to be, and not by how much it changes.
const PLAIN_ONE_IN: u64 = 6;
/// The most that a counter changes at a time.
const STEP: u64 = 20;
/// The largest values are below this.
const VALUES: u64 = 1_000;
/// How many elements several writes put into sets.
const SHARED_ELEMENTS: u64 = 4;

/// What a write puts into a column.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Put {
    /// This.
    Value(Value),
    /// What is there, and this.
    Plus(Value),
}

/// A column that merges, and who writes there.
pub(super) struct Merging<'a> {
    pub(super) merge: Merge,
    pub(super) kind: Kind,
    pub(super) begin: &'a [Value],
    pub(super) nullable: bool,
    pub(super) write: WriteId,
}

impl Merging<'_> {
    /// What a new row begins with.
    pub(super) fn begin(&self, chance: &mut Chance) -> Value {
        match self.begin.get(chance.below(self.begin.len() as u64) as usize) {
            Some(value) => value.clone(),
            None if self.merge == Merge::Set => array(&BTreeSet::from([self.own_element()])),
            None => self.number(chance.below(if self.merge == Merge::Counter { 10 } else { VALUES })),
        }
    }

    /// What an update writes where this is shown.
    pub(super) fn change(&self, shown: &Value, chance: &mut Chance) -> Put {
        if self.nullable && chance.below(RESETS_ONE_IN) == 0 {
            return Put::Value(Value::Null);
        }
        match self.merge {
            // Nothing can be added to NULL.
            Merge::Counter if *shown == Value::Null || chance.below(PLAIN_ONE_IN) == 0 => {
                Put::Value(self.number(chance.below(STEP)))
            }
            Merge::Counter => {
                let (step, less) = (1 + chance.below(STEP), chance.below(3) == 0);
                Put::Plus(match self.number(step) {
                    Value::Integer(step) if less => Value::Integer(-step),
                    Value::Real(step) if less => Value::Real(-step),
                    step => step,
                })
            }
            Merge::Max | Merge::Min => Put::Value(self.number(chance.below(VALUES))),
            Merge::Set => Put::Value(self.changed_set(shown, chance)),
        }
    }

    /// A number of the column's type. Fractions are such that sums of them are exact.
    fn number(&self, number: u64) -> Value {
        match self.kind {
            Kind::Integer => Value::Integer(number.cast_signed()),
            Kind::Real => Value::Real(number as f64 / 4.0),
            kind => stamped(kind, self.write, 0),
        }
    }

    fn changed_set(&self, shown: &Value, chance: &mut Chance) -> Value {
        let mut elements = elements(shown).unwrap_or_default();
        let shared = format!("\"s{}\"", chance.below(SHARED_ELEMENTS));
        let picked = elements.iter().nth(chance.below(elements.len() as u64) as usize).cloned();
        match (chance.below(8), picked) {
            (0, _) => drop(elements.insert(shared)),
            (1, _) => drop(elements.remove(&shared)),
            (2 | 3, Some(picked)) => drop(elements.remove(&picked)),
            (4, Some(picked)) => {
                elements.remove(&picked);
                elements.insert(self.own_element());
            }
            _ => drop(elements.insert(self.own_element())),
        }
        array(&elements)
    }

    /// An element that no other write adds.
    fn own_element(&self) -> String {
        format!("\"{}\"", self.write)
    }
}

/// The elements of a JSON array, each as JSON; `None` where a value is none.
pub(crate) fn elements(value: &Value) -> Option<BTreeSet<String>> {
    let Value::Text(text) = value else { return None };
    let list: Vec<serde_json::Value> = serde_json::from_slice(text).ok()?;
    Some(list.iter().map(ToString::to_string).collect())
}

/// With the spaces that an application's own library may put there.
fn array(elements: &BTreeSet<String>) -> Value {
    let elements: Vec<&str> = elements.iter().map(String::as_str).collect();
    Value::text(&format!("[{}]", elements.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merging(merge: Merge, kind: Kind) -> Merging<'static> {
        Merging { merge, kind, begin: &[], nullable: true, write: WriteId(7) }
    }

    #[test]
    fn counters_are_added_to_set_and_set_back() {
        let counter = merging(Merge::Counter, Kind::Integer);
        let mut chance = Chance::new(1, "test", 0);
        let puts: Vec<Put> = (0..200).map(|_| counter.change(&Value::Integer(5), &mut chance)).collect();
        let adds = |sign: i64| {
            puts.iter().any(|put| matches!(put, Put::Plus(Value::Integer(step)) if step.signum() == sign))
        };
        assert!(adds(1) && adds(-1));
        assert!(puts.contains(&Put::Value(Value::Null)));
        assert!(puts.iter().any(|put| matches!(put, Put::Value(Value::Integer(_)))));
        assert!(!(0..200).any(|_| matches!(counter.change(&Value::Null, &mut chance), Put::Plus(_))));
    }

    #[test]
    fn sets_get_elements_of_their_own_and_shared_ones() {
        let set = merging(Merge::Set, Kind::Text);
        let mut chance = Chance::new(1, "test", 0);
        let shown = Value::text("[\"w1\", \"s2\"]");
        let mut seen = BTreeSet::new();
        for _ in 0..500 {
            if let Put::Value(value) = set.change(&shown, &mut chance) {
                seen.extend(elements(&value));
            }
        }
        let has =
            |elements: &[&str]| seen.contains(&elements.iter().map(|name| format!("\"{name}\"")).collect());
        assert!(has(&["s2"]) && has(&["w1"]) && has(&["s2", "w1", "w7"]) && has(&["s2", "w7"]));
        assert!(has(&["s1", "s2", "w1"]), "{seen:?}");
    }
}

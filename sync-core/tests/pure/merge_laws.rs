//! The laws of the lattice: its join is commutative, associative and idempotent, so what replicas
//! hold depends on which changes they saw, and on nothing else. No database is near.

use std::collections::BTreeMap;

use crate::generators::{NOON_MS, life, row, value, version};
use pocketsync_core::change::{CellChange, RowChange};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::merge::{Cell, Life, RowState};
use pocketsync_core::store::Record;
use pocketsync_core::value::Value;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

const ID: RowId = RowId::Genesis([7; 16]);
const COLUMNS: usize = 4;

type State = RowState<u32>;

fn cell() -> impl Strategy<Value = Cell> {
    // Versions collide often, and then the values decide.
    (version(), prop_oneof![3 => (0i64..3).prop_map(Value::Integer), 1 => value()])
        .prop_map(|(version, value)| Cell { version, value })
}

fn state() -> impl Strategy<Value = State> {
    let cells = btree_map(0..COLUMNS as u32, cell(), 0..=COLUMNS);
    (life(), cells).prop_map(|(life, cells)| RowState { life, cells })
}

fn change() -> impl Strategy<Value = RowChange> {
    prop_oneof![
        3 => state().prop_map(|state| change_of(&state)),
        1 => row(COLUMNS).prop_map(|row| RowChange { id: ID, ..row }),
    ]
}

fn change_of(state: &State) -> RowChange {
    let cell = |(&column, cell): (&u32, &Cell)| CellChange {
        column,
        version: cell.version,
        value: cell.value.clone(),
    };
    RowChange { id: ID, life: state.life, cells: state.cells.iter().map(cell).collect() }
}

fn state_of(change: &RowChange) -> State {
    let cell = |cell: &CellChange| (cell.column, Cell { version: cell.version, value: cell.value.clone() });
    RowState { life: change.life, cells: change.cells.iter().map(cell).collect() }
}

fn joined(a: &State, b: &State) -> State {
    let mut result = a.clone();
    result.join(b.clone());
    result
}

fn all<'a>(changes: impl IntoIterator<Item = &'a RowChange>) -> State {
    changes.into_iter().fold(State::default(), |state, change| joined(&state, &state_of(change)))
}

fn shown(state: &State) -> Option<BTreeMap<u32, Value>> {
    Some(state.visible()?.map(|(&column, value)| (column, value.clone())).collect())
}

/// Store numbers for a change's columns: not the same as theirs.
const NUMBERS: [u32; COLUMNS] = [12, 5, 9, 3];

fn renumbered(state: &State) -> State {
    let cells = state.cells.iter().map(|(&column, cell)| (NUMBERS[column as usize], cell.clone())).collect();
    RowState { life: state.life, cells }
}

fn identity() -> Vec<u32> {
    (0..=*NUMBERS.iter().max().unwrap()).collect()
}

proptest! {
    #[test]
    fn the_order_of_cells_is_total(a in cell(), b in cell(), c in cell()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        // Equal in the order means equal to the bit: else two replicas could each keep their own.
        if a == b {
            let bytes = |cell: &Cell| {
                let mut writer = pocketsync_core::codec::Writer::new();
                cell.value.encode(&mut writer);
                writer.into_bytes()
            };
            prop_assert_eq!(bytes(&a), bytes(&b));
        }
    }

    #[test]
    fn lives_join_in_any_order(a in life(), b in life(), c in life()) {
        let join = |x: Life, y: Life| { let mut x = x; x.join(&y); x };
        prop_assert_eq!(join(a, b), join(b, a));
        prop_assert_eq!(join(join(a, b), c), join(a, join(b, c)));
        prop_assert_eq!(join(a, a), a);
        let mut held = join(a, b);
        prop_assert!(!held.join(&a) && !held.join(&b), "what is known is no news");
    }

    #[test]
    fn states_join_in_any_order(a in state(), b in state(), c in state()) {
        prop_assert_eq!(joined(&a, &b), joined(&b, &a));
        prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        prop_assert_eq!(&joined(&a, &a), &a);
        prop_assert_eq!(&joined(&a, &State::default()), &a);
    }

    #[test]
    fn a_join_tells_what_it_changed(a in state(), b in state()) {
        let mut held = a.clone();
        let told = held.join(b.clone());
        prop_assert_eq!(told.life, held.life != a.life);
        let changed: Vec<u32> =
            (0..COLUMNS as u32).filter(|column| held.cells.get(column) != a.cells.get(column)).collect();
        prop_assert_eq!(told.cells, changed);
        prop_assert!(!held.join(b).changed());
        prop_assert!(!held.join(a).changed());
    }

    /// Order, duplication and grouping leave no trace, neither in the state nor in what is shown.
    #[test]
    fn only_the_set_of_changes_matters(
        changes in vec(change(), 1..6),
        order in vec(any::<prop::sample::Index>(), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let expected = all(&changes);
        let mut deliveries: Vec<&RowChange> = order.iter().map(|index| index.get(&changes)).collect();
        deliveries.extend(changes.iter().rev());
        prop_assert_eq!(&all(deliveries.iter().copied()), &expected);
        let (first, second) = deliveries.split_at(cut.index(deliveries.len()));
        let grouped = joined(&all(second.iter().copied()), &all(first.iter().copied()));
        prop_assert_eq!(shown(&grouped), shown(&expected));
        prop_assert_eq!(grouped, expected);
    }

    #[test]
    fn a_record_merges_as_the_lattice_joins(changes in vec(change(), 1..8)) {
        let mut record = Record::default();
        let mut state = State::default();
        for (seq, change) in (1u64..).zip(changes) {
            let told = state.join(state_of(&change));
            let won = record.merge(change, &NUMBERS, seq);
            prop_assert_eq!(record.state(), renumbered(&state));
            prop_assert_eq!(won.is_some(), told.changed());
            // A change that wins nothing leaves no trace in the log.
            prop_assert_eq!(record.seq() == seq, told.changed());
            if let Some(won) = won {
                prop_assert_eq!(won.cells.iter().map(|cell| cell.column).collect::<Vec<_>>(), told.cells);
                prop_assert_eq!(won.life, if told.life { state.life } else { Life::default() });
            }
        }
    }

    /// What won here is all that others need to hear who hold what was here before.
    #[test]
    fn what_won_carries_the_whole_difference(before in change(), change in change()) {
        let mut here = Record::default();
        here.merge(before.clone(), &NUMBERS, 1);
        let mut there = here.clone();
        if let Some(won) = here.merge(change, &NUMBERS, 2) {
            there.merge(won, &NUMBERS, 2);
        }
        prop_assert_eq!(there, here);
    }

    /// A reader that asks now and then for what is after its cursor misses nothing, from whatever
    /// cursor it starts, and however often it is told the same.
    #[test]
    fn changes_after_a_cursor_carry_everything(
        changes in vec((change(), any::<bool>()), 1..8),
        repeat in any::<bool>(),
    ) {
        let mut source = Record::default();
        let mut reader = Record::default();
        let mut cursor = 0;
        for (seq, (change, read)) in (1u64..).zip(changes) {
            source.merge(change, &NUMBERS, seq);
            if read {
                let after = if repeat { 0 } else { cursor };
                if let Some(news) = source.changes(&ID, |seq| seq > after) {
                    reader.merge(news, &identity(), seq);
                }
                cursor = seq;
                prop_assert_eq!(reader.state(), source.state());
            }
        }
        let rest = source.changes(&ID, |seq| seq > cursor);
        prop_assert_eq!(rest.is_some(), source.seq() > cursor);
        if let Some(rest) = rest {
            prop_assert!(rest.cells.is_sorted_by(|a, b| a.column < b.column));
            reader.merge(rest, &identity(), 99);
        }
        prop_assert_eq!(reader.state(), source.state());
    }

    /// A reader may drop the cells of a dead row: a death that is taken back brings them again.
    #[test]
    fn a_death_taken_back_brings_the_values(cells in state(), born in version(), died in version()) {
        let mut source = Record::default();
        let life = Life { undone: None, ..Life::born(born) };
        source.merge(RowChange { life, ..change_of(&cells) }, &NUMBERS, 1);
        source.merge(RowChange { id: ID, life: Life::died(died), cells: Vec::new() }, &NUMBERS, 2);
        let mut forgetful = source.clone();
        forgetful.cells.clear();
        let undo = Life { undone: Some(died), ..Life::default() };
        source.merge(RowChange { id: ID, life: undo, cells: Vec::new() }, &NUMBERS, 3);
        let news = source.changes(&ID, |seq| seq > 2).expect("a death taken back is news");
        forgetful.merge(news, &identity(), 3);
        prop_assert_eq!(forgetful.state(), source.state());
    }
}

fn at(ms: u64, site: u8) -> Version {
    Version::new(Hlc::from_ms(NOON_MS + ms), SiteId::from_bytes([site; 16]))
}

fn born(version: Version, text: &str) -> RowChange {
    RowChange { id: ID, life: Life::born(version), ..written(version, text) }
}

fn written(version: Version, text: &str) -> RowChange {
    let cell = CellChange { column: 0, version, value: Value::text(text) };
    RowChange { id: ID, life: Life::default(), cells: vec![cell] }
}

fn died(version: Version) -> RowChange {
    RowChange { id: ID, life: Life::died(version), cells: Vec::new() }
}

fn undone(version: Version) -> RowChange {
    RowChange { id: ID, life: Life { undone: Some(version), ..Life::default() }, cells: Vec::new() }
}

fn orders(len: usize) -> Vec<Vec<usize>> {
    if len == 0 {
        return vec![Vec::new()];
    }
    let insert = |order: Vec<usize>| {
        (0..len).map(move |at| {
            let mut longer = order.clone();
            longer.insert(at, len - 1);
            longer
        })
    };
    orders(len - 1).into_iter().flat_map(insert).collect()
}

/// The text that is shown, `None` where there is no row: the same in every order of `changes`.
fn outcome(changes: &[RowChange]) -> Option<Option<Value>> {
    let expected = all(changes);
    for order in orders(changes.len()) {
        let mut record = Record::default();
        for (seq, &index) in (1u64..).zip(&order) {
            record.merge(changes[index].clone(), &[0], seq);
        }
        assert_eq!(record.state(), expected, "{order:?} of {changes:?}");
    }
    shown(&expected).map(|mut cells| cells.remove(&0))
}

/// Every three of all operations with few versions, in every order, against the definition.
#[test]
fn three_operations_in_every_order() {
    let versions = [at(1, 1), at(1, 2), at(2, 1), at(3, 2)];
    let operations: Vec<RowChange> = versions
        .into_iter()
        .flat_map(|version| {
            let writes = [born(version, "a"), written(version, "a"), written(version, "b")];
            let silent = RowChange { cells: Vec::new(), ..born(version, "") };
            writes.into_iter().chain([silent, died(version), undone(version)])
        })
        .collect();
    let max = |versions: [Option<Version>; 3]| versions.into_iter().max().flatten();
    let mut alive = 0;
    for a in &operations {
        for b in &operations {
            for c in &operations {
                let changes = [a.clone(), b.clone(), c.clone()];
                let result = outcome(&changes);
                let born = max([a.life.born, b.life.born, c.life.born]);
                let died = max([a.life.died, b.life.died, c.life.died]);
                let undone = max([a.life.undone, b.life.undone, c.life.undone]);
                let lives = born.is_some() && (born > died || undone >= died);
                assert_eq!(result.is_some(), lives, "{changes:?}");
                let cells = changes.iter().flat_map(|change| &change.cells);
                let winner = cells.max_by_key(|cell| (cell.version, cell.value.clone()));
                let value = winner.filter(|cell| Some(cell.version) > died || undone >= died);
                let value = value.map(|cell| cell.value.clone());
                assert_eq!(result, lives.then_some(value), "{changes:?}");
                alive += usize::from(lives);
            }
        }
    }
    assert!(alive > 1000, "the world is not so small that nothing lives in it");
}

fn text(text: &str) -> Option<Option<Value>> {
    Some(Some(Value::text(text)))
}

#[test]
fn a_concurrent_update_does_not_revive() {
    assert_eq!(outcome(&[born(at(1, 1), "a"), died(at(2, 1)), written(at(3, 2), "b")]), None);
}

#[test]
fn two_concurrent_deletes_are_one() {
    assert_eq!(outcome(&[born(at(1, 1), "a"), died(at(2, 1)), died(at(2, 2))]), None);
    // Taking back the smaller of them does not bring the row back; taking back the larger does.
    let deleted = [born(at(1, 1), "a"), died(at(2, 1)), died(at(2, 2))];
    assert_eq!(outcome(&[&deleted[..], &[undone(at(2, 1))]].concat()), None);
    assert_eq!(outcome(&[&deleted[..], &[undone(at(2, 2))]].concat()), text("a"));
}

#[test]
fn a_key_inserted_again_shows_nothing_of_its_old_life() {
    let history = [born(at(1, 1), "a"), died(at(3, 2)), born(at(4, 3), "c"), written(at(2, 2), "old")];
    assert_eq!(outcome(&history), text("c"));
    // The new life did not write the column: what shows is its default, not the old value.
    let silent = RowChange { cells: Vec::new(), ..born(at(4, 3), "") };
    assert_eq!(outcome(&[born(at(1, 1), "a"), died(at(3, 2)), silent]), Some(None));
}

#[test]
fn an_insert_by_a_device_that_never_saw_the_tombstone_lives() {
    assert_eq!(outcome(&[died(at(3, 1)), born(at(9, 2), "fresh")]), text("fresh"));
}

#[test]
fn a_later_delete_ends_a_life_that_was_brought_back() {
    let history = [born(at(1, 1), "a"), died(at(2, 1)), undone(at(2, 1))];
    assert_eq!(outcome(&history), text("a"));
    assert_eq!(outcome(&[&history[..], &[died(at(5, 2))]].concat()), None);
}

#[test]
fn what_was_never_born_is_not_shown() {
    assert_eq!(outcome(&[written(at(1, 1), "a"), undone(at(2, 1))]), None);
}

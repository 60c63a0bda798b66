//! The laws of the lattice, on arbitrary states.
//!
//! The join is commutative, associative and idempotent; a row lives by the rules of births and
//! deaths; and a stored record does what the lattice says, tells what is news, and survives its
//! bytes.

use pocketsync_core::change::RowChange;
use pocketsync_core::merge::{Cell, RowState};
use pocketsync_core::store::{Record, Sites};
use pocketsync_core::value::Value;

use crate::draw::{Input, Result, changes};

const COLUMNS: usize = 5;
/// The numbers that a store gives the columns: not their positions.
const NUMBERS: [u32; COLUMNS] = [12, 5, 9, 3, 0];

type State = RowState<u32>;

/// Draws some changes of one row, and holds their joins against the laws.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    if let Ok(changes) = draw(&mut u) {
        check_laws(&changes);
        check_record(&changes);
    }
}

fn draw(u: &mut Input<'_>) -> Result<Vec<RowChange>> {
    let mut changes = Vec::new();
    while !u.is_empty() && changes.len() < 6 {
        changes.push(changes::row(u, COLUMNS)?);
    }
    Ok(changes)
}

fn state(change: &RowChange) -> State {
    let cell = |cell: &pocketsync_core::change::CellChange| {
        (NUMBERS[cell.column as usize], Cell { version: cell.version, value: cell.value.clone() })
    };
    RowState { life: change.life, cells: change.cells.iter().map(cell).collect() }
}

fn joined(a: &State, b: &State) -> State {
    let mut joined = a.clone();
    let told = joined.join(b.clone());
    assert_eq!(told.life, joined.life != a.life);
    let changed: Vec<u32> =
        joined.cells.iter().filter(|(no, cell)| a.cells.get(no) != Some(cell)).map(|(no, _)| *no).collect();
    assert_eq!(told.cells, changed);
    joined
}

fn check_laws(changes: &[RowChange]) {
    let states: Vec<State> = changes.iter().map(state).collect();
    for a in &states {
        assert_eq!(joined(a, a), *a, "idempotent");
        check_life(a);
        for b in &states {
            assert_eq!(joined(a, b), joined(b, a), "commutative");
            for c in &states {
                assert_eq!(joined(&joined(a, b), c), joined(a, &joined(b, c)), "associative");
            }
        }
    }
    let forth = states.iter().fold(State::default(), |all, state| joined(&all, state));
    let back = states.iter().rev().fold(State::default(), |all, state| joined(&all, state));
    assert_eq!(forth, back);
    check_life(&forth);
}

fn check_life(state: &State) {
    let life = &state.life;
    let lives = life.born.is_some()
        && (life.died.is_none()
            || life.born > life.died
            || (life.undone >= life.died && life.died.is_some()));
    assert_eq!(life.is_alive(), lives);
    let shown: Option<Vec<(u32, Value)>> =
        state.visible().map(|cells| cells.map(|(column, value)| (*column, value.clone())).collect());
    assert_eq!(shown.is_some(), lives);
    for (column, value) in shown.into_iter().flatten() {
        let cell = &state.cells[&column];
        assert_eq!(cell.value, value);
        assert!(Some(cell.version) > life.died || life.undone >= life.died, "a cell of a past life");
    }
}

fn check_record(changes: &[RowChange]) {
    let (mut record, mut told) = (Record::default(), Record::default());
    let mut all = State::default();
    let own: Vec<u32> = (0..=*NUMBERS.iter().max().expect("some")).collect();
    for (seq, change) in (1..).zip(changes) {
        let changed = joined(&all, &state(change)) != all;
        all.join(state(change));
        let won = record.merge(change.clone(), &NUMBERS, seq);
        assert_eq!(record.state(), all);
        assert_eq!(won.is_some(), changed, "what won is what changed");
        // Told the news alone, another record is where this one is.
        if let Some(won) = won {
            told.merge(won, &NUMBERS, seq);
        }
        assert_eq!(told.state(), all);
        assert_eq!(record.changes(&change.id, |of| of >= seq).is_some(), changed);
        // So is one that is told everything at once.
        let mut late = Record::default();
        if let Some(everything) = record.changes(&change.id, |_| true) {
            late.merge(everything, &own, seq);
        }
        assert_eq!(late.state(), all);
    }
    let mut sites = Sites::default();
    let bytes = record.encode(&mut sites);
    assert_eq!(Record::decode(&bytes, &sites), Ok(record));
}

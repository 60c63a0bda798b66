//! The merge of the library, and wrong ones.

use std::collections::BTreeMap;

use pocketsync_core::clock::Version;
use pocketsync_core::merge::{Cell, Life};
use pocketsync_core::value::Value;

use super::history::{COLUMNS, State};
use super::promises::Shown;

/// A merge under test.
#[derive(Clone, Copy)]
pub(crate) struct Merge {
    pub(crate) name: &'static str,
    /// Takes the second in, and says whether that changed anything.
    pub(crate) join: fn(&mut State, &State) -> bool,
    pub(crate) shown: fn(&State) -> Shown,
}

pub(crate) const RIGHT: Merge = Merge {
    name: "the library's",
    join: |held, told| held.join(told.clone()).changed(),
    shown: |state| {
        let mut shown = [None; COLUMNS];
        for (&column, value) in state.visible()? {
            shown[column] = Some(number(value));
        }
        Some(shown)
    },
};

fn number(value: &Value) -> usize {
    match value {
        Value::Integer(number) => *number as usize,
        other => panic!("nobody wrote {other:?}"),
    }
}

fn join_life(held: &mut State, told: &State, join: fn(&mut Life, &Life)) {
    join(&mut held.life, &told.life);
}

fn join_cells(held: &mut State, told: &State, wins: fn(&Cell, &Cell) -> bool) {
    for (column, cell) in &told.cells {
        if held.cells.get(column).is_none_or(|kept| wins(cell, kept)) {
            held.cells.insert(*column, cell.clone());
        }
    }
}

fn changing(held: &mut State, join: impl FnOnce(&mut State)) -> bool {
    let before = held.clone();
    join(held);
    *held != before
}

fn joins(held: &mut State, told: &State, wins: fn(&Cell, &Cell) -> bool) -> bool {
    changing(held, |held| {
        join_life(held, told, |held, told| _ = held.join(told));
        join_cells(held, told, wins);
    })
}

fn lives(held: &mut State, told: &State, join: fn(&mut Life, &Life)) -> bool {
    changing(held, |held| {
        join_life(held, told, join);
        join_cells(held, told, |new, kept| new > kept);
    })
}

fn cells(state: &State, is_shown: impl Fn(&Cell) -> bool) -> [Option<usize>; COLUMNS] {
    let mut shown = [None; COLUMNS];
    for (&column, cell) in state.cells.iter().filter(|(_, cell)| is_shown(cell)) {
        shown[column] = Some(number(&cell.value));
    }
    shown
}

fn newest(cells: &BTreeMap<usize, Cell>) -> Option<Version> {
    cells.values().map(|cell| cell.version).max()
}

/// Wrong merges, each with the law that it breaks first.
pub(crate) const WRONG: [(Merge, &str); 14] = [
    (
        Merge {
            name: "the smaller cell wins",
            join: |held, told| joins(held, told, |new, kept| new < kept),
            ..RIGHT
        },
        "goes back",
    ),
    (
        Merge {
            name: "sites before clocks",
            join: |held, told| {
                joins(held, told, |new, kept| {
                    (new.version.site, new.version.hlc) > (kept.version.site, kept.version.hlc)
                })
            },
            ..RIGHT
        },
        "goes back",
    ),
    (
        Merge {
            name: "of two with one clock the first to arrive",
            join: |held, told| joins(held, told, |new, kept| new.version.hlc > kept.version.hlc),
            ..RIGHT
        },
        "goes back",
    ),
    (
        Merge {
            name: "of two with one clock the last to arrive",
            join: |held, told| joins(held, told, |new, kept| new.version.hlc >= kept.version.hlc),
            ..RIGHT
        },
        "order",
    ),
    (
        Merge { name: "the last to arrive", join: |held, told| joins(held, told, |_, _| true), ..RIGHT },
        "order",
    ),
    (
        Merge {
            name: "of two with one clock the smaller site",
            join: |held, told| {
                joins(held, told, |new, kept| {
                    let (new, kept) = (new.version, kept.version);
                    new.hlc > kept.hlc || new.hlc == kept.hlc && new.site < kept.site
                })
            },
            ..RIGHT
        },
        "goes back",
    ),
    (
        Merge {
            name: "deaths are not taken in",
            join: |held, told| lives(held, told, |held, told| held.born = held.born.max(told.born)),
            ..RIGHT
        },
        "goes back",
    ),
    (
        Merge {
            name: "the last birth to arrive",
            join: |held, told| {
                lives(held, told, |held, told| {
                    held.born = told.born.or(held.born);
                    held.died = held.died.max(told.died);
                })
            },
            ..RIGHT
        },
        "order",
    ),
    (
        Merge {
            name: "the first birth counts",
            join: |held, told| {
                lives(held, told, |held, told| {
                    held.born = held.born.or(told.born);
                    held.died = held.died.max(told.died);
                })
            },
            ..RIGHT
        },
        "goes back",
    ),
    (
        Merge {
            name: "dead for ever",
            shown: |state| {
                let alive = state.life.born.is_some() && state.life.died.is_none();
                alive.then(|| cells(state, |_| true))
            },
            ..RIGHT
        },
        "promises",
    ),
    (
        Merge {
            name: "an update revives",
            shown: |state| {
                let alive = state.life.born.max(newest(&state.cells)) > state.life.died;
                (alive && state.life.born.is_some())
                    .then(|| cells(state, |cell| state.life.covers(cell.version)))
            },
            ..RIGHT
        },
        "promises",
    ),
    (
        Merge {
            name: "values of a former life are shown",
            shown: |state| state.life.is_alive().then(|| cells(state, |_| true)),
            ..RIGHT
        },
        "promises",
    ),
    (
        Merge {
            name: "the newer row, whole",
            join: |held, told| {
                changing(held, |held| {
                    held.life.join(&told.life);
                    if newest(&told.cells) > newest(&held.cells) {
                        held.cells = told.cells.clone();
                    }
                })
            },
            ..RIGHT
        },
        "goes back",
    ),
    (
        Merge {
            name: "an update that comes before its row is forgotten",
            join: |held, told| {
                let mut told = told.clone();
                if held.life.is_empty() && told.life.is_empty() {
                    told.cells.clear();
                }
                (RIGHT.join)(held, &told)
            },
            ..RIGHT
        },
        "goes back",
    ),
];

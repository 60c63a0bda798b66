//! What follows from conflicts: who wins, by which rule, and the hub's own write where the lattice has
//! decided otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::{CellClash, DeathClash, Judge, Own, is_ours};
use crate::clock::Version;
use crate::conflict::{Conflict, ContestedColumn, OnDelete, Resolution, Strategy, Winner, Write};
use crate::id::RowId;
use crate::merge::Cell;
use crate::merge::share::ShareName;
use crate::store::log::LogState;
use crate::store::{Record, RecordCell};
use crate::value::Value;

/// What a resolver said, with store column numbers.
pub(super) enum Answer {
    Nobody,
    Hub,
    Incoming,
    Merged(BTreeMap<u32, Value>),
    Park(&'static str),
}

pub(super) struct Found {
    pub(super) logged: Vec<Unfinished>,
    pub(super) answered: bool,
}

/// A conflict as far as its row does not say.
pub(super) struct Unfinished {
    pub(super) column: Option<String>,
    pub(super) here: Write,
    pub(super) came: Write,
    pub(super) winner: Winner,
    pub(super) rule: String,
    pub(super) open: bool,
}

impl Judge<'_> {
    pub(super) fn settle_death(
        &self,
        table: &str,
        clash: &DeathClash,
        (here, came): (Write, Write),
        changer: Winner,
        merged: &mut Record,
        found: &mut Found,
    ) {
        let rule = if is_ours(table) { OnDelete::default() } else { self.rules.on_delete(table) };
        let is_undone = rule == OnDelete::LastWriterWins && clash.may_be_undone && clash.change > clash.death;
        if is_undone {
            merged.life.undone = merged.life.undone.max(merged.life.died);
            merged.life_seq = self.seq + 1;
            found.answered = true;
        }
        let deleter = if changer == Winner::Here { Winner::Came } else { Winner::Here };
        let winner = if is_undone { changer } else { deleter };
        found.logged.push(Unfinished {
            column: None,
            here,
            came,
            winner,
            rule: rule.as_str().to_owned(),
            open: false,
        });
    }

    /// What the hub's resolver says to the columns that are its own.
    #[allow(clippy::too_many_arguments, reason = "all of it is what a resolver sees")]
    pub(super) fn ask(
        &self,
        state: &LogState,
        name: &str,
        id: &RowId,
        clashes: &[CellClash],
        hub_row: BTreeMap<String, Value>,
        own: &Own,
        table: u32,
    ) -> Answer {
        let mut incoming_row = hub_row.clone();
        incoming_row.extend(own.named(&state.names, table));
        let asked = clashes.iter().filter(|clash| clash.strategy == Strategy::Resolver);
        let columns = asked.map(|clash| ContestedColumn {
            name: clash.name.clone(),
            hub: clash.here(),
            incoming: clash.came(),
        });
        let conflict = Conflict {
            scope: self.scope.clone(),
            table: name.to_owned(),
            row: id.clone(),
            columns: columns.collect(),
            hub_row,
            incoming_row,
        };
        match state.resolver.ask(&conflict) {
            None => Answer::Nobody,
            Some(Err(_)) => Answer::Park("resolver panicked"),
            Some(Ok(Resolution::KeepHub)) => Answer::Hub,
            Some(Ok(Resolution::KeepIncoming)) => Answer::Incoming,
            Some(Ok(Resolution::Park)) => Answer::Park("resolver"),
            Some(Ok(Resolution::Merged(values))) => {
                let number = |(name, value)| Some((state.names.existing_column(table, name)?, value));
                let values = values.iter().map(|(name, value)| (name.as_str(), value.clone()));
                match values.map(number).collect() {
                    Some(values) => Answer::Merged(values),
                    None => Answer::Park("resolver named a column that there is not"),
                }
            }
        }
    }

    pub(super) fn settle_cells(
        &self,
        state: &LogState,
        table: u32,
        clashes: &[CellClash],
        answer: Option<Answer>,
        merged: &mut Record,
        found: &mut Found,
    ) {
        let mut wanted: BTreeMap<u32, Value> = BTreeMap::new();
        for clash in clashes {
            let later = if clash.came > clash.here { Winner::Came } else { Winner::Here };
            let (winner, rule, open) = match (clash.strategy, &answer) {
                (Strategy::HubWins, _) => (Winner::Here, "hub_wins", false),
                (Strategy::ClientWins, _) => (Winner::Came, "client_wins", false),
                (Strategy::Resolver, Some(Answer::Hub)) => (Winner::Here, "resolver", false),
                (Strategy::Resolver, Some(Answer::Incoming)) => (Winner::Came, "resolver", false),
                (Strategy::Resolver, Some(Answer::Park(why))) => (later, *why, true),
                (Strategy::Resolver, Some(Answer::Merged(values))) => match values.get(&clash.column) {
                    Some(value) if *value == clash.here.value => (Winner::Here, "resolver", false),
                    Some(value) if *value == clash.came.value => (Winner::Came, "resolver", false),
                    Some(_) => (Winner::Neither, "resolver", false),
                    None => (later, "resolver", false),
                },
                (Strategy::Resolver, _) => (later, "last_write_wins: the hub has no resolver", false),
                _ => (later, "last_write_wins", false),
            };
            match winner {
                _ if !clash.is_shown => {}
                Winner::Here => drop(wanted.insert(clash.column, clash.here.value.clone())),
                Winner::Came => drop(wanted.insert(clash.column, clash.came.value.clone())),
                Winner::Neither => {}
            }
            if clash.is_news {
                found.logged.push(Unfinished {
                    column: Some(clash.name.clone()),
                    here: clash.here(),
                    came: clash.came(),
                    winner,
                    rule: rule.to_owned(),
                    open,
                });
            }
        }
        if let Some(Answer::Merged(values)) = answer {
            // What shares make of a column is not the hub's to write.
            let names = merged.cells.keys().filter_map(|&no| state.names.column_name(table, no));
            let shared: BTreeSet<&str> =
                names.filter_map(|name| Some(ShareName::parse(name)?.column)).collect();
            let is_shared = |no: u32| shared.contains(state.names.column_name(table, no).unwrap_or_default());
            wanted.extend(values.into_iter().filter(|(no, _)| !is_shared(*no)));
        }
        debug_assert!(wanted.keys().all(|&column| state.names.column_name(table, column).is_some()));
        for (column, value) in wanted {
            let shown = merged.cells.get(&column).filter(|held| merged.life.covers(held.cell.version));
            if shown.is_some_and(|held| held.cell.value == value) {
                continue;
            }
            let contested = clashes.iter().filter(|clash| clash.column == column);
            let contested = contested.flat_map(|clash| [clash.here.version, clash.came.version]);
            let held = merged.cells.get(&column).map(|held| held.cell.version);
            let above = contested.chain(held).chain(merged.life.versions()).map(|version| version.hlc);
            let version = Version::new(above.max().unwrap_or_default().next(), state.site);
            merged.cells.insert(column, RecordCell { cell: Cell { version, value }, seq: self.seq + 1 });
            found.answered = true;
        }
    }
}

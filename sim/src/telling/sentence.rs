//! One sentence an event.

use std::fmt::Write as _;

use pocketsync_core::value::Value;

use super::seconds;
use crate::history::{Commit, Did, Effect, Event, Fault};
use crate::shape::Shape;
use crate::story::Ms;

/// How many effects of a transaction are told.
const EFFECTS: usize = 8;
/// How much of a value is told.
const VALUE_CHARS: usize = 24;

/// What an event says to a reader; `None` for bookkeeping.
pub(super) fn of(at: Ms, event: &Event, shape: &Shape) -> Option<String> {
    Some(match event {
        Event::Started { device, copy_of: Some(of) } => format!("{device} begins with a copy of {of}'s file"),
        Event::Started { device, copy_of: None } if at > 0 => format!("{device} begins, empty"),
        Event::Committed(commit) => committed(commit, shape),
        Event::CaughtUp { device } => format!("{device} has caught up"),
        Event::Acknowledged { device, through } => {
            format!("the hub has acknowledged what {device} wrote up to {through}")
        }
        Event::AcknowledgedBy { device, peer, through } => {
            format!("{peer} has acknowledged what {device} wrote up to {through}")
        }
        Event::Met { device, with } => format!("{device} calls {with}"),
        Event::Parted { device, with, in_sync: true } => format!("{device} and {with} part, in sync"),
        Event::Parted { device, with, in_sync: false } => format!("{device} and {with} part in the middle"),
        Event::Fault(fault) => of_fault(fault),
        Event::Quiet => "everyone is online, and nobody writes any more".to_owned(),
        _ => return None,
    })
}

fn committed(commit: &Commit, shape: &Shape) -> String {
    let mut effects: Vec<String> =
        commit.effects.iter().take(EFFECTS).map(|effect| of_effect(effect, shape)).collect();
    let more = commit.effects.len().saturating_sub(EFFECTS);
    if more > 0 {
        effects.push(format!("and {more} rows more"));
    }
    let together = if effects.len() > 1 { ", in one transaction," } else { "" };
    format!("{}{together} {} ({})", commit.device, effects.join("; "), commit.tx)
}

fn of_effect(effect: &Effect, shape: &Shape) -> String {
    let row = &effect.row.name;
    let table = shape.tables.get(effect.row.table);
    let name = table.map_or("an unknown table", |table| &table.name);
    match &effect.did {
        Did::Inserted { .. } => format!("inserts {row} into {name}"),
        Did::Deleted { .. } => format!("deletes {row} from {name}"),
        Did::Updated { cells } => {
            let changes = cells.iter().map(|cell| {
                let column = table.and_then(|table| table.columns.get(cell.column));
                let column = column.map_or("?", |column| &column.name);
                format!("{column} from {} to {}", shown(&cell.before), shown(&cell.after))
            });
            format!("changes {} of {row} in {name}", changes.collect::<Vec<_>>().join(", "))
        }
    }
}

fn of_fault(fault: &Fault) -> String {
    match fault {
        Fault::Connected(device) => format!("{device} comes online"),
        Fault::Disconnected(device) => format!("{device} goes offline"),
        Fault::LinkBroke(device) => format!("{device}'s link breaks"),
        Fault::Misdelivered(device) => {
            format!("a frame on {device}'s link is delivered twice, or overtakes another")
        }
        Fault::Crashed(device) => format!("{device} is killed"),
        Fault::Restarted(device) => format!("{device} runs again"),
        Fault::BackedUp(device) => format!("a copy of {device}'s file is put aside"),
        Fault::Restored { device, to } => {
            format!("{device}'s file is replaced by its copy from {}", seconds(*to))
        }
        Fault::Lost(device) => format!("{device} is destroyed"),
        Fault::Migrated { device, to } => format!("{device} changes its schema to version {to}"),
        Fault::ClockSet(device) => format!("somebody sets {device}'s clock"),
        Fault::HubCrashed => "the hub is killed".to_owned(),
        Fault::HubRestarted => "the hub runs again".to_owned(),
        Fault::HubBackedUp => "a copy of the hub's file is put aside".to_owned(),
        Fault::HubRestored { to } => format!("the hub's file is replaced by its copy from {}", seconds(*to)),
    }
}

/// A value, short.
fn shown(value: &Value) -> String {
    let mut text = match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => other.to_string(),
    };
    // A stamped text is padded after a space; the stamp says it all.
    if let Some(stamp) =
        crate::shape::stamp_of(value).filter(|_| matches!(value, Value::Text(_) | Value::Blob(_)))
    {
        text = stamp.to_string();
    }
    if let Some((cut, _)) = text.char_indices().nth(VALUE_CHARS) {
        text.truncate(cut);
        let _ = write!(text, "…");
    }
    text
}

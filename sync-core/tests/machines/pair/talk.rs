//! What a device says to a hub, and hears of it, written by hand.

use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::hub::ConnId;
use pocketsync_core::id::RowId;
use pocketsync_core::lineage::{Lineage, Stamp};
use pocketsync_core::merge::Life;
use pocketsync_core::value::Value;
use pocketsync_core::wire::{Body, Message, Push, PushSeen, WireError};

use super::{HubRig, WALL, site};

pub fn lineage(n: u8) -> Lineage {
    let mut lineage = Lineage::default();
    lineage.open(0, Stamp(u64::from(n)));
    lineage
}

pub fn push(n: u8, from: u64, text: &str) -> Message {
    relayed(n, n, from, (from + 1, from), text)
}

/// A push of `n` with a row that it had from another site, which numbered it and wrote it so late.
pub fn relayed(n: u8, of: u8, from: u64, (counter, ms): (u64, u64), text: &str) -> Message {
    let version = Version::new(Hlc::from_ms(WALL + ms), site(of));
    let row = RowChange {
        id: RowId::Surrogate { site: site(of), counter },
        life: Life::born(version),
        cells: vec![CellChange { column: 0, version, value: Value::text(text) }],
    };
    let table = TableChanges { name: "note".to_owned(), columns: vec!["text".to_owned()], rows: vec![row] };
    let body = Body::seal(&Changeset { tables: vec![table] }, false);
    let (from, to) = (lineage(n).cursor_at(from), lineage(n).cursor_at(from + 1));
    Message::Push(Push { from, to, last: true, body })
}

pub fn join(rig: &mut HubRig, n: u8) -> ConnId {
    rig.join(site(n), lineage(n))
}

pub fn pushes(heard: Vec<Message>) -> Vec<Push> {
    heard
        .into_iter()
        .filter_map(|message| match message {
            Message::Push(push) | Message::PushSeen(PushSeen { push, .. }) => Some(push),
            _ => None,
        })
        .collect()
}

pub fn error(rig: &mut HubRig, conn: ConnId) -> WireError {
    match rig.heard(conn).pop() {
        Some(Message::Error(error)) => error,
        other => panic!("no error but {other:?}"),
    }
}

//! What was seen of a run: the only thing that oracles and reports go by.
//!
//! An engine tells its [`Judge`](crate::oracle::Judge) what happens, in the order in which it
//! happens, and shows it the devices now and then. Nothing here is told by the replicas' own
//! bookkeeping where it can be told by looking: what a transaction wrote is the difference between
//! the rows that its own connection saw before and after it.

mod view;

pub use view::{ConflictView, DeviceView, HubView, Look, Phase, RowView, Rows};

use pocketsync_core::value::Value;
use serde::Serialize;

use crate::shape::{RowTag, WriteId};
use crate::story::{DeviceNo, Ms, TxId};

/// Something that happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A device exists from now on; as a copy of another one's file, or with an empty schema.
    Started {
        /// Which.
        device: DeviceNo,
        /// Whose file it began with.
        copy_of: Option<DeviceNo>,
    },
    /// The application's transaction has committed.
    Committed(Commit),
    /// What the device's client says of itself has changed.
    Status {
        /// Which.
        device: DeviceNo,
        /// What it says.
        status: StatusView,
    },
    /// The device has reached the end of what the hub had: it shows whole transactions now.
    CaughtUp {
        /// Which.
        device: DeviceNo,
    },
    /// The hub acknowledged everything that the device had written up to that transaction: it may
    /// be destroyed from now on and nothing is lost.
    Acknowledged {
        /// Which.
        device: DeviceNo,
        /// The last transaction that is covered.
        through: TxId,
    },
    /// Where there is no hub: another device acknowledged everything that the device had written up to that
    /// transaction. It is there as long as that one keeps its file.
    AcknowledgedBy {
        /// Which device wrote.
        device: DeviceNo,
        /// Which device acknowledged.
        peer: DeviceNo,
        /// The last transaction that is covered.
        through: TxId,
    },
    /// Two devices meet.
    Met {
        /// Which called.
        device: DeviceNo,
        /// Whom.
        with: DeviceNo,
    },
    /// They part.
    Parted {
        /// Which called.
        device: DeviceNo,
        /// Whom.
        with: DeviceNo,
        /// Whether both had everything then, as far as they could tell.
        in_sync: bool,
    },
    /// A merge conflict was decided somewhere, as far as the engine tells.
    Conflict {
        /// The device that noticed; `None`: the hub.
        device: Option<DeviceNo>,
    },
    /// The device's own log, or the hub's, has this end.
    Position {
        /// Whose; `None`: the hub.
        device: Option<DeviceNo>,
        /// The scope.
        scope: u32,
        /// The writing identity that numbers the log: a new one begins anew.
        site: [u8; 16],
        /// The number of the last entry.
        seq: u64,
    },
    /// What one replica holds of another one's log has this end.
    Holds {
        /// Who holds; `None`: the hub.
        device: Option<DeviceNo>,
        /// The scope.
        scope: u32,
        /// Of whose log.
        of: [u8; 16],
        /// Under which opening of it: a new one may begin further back.
        stamp: u64,
        /// The number of the last entry.
        seq: u64,
    },
    /// Bytes went over a link.
    Carried {
        /// Whose link.
        device: DeviceNo,
        /// Whether to the hub.
        up: bool,
        /// How many.
        bytes: usize,
        /// What for.
        cause: Cause,
    },
    /// Something that must stay bounded has this size.
    Gauge {
        /// What: `"hub queue"`, `"staged bytes"`.
        name: &'static str,
        /// Whose; `None`: the hub.
        device: Option<DeviceNo>,
        /// Its size.
        value: u64,
        /// The most that is allowed.
        bound: u64,
    },
    /// Something was done to the device.
    Fault(Fault),
    /// The quiet period begins: nobody writes, nothing fails, everyone is online.
    Quiet,
}

/// A transaction of an application, by its effects.
#[derive(Clone, PartialEq, Debug)]
pub struct Commit {
    /// Where.
    pub device: DeviceNo,
    /// Which.
    pub tx: TxId,
    /// What the device's wall clock read when it committed.
    pub wall_ms: u64,
    /// How the visible rows of the device differ after it from before it: also what triggers and
    /// foreign-key actions of the schema did. A row that was deleted and inserted again under the
    /// same tag is two effects. Who comes or goes under the integer of a reference that no foreign key
    /// holds did nothing to the row that has it.
    pub effects: Vec<Effect>,
}

/// What a transaction did to one row.
#[derive(Clone, PartialEq, Debug)]
pub struct Effect {
    /// The row.
    pub row: RowTag,
    /// What became of it.
    pub did: Did,
}

/// What became of a row.
#[derive(Clone, PartialEq, Debug)]
pub enum Did {
    /// It is new; its cells, in the order of the table's columns.
    Inserted {
        /// The cells.
        cells: Vec<Value>,
    },
    /// Cells have other values.
    Updated {
        /// The cells that changed.
        cells: Vec<CellChange>,
    },
    /// It is gone; what it showed last.
    Deleted {
        /// The cells.
        cells: Vec<Value>,
    },
}

/// A cell that a transaction changed.
#[derive(Clone, PartialEq, Debug)]
pub struct CellChange {
    /// The index of the column in the table's shape.
    pub column: usize,
    /// What the device showed before: what the write knew of. References are tags, as text.
    pub before: Value,
    /// What it shows now.
    pub after: Value,
}

/// What a client says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StatusView {
    /// The name of its state: `offline`, `connecting`, `catching_up`, `live`, ...
    pub state: &'static str,
    /// Whether it claims to be in sync.
    pub in_sync: bool,
    /// How many local rows it says are not acknowledged.
    pub pending: u64,
    /// How many rows it says are parked.
    pub parked: u64,
    /// The last failure that it tells of.
    pub last_error: Option<String>,
}

/// What was done to a device or to the hub.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It came online.
    Connected(DeviceNo),
    /// It went offline.
    Disconnected(DeviceNo),
    /// Its link broke by itself.
    LinkBroke(DeviceNo),
    /// A frame was delivered twice, or overtook another.
    Misdelivered(DeviceNo),
    /// Its process was killed.
    Crashed(DeviceNo),
    /// Its process runs again.
    Restarted(DeviceNo),
    /// A copy of its file was put aside.
    BackedUp(DeviceNo),
    /// Its file was replaced by the copy that was put aside at that time.
    Restored {
        /// Which.
        device: DeviceNo,
        /// From when the copy is.
        to: Ms,
    },
    /// It is destroyed.
    Lost(DeviceNo),
    /// Its clock was set.
    ClockSet(DeviceNo),
    /// Its schema was changed.
    Migrated {
        /// Which.
        device: DeviceNo,
        /// To that version.
        to: u32,
    },
    /// The hub's process was killed.
    HubCrashed,
    /// The hub's process runs again.
    HubRestarted,
    /// A copy of the hub's file was put aside.
    HubBackedUp,
    /// The hub's file was replaced by the copy that was put aside at that time.
    HubRestored {
        /// From when the copy is.
        to: Ms,
    },
}

impl Fault {
    /// The name under which a report counts it.
    pub const fn name(&self) -> &'static str {
        match self {
            Fault::Connected(_) => "connected",
            Fault::Disconnected(_) => "disconnected",
            Fault::LinkBroke(_) => "link_broke",
            Fault::Misdelivered(_) => "misdelivered",
            Fault::Crashed(_) => "crashed",
            Fault::Restarted(_) => "restarted",
            Fault::BackedUp(_) => "backed_up",
            Fault::Restored { .. } => "restored",
            Fault::Lost(_) => "lost",
            Fault::ClockSet(_) => "clock_set",
            Fault::Migrated { .. } => "migrated",
            Fault::HubCrashed => "hub_crashed",
            Fault::HubRestarted => "hub_restarted",
            Fault::HubBackedUp => "hub_backed_up",
            Fault::HubRestored { .. } => "hub_restored",
        }
    }
}

/// What bytes were sent for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Hello, Welcome and what else begins a session.
    Handshake,
    /// Changes that were new to the other side.
    Changes,
    /// Acknowledgements.
    Acks,
    /// Ping and Pong.
    Heartbeat,
    /// Errors and goodbyes.
    Errors,
}

/// What stands in place of a value where a device's version of the schema has no such column. No table holds it.
pub fn absent() -> Value {
    Value::Dangling(Box::new(Value::Null))
}

/// Whether it stands for a column that is not there.
pub fn is_absent(value: &Value) -> bool {
    matches!(value, Value::Dangling(none) if **none == Value::Null)
}

/// Which write's value stands in a cell, for columns that are [free](crate::shape::Role::Free).
pub fn write_of(value: &Value) -> Option<WriteId> {
    crate::shape::stamp_of(value)
}

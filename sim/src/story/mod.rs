//! What will happen in a run, move by move: a scenario and a seed, spelled out.
//!
//! Everything that chance decides about the *world* (who writes what and when, who is offline,
//! what crashes) is decided when the story is made. So an engine has nothing to draw but the
//! delays of single packets, a failure can be told, and a story can be made smaller by leaving
//! moves out.

mod clock;
pub(crate) mod draw;
mod faults;
mod flaws;
mod make;
mod meetings;
mod migrations;
mod timeline;
mod topology;
mod writes;

pub use clock::{EPOCH_MS, true_wall_ms};
pub(crate) use timeline::online_ms;
pub use topology::Topology;

use serde::{Deserialize, Serialize};

use crate::shape::WriteId;

/// Simulated milliseconds since a run began.
pub type Ms = u64;

/// A device, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct DeviceNo(pub u32);

impl std::fmt::Display for DeviceNo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "d{}", self.0)
    }
}

/// One application transaction of a story.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TxId(pub u64);

impl std::fmt::Display for TxId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "t{}", self.0)
    }
}

/// Everything that will happen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Story {
    /// What the engine draws packet delays, site ids and the like from.
    pub seed: u64,
    /// Who meets whom.
    #[serde(default)]
    pub topology: Topology,
    /// The devices; [`DeviceNo`] is the index.
    pub devices: Vec<Device>,
    /// What happens, in the order of time. Moves at the same time happen in this order.
    pub moves: Vec<Planned>,
    /// When the quiet period begins: from then on nothing fails, everyone is online whose device
    /// is not [lost](Move::Lose), and nobody writes.
    pub quiet_at: Ms,
    /// How long the quiet period may last at most. Whoever has not converged by then has failed.
    pub quiet_ms: Ms,
    /// How often the running devices are looked at before that, so that oracles can judge them.
    pub check_every_ms: Ms,
}

/// A device, and its link: to the hub, or to whomever it meets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Device {
    /// The scope that it syncs, counted from 0. Devices of different scopes never meet.
    pub scope: u32,
    /// When it first exists. A device that was made by [`Move::Clone`] exists from that move on.
    pub from: Ms,
    /// Whether it begins online.
    pub online: bool,
    /// Its own, wrong, wall clock.
    pub clock: Clock,
    /// Its link.
    pub link: Link,
    /// The version of the schema that it begins with.
    #[serde(default)]
    pub version: u32,
}

/// A wall clock that is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Clock {
    /// How far ahead of true time it starts; negative: behind.
    pub offset_ms: i64,
    /// How much faster than true time it runs, in parts per million; negative: slower.
    pub drift_ppm: i32,
}

/// What a device's link is like. Where two devices meet, what goes from one to the other goes over the
/// links of both.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The smallest one-way delay.
    pub latency_min_ms: u32,
    /// The largest one-way delay that is usual. Delays are drawn between the two, more of them
    /// near the smallest.
    pub latency_max_ms: u32,
    /// How likely a connection breaks, per simulated minute that it is open.
    pub breaks_per_minute: f64,
    /// Bytes a second in each direction; 0: no limit.
    pub bytes_per_second: u64,
    /// The largest frame that the transport carries.
    pub max_frame_bytes: u32,
    /// How likely a frame is delivered twice. A transport promises not to; ours are to survive it.
    pub duplicate: f64,
    /// How likely a frame overtakes the one before it. A transport promises not to, either.
    pub reorder: f64,
}

/// A move and its time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Planned {
    /// When.
    pub at: Ms,
    /// What.
    pub what: Move,
}

/// What happens at some moment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// The application on a device runs a transaction. Left out if the device is down.
    Transact {
        /// Where.
        device: DeviceNo,
        /// What.
        transaction: Transaction,
    },
    /// The device comes online.
    Connect {
        /// Which.
        device: DeviceNo,
    },
    /// The device goes offline.
    Disconnect {
        /// Which.
        device: DeviceNo,
        /// How the link goes.
        how: Cut,
    },
    /// Where there is no hub: two devices meet. The one calls the other, they sync until both have everything,
    /// and part. Left out if either is down or in a meeting already.
    Meet {
        /// Which calls.
        device: DeviceNo,
        /// Whom.
        with: DeviceNo,
        /// They part after so long in any case.
        most_ms: Ms,
    },
    /// The process on the device is killed, together with whatever it was doing.
    Crash {
        /// Which.
        device: DeviceNo,
        /// At what point of its work.
        point: CrashPoint,
        /// After how long it starts again.
        down_ms: Ms,
    },
    /// The hub's process is killed.
    CrashHub {
        /// At what point of its work.
        point: CrashPoint,
        /// After how long it starts again.
        down_ms: Ms,
    },
    /// A copy of the device's file is put aside.
    Backup {
        /// Which.
        device: DeviceNo,
    },
    /// The device's process is stopped, its file is replaced by the last copy that was put aside,
    /// and it starts again. Left out if there is none.
    Restore {
        /// Which.
        device: DeviceNo,
    },
    /// The application on a device changes its schema to that version, through all versions before it.
    Migrate {
        /// Where.
        device: DeviceNo,
        /// Which version: how many migrations it has had then.
        to: u32,
        /// Who runs them.
        by: Migrator,
    },
    /// A copy of the hub's file is put aside.
    BackupHub,
    /// The hub's process is stopped, its file is replaced by the last copy, and it starts again
    /// `down_ms` later.
    RestoreHub {
        /// After how long it starts again.
        down_ms: Ms,
    },
    /// The file of `device` is copied as it is to a new device, and both go on.
    Clone {
        /// From which.
        device: DeviceNo,
        /// To which; it does not exist before.
        copy: DeviceNo,
    },
    /// The device is destroyed. Whatever it had that nobody else has is gone.
    Lose {
        /// Which.
        device: DeviceNo,
    },
    /// Somebody sets the device's wall clock.
    SetClock {
        /// Which.
        device: DeviceNo,
        /// How far ahead of true time it is from now on; negative: behind.
        offset_ms: i64,
    },
}

/// How a link goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Both ends are told.
    Closed,
    /// Packets vanish and nobody is told: a tunnel, a dead cell.
    Silent,
    /// Packets are held, and arrive when the device is back.
    Held,
}

/// Who changes a schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Migrator {
    /// The engine, which is asked to.
    Engine,
    /// The application, on a connection of its own.
    Application,
}

/// Where in its work a process is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrashPoint {
    /// At once, whatever it does.
    Now,
    /// In the middle of the next transaction of its store: nothing of it is there afterwards.
    BeforeCommit,
    /// After the next transaction of its store has committed and before anyone has heard of it.
    AfterCommit,
}

/// What an application does in one transaction.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Transaction {
    /// Its name in this story.
    pub id: TxId,
    /// The statements.
    pub writes: Vec<Write>,
    /// Whether the application changes its mind at the end.
    pub rolled_back: bool,
}

/// One statement of an application.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Write {
    /// Its name in this story; stamped into the values that it writes.
    pub id: WriteId,
    /// The index of the table in the shape.
    pub table: usize,
    /// What it does.
    pub act: Act,
    /// Chooses the row, as a fraction of the rows that are visible where and when it runs, in the
    /// order of their tags: so a write means something whatever was left out before it. The hotter
    /// a scenario's rows, the closer to 0.
    pub pick: f64,
    /// What else there is to draw: references, members of pools, which columns.
    pub entropy: u64,
    /// About how large its values are, in bytes; 0: as small as they can be.
    pub value_bytes: u32,
}

/// What a statement does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Inserts a row.
    Insert,
    /// Inserts a row or, where its key or a unique value is taken, replaces what is there.
    Replace,
    /// Inserts a row or, where its key is taken, changes what is there.
    Upsert,
    /// Changes this many columns of a row.
    Update(u8),
    /// Deletes a row.
    Delete,
    /// Changes the key of a row.
    Rekey,
}

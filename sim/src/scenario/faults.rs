//! What goes wrong with devices, the hub and clocks.

use serde::{Deserialize, Serialize};

use super::{Amount, Range, Skew, Span};
use crate::story::CrashPoint;

/// What goes wrong. Numbers are per run, all devices together; the times are drawn, most of them
/// while the device is online.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How often a device's process is killed.
    pub crashes: Amount,
    /// How often the hub's process is killed.
    pub hub_crashes: Amount,
    /// At which points of their work.
    pub crash_points: Vec<CrashPoint>,
    /// How long a killed process is down, a device's or the hub's.
    pub downtime: Range<Span>,
    /// How often a device's file is replaced by a copy from before.
    pub restores: Amount,
    /// How often the hub's file is replaced by a copy from before.
    pub hub_restores: Amount,
    /// How often a device's file is copied to a new device, and both go on.
    pub clones: Amount,
    /// How many devices are destroyed. The last one of a scope never is.
    pub lost: Amount,
}

impl Default for Faults {
    fn default() -> Self {
        Faults {
            crashes: Amount::only(0),
            hub_crashes: Amount::only(0),
            crash_points: vec![CrashPoint::Now, CrashPoint::BeforeCommit, CrashPoint::AfterCommit],
            downtime: Range { from: Span(100), to: Span(3_000) },
            restores: Amount::only(0),
            hub_restores: Amount::only(0),
            clones: Amount::only(0),
            lost: Amount::only(0),
        }
    }
}

/// How wrong the devices' wall clocks are.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clocks {
    /// How likely a device's clock is wrong from the start; the others are right until they jump.
    pub wrong: f64,
    /// How far the wrong ones are off.
    pub offset: Range<Skew>,
    /// How much faster than true time the wrong ones run, in parts per million.
    pub drift_ppm: Range<i32>,
    /// How often somebody sets a device's clock, per run.
    pub jumps: Amount,
    /// How far off it then is.
    pub jump_to: Range<Skew>,
}

impl Default for Clocks {
    fn default() -> Self {
        Clocks {
            wrong: 1.0,
            offset: Range { from: Skew(-2_000), to: Skew(2_000) },
            drift_ppm: Range { from: -50, to: 50 },
            jumps: Amount::only(0),
            jump_to: Range { from: Skew(-3_600_000), to: Skew(3_600_000) },
        }
    }
}

/// Devices that do not exist from the start.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Joins {
    /// How many; the last ones by number.
    pub devices: u32,
    /// When each of them first appears; in the second third of the run if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between: Option<Range<Span>>,
}

//! Who meets whom.

use serde::{Deserialize, Serialize};

use super::DeviceNo;

/// Who meets whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    /// Everybody is connected to a hub while online.
    #[default]
    Hub,
    /// There is no hub: a device meets the one before it and the one after it, in the order of their
    /// numbers; the last one meets the first.
    Ring,
    /// There is no hub: every device meets every other.
    Mesh,
}

impl Topology {
    /// Whether there is a hub.
    pub fn has_hub(&self) -> bool {
        *self == Topology::Hub
    }

    /// Whom a device meets, of those that exist in its scope, which are in the order of their numbers.
    ///
    /// ```
    /// use pocketsync_sim::story::{DeviceNo, Topology};
    /// let all: Vec<DeviceNo> = (0..5).map(DeviceNo).collect();
    /// assert_eq!(Topology::Ring.neighbours(DeviceNo(0), &all), [DeviceNo(1), DeviceNo(4)]);
    /// // Where one is gone, those beside it close the ring.
    /// assert_eq!(Topology::Ring.neighbours(DeviceNo(0), &all[..4]), [DeviceNo(1), DeviceNo(3)]);
    /// assert_eq!(Topology::Mesh.neighbours(DeviceNo(2), &all).len(), 4);
    /// ```
    pub fn neighbours(&self, of: DeviceNo, existing: &[DeviceNo]) -> Vec<DeviceNo> {
        let others = existing.iter().copied().filter(|other| *other != of);
        match self {
            Topology::Hub => Vec::new(),
            Topology::Mesh => others.collect(),
            Topology::Ring => {
                let Some(place) = existing.iter().position(|other| *other == of) else { return Vec::new() };
                let many = existing.len();
                let mut beside = vec![existing[(place + 1) % many], existing[(place + many - 1) % many]];
                beside.sort_unstable();
                beside.dedup();
                beside.retain(|other| *other != of);
                beside
            }
        }
    }
}

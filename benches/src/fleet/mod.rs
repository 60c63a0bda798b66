//! Over a real hub: processes of their own for the hub and the devices, WebSockets over loopback, files on
//! the disk, and the durability that ships.

mod bootstrap;
mod counted;
mod device;
mod hub_process;
mod latency;
mod live;
mod pushes;
mod reconnect;

use std::path::Path;

use crate::Result;
use crate::compare::Figure;
use crate::shape::Shape;

pub use device::Device;
pub use hub_process::{HUB_COMMAND, HubProcess, serve};
pub use live::{Heard, LISTENERS_COMMAND, Live, listen};
pub use pushes::PUSHERS_COMMAND;

pub(crate) use bootstrap::in_own_process as fresh_device;
pub use bootstrap::{BOOTSTRAP_COMMAND, Bootstrap, bootstrap_device};
pub(crate) use pushes::in_own_process as push_from_many;
pub use pushes::push_devices;
pub use reconnect::Reconnect;

/// What to measure over a hub.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// Rows of the database that is brought up and caught up with.
    pub rows: usize,
    /// How many changes are missed before reconnecting, from one measurement to the next.
    pub missed: [usize; 3],
    /// Devices that push at the same time.
    pub devices: usize,
    /// Groups of ten rows that each of them pushes.
    pub pushes: usize,
    /// Writes that are waited for at the other side.
    pub writes: usize,
}

impl Fleet {
    /// The sizes of a run of `rows`, where a million is the real one.
    pub fn of(rows: usize) -> Fleet {
        let part = |per: usize| (rows / per).max(1);
        Fleet {
            rows,
            missed: [1, part(1000), part(100)],
            devices: 32.min(part(100)),
            pushes: part(5000).min(200),
            writes: part(2000).clamp(10, 300),
        }
    }

    /// Measures everything; `say` is told what is going on.
    ///
    /// # Errors
    /// When something fails, or replicas do not hold the same.
    pub fn run(&self, program: &Path, scratch: &Path, say: impl Fn(&str)) -> Result<Vec<Figure>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let mut figures = Vec::new();
        for shape in [Shape::Integer, Shape::Text] {
            say(&format!("a hub and {} rows, {} key: bootstrap and reconnecting", self.rows, shape.name()));
            let dir = tempfile::tempdir_in(scratch)?;
            figures.extend(runtime.block_on(bootstrap::run(self, program, dir.path(), shape))?);
        }
        say("pushes of many devices");
        let dir = tempfile::tempdir_in(scratch)?;
        figures.extend(runtime.block_on(pushes::run(self, program, dir.path()))?);
        say("writes on one device, seen on another");
        let dir = tempfile::tempdir_in(scratch)?;
        figures.extend(runtime.block_on(latency::run(self, program, dir.path()))?);
        Ok(figures)
    }
}

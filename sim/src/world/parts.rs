//! What can be exchanged in the world: an embedder's own store or transport, or a broken one, to
//! see whether the oracles notice.

use pocketsync_core::driver::{LocalStore, Status};
use pocketsync_core::store::sqlite::Replica;
use pocketsync_core::store::{HubStore, Store};
use pocketsync_core::transport::Transport;

use crate::story::DeviceNo;

/// What the world is made of: the place for an embedder's own store or transport.
///
/// Faults happen around the parts: processes are killed in the middle of their work, links break, clocks are
/// wrong. For a run to be the same every time, parts take time and chance from nowhere but the `Runtime`;
/// [`Simulation::twice`](crate::Simulation::twice) finds out where they do not.
///
/// ```
/// use pocketsync_sim::pocketsync_core::store::{HubStore, sqlite::Replica};
/// use pocketsync_sim::pocketsync_core::transport::{self, Transport};
/// use pocketsync_sim::scenario::Scenario;
/// use pocketsync_sim::story::DeviceNo;
/// use pocketsync_sim::{Simulation, world::Parts};
///
/// /// The app's devices talk over a radio with small frames; their stores are those that ship.
/// struct Radio;
///
/// impl Parts for Radio {
///     type Device = Replica;
///     type Hub = HubStore;
///
///     fn device(&self, _: DeviceNo, replica: Replica) -> Replica {
///         replica
///     }
///
///     fn hub(&self, store: HubStore) -> HubStore {
///         store
///     }
///
///     fn link(&self, _: DeviceNo, link: Transport) -> Transport {
///         // Here the app's own adapter goes around the stream and the sink.
///         transport::join(link.stream, link.sink).with_max_frame_bytes(300)
///     }
/// }
///
/// let scenario = Scenario { devices: 2, ..Scenario::default() };
/// Simulation::new(scenario).parts(Radio).seeds(0..1).check();
/// ```
pub trait Parts: Send + Sync + 'static {
    /// What a device's client runs on.
    type Device: LocalStore;
    /// What the hub runs on.
    type Hub: Store + 'static;

    /// Wraps a device's replica. Called again whenever its process starts, and where there is no hub, for each call
    /// that it makes.
    fn device(&self, device: DeviceNo, replica: Replica) -> Self::Device;

    /// Wraps the hub's store, where there is a hub. Called again whenever its process starts.
    fn hub(&self, store: HubStore) -> Self::Hub;

    /// Wraps the device's end of a link that was just opened.
    fn link(&self, _device: DeviceNo, transport: Transport) -> Transport {
        transport
    }

    /// What the application is told of its client's status.
    fn status(&self, _device: DeviceNo, status: Status) -> Status {
        status
    }
}

/// The parts as they are shipped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Real;

impl Parts for Real {
    type Device = Replica;
    type Hub = HubStore;

    fn device(&self, _device: DeviceNo, replica: Replica) -> Replica {
        replica
    }

    fn hub(&self, store: HubStore) -> HubStore {
        store
    }
}

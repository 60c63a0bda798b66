//! What can be exchanged in the world: an embedder's own store or transport, or a broken one, to
//! see whether the oracles notice.

use pocketsync_core::driver::{LocalStore, Status};
use pocketsync_core::store::sqlite::Replica;
use pocketsync_core::store::{HubStore, Store};
use pocketsync_core::transport::Transport;

use crate::story::DeviceNo;

/// What the world is made of.
pub trait Parts: Send + Sync + 'static {
    /// What a device's client runs on.
    type Device: LocalStore;
    /// What the hub runs on.
    type Hub: Store + 'static;

    /// Wraps a device's replica. Called again whenever its process starts.
    fn device(&self, device: DeviceNo, replica: Replica) -> Self::Device;

    /// Wraps the hub's store. Called again whenever its process starts.
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

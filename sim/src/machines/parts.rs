//! What can be put between the machines and their stores: something that is broken on purpose, to
//! see whether the oracles notice.

use std::sync::Arc;

use pocketsync_core::store::{MemoryStore, Store, StoreError, StoreReply, StoreRequest};

use super::fleet::Fleet;
use crate::engine::{Engine, EngineError};
use crate::history::StatusView;
use crate::oracle::Judge;
use crate::shape::Shape;
use crate::story::{DeviceNo, Story};

/// Stands between a machine and its store, for as long as the process runs.
pub trait Between: Send {
    /// Does a request.
    ///
    /// # Errors
    /// When the store could not.
    fn run(&mut self, store: &mut MemoryStore, request: StoreRequest) -> Result<StoreReply, StoreError> {
        store.run(request)
    }
}

/// Nothing in between.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Between for Direct {}

/// What is put in between.
pub trait Parts: Send + Sync {
    /// Between a device and its store. Called whenever its process starts.
    fn device(&self, _device: DeviceNo) -> Box<dyn Between> {
        Box::new(Direct)
    }

    /// Between the hub and its store. Called whenever its process starts.
    fn hub(&self) -> Box<dyn Between> {
        Box::new(Direct)
    }

    /// What the application is told of its client's status.
    fn status(&self, _device: DeviceNo, status: StatusView) -> StatusView {
        status
    }
}

/// The machines as they are shipped.
impl Parts for Direct {}

/// The [machines](super::Machines), with something between them and their stores.
#[derive(Clone, Copy, Debug)]
pub struct Altered<P>(pub P);

impl<P: Parts> Engine for Altered<P> {
    fn name(&self) -> &'static str {
        super::NAME
    }

    fn has_sqlite(&self) -> bool {
        false
    }

    fn run(&self, shape: &Arc<Shape>, story: &Arc<Story>, judge: &mut Judge) -> Result<(), EngineError> {
        Fleet::new(shape, story, judge, &self.0)?.run();
        Ok(())
    }
}

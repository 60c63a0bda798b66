//! A replica as the store of the state machines.

use futures::stream::BoxStream;

use super::handle::Replica;
use super::status;
use crate::driver::{LocalStore, Summary};
use crate::store::StoreError;

impl LocalStore for Replica {
    fn changed(&mut self) -> Result<bool, StoreError> {
        self.look()
    }

    fn committed(&self) -> BoxStream<'static, ()> {
        self.committed_notices()
    }

    fn summary(&mut self) -> Result<Summary, StoreError> {
        self.with(|open| status::summary(&open.engine))
    }

    fn suspend(&self) {
        self.stop();
    }

    fn resume(&self) {
        self.go_on();
    }
}

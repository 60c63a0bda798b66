//! A store that answers at once, made into one that answers later.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::channel::oneshot;

use crate::runtime::Runtime;
use crate::store::{AsyncStore, Store, StoreError, StoreErrorKind, StoreReply, StoreRequest};

/// Runs a [`Store`] through [`Runtime::unblock`]. One request at a time: others wait for it.
pub struct Blocking<S> {
    store: Arc<Mutex<S>>,
    runtime: Arc<dyn Runtime>,
}

impl<S> std::fmt::Debug for Blocking<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}

impl<S: Store + 'static> Blocking<S> {
    /// Adapts `store`.
    pub fn new(store: S, runtime: Arc<dyn Runtime>) -> Self {
        Blocking { store: Arc::new(Mutex::new(store)), runtime }
    }
}

impl<S: Store + 'static> Blocking<S> {
    /// Does work with the store where blocking is allowed.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.store);
        let (reply, done) = oneshot::channel();
        let work = self.runtime.unblock(Box::new(move || {
            let result = match store.lock() {
                Ok(mut store) => Ok(work(&mut store)),
                // What a panic left behind is not to be trusted.
                Err(_) => Err(failed("an earlier request ended in a panic")),
            };
            // Nobody waits where the driver was dropped meanwhile; the work is done all the same.
            let _gone = reply.send(result);
        }));
        work.await;
        done.await.unwrap_or_else(|_| Err(failed("the request did not come to an end")))
    }
}

#[async_trait]
impl<S: Store + 'static> AsyncStore for Blocking<S> {
    async fn run(&self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        self.with(|store| store.run(request)).await?
    }

    async fn run_all(&self, requests: Vec<StoreRequest>) -> Vec<Result<StoreReply, StoreError>> {
        let count = requests.len();
        let replies = self.with(|store| store.run_all(requests)).await;
        replies.unwrap_or_else(|error| vec![Err(error); count])
    }
}

fn failed(message: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Io, message)
}

//! Connections in memory: clients connect, somebody accepts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use futures::channel::mpsc;

use super::{Fate, MemoryLink, memory_link};
use crate::transport::{Connector, Transport, TransportError};
use crate::wire::DEFAULT_MAX_FRAME_BYTES;

/// A place in memory to connect to. Clones are the same place.
#[derive(Clone)]
pub struct MemoryNetwork {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    arrivals: Option<mpsc::UnboundedSender<Transport>>,
    error: Option<TransportError>,
    max_frame_bytes: usize,
    fate: Fate,
    attempts: u64,
    links: Vec<MemoryLink>,
}

impl std::fmt::Debug for MemoryNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryNetwork").field("attempts", &self.attempts()).finish_non_exhaustive()
    }
}

impl Default for MemoryNetwork {
    fn default() -> Self {
        let inner = Inner {
            arrivals: None,
            error: None,
            max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
            fate: Fate::never(),
            attempts: 0,
            links: Vec::new(),
        };
        MemoryNetwork { inner: Arc::new(Mutex::new(inner)) }
    }
}

impl MemoryNetwork {
    /// A place where nobody listens yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens: yields the other ends of connections. Who listened before does so no more.
    pub fn listen(&self) -> impl futures::Stream<Item = Transport> + Send + Unpin + 'static {
        let (sender, arrivals) = mpsc::unbounded();
        self.lock().arrivals = Some(sender);
        arrivals.boxed()
    }

    /// From now on every attempt to connect fails like this; `None` lets them through again.
    pub fn refuse(&self, error: Option<TransportError>) {
        self.lock().error = error;
    }

    /// The size of frames on connections from now on.
    pub fn set_max_frame_bytes(&self, bytes: usize) {
        self.lock().max_frame_bytes = bytes;
    }

    /// The fate of every connection from now on.
    pub fn set_fate(&self, fate: Fate) {
        self.lock().fate = fate;
    }

    /// Breaks all connections.
    pub fn cut_all(&self) {
        let links = std::mem::take(&mut self.lock().links);
        links.iter().for_each(MemoryLink::cut);
    }

    /// How often somebody tried to connect.
    pub fn attempts(&self) -> u64 {
        self.lock().attempts
    }
}

#[async_trait]
impl Connector for MemoryNetwork {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let mut inner = self.lock();
        inner.attempts += 1;
        if let Some(error) = &inner.error {
            return Err(error.clone());
        }
        // Random fates go on, so that no two connections share one.
        let fate = inner.fate.fork();
        let (ours, theirs, link) = memory_link(inner.max_frame_bytes, fate);
        let taken = inner.arrivals.as_ref().is_some_and(|sender| sender.unbounded_send(theirs).is_ok());
        if !taken {
            return Err(TransportError::Unreachable("nobody listens".to_owned()));
        }
        inner.links.retain(|link| !link.is_cut());
        inner.links.push(link);
        Ok(ours)
    }
}

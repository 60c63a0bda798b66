//! Counts what goes over a link.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::ready;
use futures::{SinkExt, StreamExt};
use pocketsync::Bytes;
use pocketsync::transport::{Connector, Transport, TransportError};

/// Bytes of frames, over all links of a client.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    sent: AtomicU64,
    received: AtomicU64,
}

/// A reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Traffic {
    /// Bytes sent.
    pub(crate) sent: u64,
    /// Bytes received.
    pub(crate) received: u64,
}

impl Meter {
    /// Everything so far.
    pub(crate) fn total(&self) -> Traffic {
        Traffic { sent: self.sent.load(Ordering::Relaxed), received: self.received.load(Ordering::Relaxed) }
    }
}

impl Traffic {
    /// What came after an earlier reading.
    pub(crate) fn since(self, earlier: Traffic) -> Traffic {
        Traffic { sent: self.sent - earlier.sent, received: self.received - earlier.received }
    }
}

/// A connector whose links are metered.
pub(crate) struct Metered<C> {
    /// Makes the links.
    pub(crate) connector: C,
    /// Counts.
    pub(crate) meter: Arc<Meter>,
}

#[async_trait::async_trait]
impl<C: Connector> Connector for Metered<C> {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let link = self.connector.connect().await?;
        let (incoming, outgoing) = (Arc::clone(&self.meter), Arc::clone(&self.meter));
        let max_frame_bytes = link.max_frame_bytes;
        let stream = link.stream.inspect(move |frame| {
            if let Ok(frame) = frame {
                incoming.received.fetch_add(frame.len() as u64, Ordering::Relaxed);
            }
        });
        let sink = link.sink.with(move |frame: Bytes| {
            outgoing.sent.fetch_add(frame.len() as u64, Ordering::Relaxed);
            ready(Ok::<_, TransportError>(frame))
        });
        Ok(Transport { stream: Box::pin(stream), sink: Box::pin(sink), max_frame_bytes })
    }
}

//! The side that asks.

mod connection;
mod halves;
mod pump;
mod request;

use std::sync::Arc;

use async_trait::async_trait;
use futures::{AsyncRead, AsyncWrite};
use pocketsync_core::runtime::Runtime;
use pocketsync_core::transport::{Transport, TransportError};

use self::connection::Connection;
use self::pump::Pump;
use self::request::Requester;
use crate::exchange::LinkId;
use crate::{HttpConfig, HttpUrl};

/// Opens byte streams to the hub, with TLS where the address asks for it.
///
/// A link uses up to two at a time: one on which the hub holds its answer, and one for what is to be
/// sent meanwhile. One that breaks is replaced by another, and the link lives on.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// A byte stream.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens one.
    ///
    /// # Errors
    /// When the hub cannot be reached.
    async fn dial(&self) -> Result<Self::Stream, TransportError>;
}

/// Opens a link to the hub at `url`, over byte streams that `dial` opens.
///
/// Opens the first of them at once. Nothing is sent before the first frame is: that one opens the link
/// at the hub. Whether a hub is there, and takes links, shows then.
///
/// # Errors
/// When the hub cannot be reached.
pub async fn client<D: Dial>(
    dial: D,
    url: &HttpUrl,
    config: HttpConfig,
    runtime: Arc<dyn Runtime>,
) -> Result<Transport, TransportError> {
    let first = Connection::open(&dial).await?;
    let mut id = [0; 16];
    runtime.entropy(&mut id);
    let requester = Requester::new(dial, url, config, Arc::clone(&runtime));
    let pump = Pump::new(Arc::new(requester), first, LinkId::from_bytes(id), config, runtime);
    Ok(halves::transport(pump, config.frame_limit()))
}

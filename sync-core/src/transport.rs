//! The contract of a transport: frames in, frames out, in order, until the link is lost.

mod local;

pub use local::{LocalCaller, LocalListener, local};

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt};

use crate::wire::{DEFAULT_MAX_FRAME_BYTES, MIN_FRAME_BYTES};

/// Frames from the other side. Ends with `None` after an orderly close, with an error after loss.
pub type FrameStream = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Frames to the other side. A frame that was accepted is sent, or the link is lost.
pub type FrameSink = Pin<Box<dyn Sink<Bytes, Error = TransportError> + Send>>;

/// One open link.
///
/// What an adapter promises, and all that it promises: frames keep their boundaries and their
/// order while the link is open; a frame arrives whole or not at all; the loss of the link is an
/// error on the stream or the sink; waiting on either side can be cancelled without losing a
/// frame; the sink pushes back when the other side is slow.
pub struct Transport {
    /// Frames from the other side.
    pub stream: FrameStream,
    /// Frames to the other side.
    pub sink: FrameSink,
    /// The largest frame that this link carries, at least [`MIN_FRAME_BYTES`].
    pub max_frame_bytes: usize,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("max_frame_bytes", &self.max_frame_bytes).finish_non_exhaustive()
    }
}

impl Transport {
    /// The same link with another bound on its frames, raised to [`MIN_FRAME_BYTES`] if smaller.
    #[must_use]
    pub fn with_max_frame_bytes(mut self, bytes: usize) -> Self {
        self.max_frame_bytes = bytes.max(MIN_FRAME_BYTES);
        self
    }
}

/// Makes a transport of any stream and sink of frames: two channels, two callbacks, a socket.
///
/// ```
/// use futures::channel::mpsc;
/// use futures::{SinkExt, StreamExt};
/// use pocketsync_core::transport::{self, TransportError};
///
/// let (to_them, from_us) = mpsc::channel(8);
/// let (to_us, from_them) = mpsc::channel(8);
/// let ours = transport::join(from_them.map(Ok::<_, TransportError>), to_them);
/// let theirs = transport::join(from_us.map(Ok::<_, TransportError>), to_us);
/// # drop((ours, theirs));
/// ```
pub fn join<St, Si, E1, E2>(stream: St, sink: Si) -> Transport
where
    St: Stream<Item = Result<Bytes, E1>> + Send + 'static,
    Si: Sink<Bytes, Error = E2> + Send + 'static,
    E1: Into<TransportError>,
    E2: fmt::Display,
{
    Transport {
        stream: Box::pin(stream.map(|frame| frame.map_err(Into::into))),
        sink: Box::pin(sink.sink_map_err(|error| TransportError::lost(error.to_string()))),
        max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
    }
}

/// Why a link is gone, or could not be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The link was lost.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// Nobody answered.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The other side broke the transport's own protocol.
    #[error("wrong protocol: {0}")]
    Protocol(String),
    /// A frame was larger than allowed.
    #[error("a frame of {bytes} bytes is over the limit of {limit}")]
    FrameTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The address, or another setting, cannot work however often it is tried.
    #[error("{0}")]
    Misconfigured(String),
}

impl TransportError {
    /// The link was lost.
    pub fn lost(reason: impl Into<String>) -> Self {
        TransportError::Lost(reason.into())
    }

    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            TransportError::Lost(_) => "lost",
            TransportError::Unreachable(_) => "unreachable",
            TransportError::Protocol(_) => "protocol",
            TransportError::FrameTooLarge { .. } => "frame_too_large",
            TransportError::Misconfigured(_) => "misconfigured",
        }
    }

    /// Whether trying again later may succeed without anyone doing anything.
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, TransportError::Misconfigured(_))
    }
}

/// Makes links, again and again.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Opens one link.
    ///
    /// # Errors
    /// When it could not be opened; the driver waits and tries again where the error is retryable.
    async fn connect(&self) -> Result<Transport, TransportError>;
}

/// Where a client gets its token from.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// The token for the next session. `refused` is the one that the other side did not take, if
    /// the last session ended so. `None` goes without one.
    async fn token(&self, refused: Option<&str>) -> Option<String>;
}

#[async_trait]
impl Credentials for Option<String> {
    async fn token(&self, _refused: Option<&str>) -> Option<String> {
        self.clone()
    }
}

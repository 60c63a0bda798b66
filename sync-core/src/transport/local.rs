//! Links inside one process.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::mpsc;
use futures::lock::Mutex;
use futures::{Sink, SinkExt, Stream, StreamExt};

use super::{Connector, Transport, TransportError};
use crate::wire::DEFAULT_MAX_FRAME_BYTES;

/// How many frames a direction holds before it pushes back.
const CAPACITY: usize = 8;

/// Two sides of one process that can be linked: a [`Client`] that calls takes the first, one that is
/// [called](crate::driver::Client::accepting) the second.
///
/// [`Client`]: crate::driver::Client
///
/// ```
/// use futures::executor::block_on;
/// use futures::{SinkExt, StreamExt, join};
/// use pocketsync_core::Bytes;
/// use pocketsync_core::transport::{self, Connector};
///
/// let (caller, listener) = transport::local();
/// block_on(async {
///     let (ours, theirs) = join!(caller.connect(), listener.connect());
///     let (mut ours, mut theirs) = (ours?, theirs?);
///     ours.sink.send(Bytes::from_static(b"hello")).await?;
///     assert_eq!(theirs.stream.next().await.unwrap()?, "hello");
///     Ok::<_, transport::TransportError>(())
/// })?;
/// # Ok::<(), transport::TransportError>(())
/// ```
pub fn local() -> (LocalCaller, LocalListener) {
    let (calls, called) = mpsc::unbounded();
    (LocalCaller { calls }, LocalListener { called: Mutex::new(called) })
}

/// Opens links to the [`LocalListener`] that it was made with. Clones do the same.
#[derive(Clone, Debug)]
pub struct LocalCaller {
    calls: mpsc::UnboundedSender<Transport>,
}

/// Gives the other end of every link that its [`LocalCaller`]s open.
#[derive(Debug)]
pub struct LocalListener {
    called: Mutex<mpsc::UnboundedReceiver<Transport>>,
}

#[async_trait]
impl Connector for LocalCaller {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let (ours, theirs) = pair();
        let nobody = || TransportError::Unreachable("nobody listens in this process any more".to_owned());
        self.calls.unbounded_send(theirs).map_err(|_| nobody())?;
        Ok(ours)
    }
}

#[async_trait]
impl Connector for LocalListener {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let call = self.called.lock().await.next().await;
        call.ok_or_else(|| TransportError::Misconfigured("nobody is left to call".to_owned()))
    }
}

fn pair() -> (Transport, Transport) {
    let (to_them, from_us) = direction();
    let (to_us, from_them) = direction();
    let end = |receiving: Receiving, sending: Sending| Transport {
        stream: Box::pin(receiving),
        sink: Box::pin(sending),
        max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
    };
    (end(from_them, to_them), end(from_us, to_us))
}

fn direction() -> (Sending, Receiving) {
    // A sender has room for one besides.
    let (sender, receiver) = mpsc::channel(CAPACITY - 1);
    let closed = Arc::new(AtomicBool::new(false));
    (Sending { sender, closed: Arc::clone(&closed) }, Receiving { receiver, closed })
}

struct Sending {
    sender: mpsc::Sender<Bytes>,
    /// In good order, that is: an end that is dropped without it has vanished.
    closed: Arc<AtomicBool>,
}

impl Sink<Bytes> for Sending {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.sender.poll_ready(cx).map_err(|_| vanished())
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Bytes) -> Result<(), TransportError> {
        if frame.len() > DEFAULT_MAX_FRAME_BYTES {
            return Err(TransportError::FrameTooLarge { bytes: frame.len(), limit: DEFAULT_MAX_FRAME_BYTES });
        }
        self.sender.start_send(frame).map_err(|_| vanished())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.sender.poll_flush_unpin(cx).map_err(|_| vanished())
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.closed.store(true, Ordering::Release);
        self.sender.poll_close_unpin(cx).map_err(|_| vanished())
    }
}

struct Receiving {
    receiver: mpsc::Receiver<Bytes>,
    closed: Arc<AtomicBool>,
}

impl Stream for Receiving {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_next_unpin(cx).map(|frame| match frame {
            Some(frame) => Some(Ok(frame)),
            None if self.closed.load(Ordering::Acquire) => None,
            None => Some(Err(vanished())),
        })
    }
}

fn vanished() -> TransportError {
    TransportError::lost("the other side in this process is gone")
}

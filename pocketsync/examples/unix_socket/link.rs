//! A transport over Unix-domain sockets, as a stranger would write it. It passes the conformance kit
//! (`pocketsync/tests/unix_socket.rs`).
//!
//! On the socket, a frame is its length in four bytes, the highest first, and its bytes. A length of 0 says goodbye: frames
//! are never empty, and a socket alone does not tell the end of a conversation from that of a process.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::stream::{self, Stream};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Sink, sink};
use pocketsync::Bytes;
use pocketsync::transport::{self, Connector, Transport, TransportError};
use smol::Async;

/// The largest frame, either way. What is longer is refused before there is room for it.
const MAX_FRAME_BYTES: usize = 256 << 10;

/// Opens a link whenever it is asked to.
pub(crate) struct Caller {
    socket: PathBuf,
}

impl Caller {
    pub(crate) fn new(socket: &Path) -> Self {
        Caller { socket: socket.to_owned() }
    }
}

#[async_trait::async_trait]
impl Connector for Caller {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let connected = Async::<UnixStream>::connect(&self.socket).await;
        connected.map(framed).map_err(|error| TransportError::Unreachable(error.to_string()))
    }
}

/// Gives the other end of a link whenever somebody has called.
pub(crate) struct Listener {
    listener: Async<UnixListener>,
    socket: PathBuf,
}

impl Listener {
    pub(crate) fn bind(socket: &Path) -> io::Result<Self> {
        Ok(Listener { listener: Async::<UnixListener>::bind(socket)?, socket: socket.to_owned() })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Where it cannot be removed, the next one that binds it is told.
        let _left = std::fs::remove_file(&self.socket);
    }
}

#[async_trait::async_trait]
impl Connector for Listener {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let accepted = self.listener.accept().await;
        accepted.map(|(io, _)| framed(io)).map_err(|error| TransportError::Unreachable(error.to_string()))
    }
}

/// A transport over any byte stream.
pub(crate) fn framed(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Transport {
    let (reader, writer) = io.split();
    transport::join(frames_of(reader), frames_to(writer)).with_max_frame_bytes(MAX_FRAME_BYTES)
}

/// `None` after a goodbye, an error where the stream ends without one. What was read of a frame lies in the stream, so
/// whoever stops waiting loses nothing.
fn frames_of(
    reader: impl AsyncRead + Send + Unpin + 'static,
) -> impl Stream<Item = Result<Bytes, TransportError>> + Send {
    stream::try_unfold(reader, |mut reader| async move {
        let mut len = [0; 4];
        reader.read_exact(&mut len).await.map_err(lost)?;
        let bytes = u32::from_be_bytes(len) as usize;
        if bytes == 0 {
            return Ok(None);
        }
        if bytes > MAX_FRAME_BYTES {
            return Err(TransportError::FrameTooLarge { bytes, limit: MAX_FRAME_BYTES });
        }
        let mut frame = vec![0; bytes];
        reader.read_exact(&mut frame).await.map_err(lost)?;
        Ok(Some((Bytes::from(frame), reader)))
    })
}

/// What is to be sent, one after the other: the sink is ready again when a frame is written.
enum Step {
    Frame(Bytes),
    Goodbye,
}

fn frames_to(
    writer: impl AsyncWrite + Send + Unpin + 'static,
) -> impl Sink<Bytes, Error = TransportError> + Send {
    let write = sink::unfold(writer, |mut writer, step: Step| async move {
        match step {
            Step::Frame(frame) => {
                let len = u32::try_from(frame.len()).expect("frames are shorter than the limit");
                writer.write_all(&len.to_be_bytes()).await.map_err(lost)?;
                writer.write_all(&frame).await.map_err(lost)?;
                writer.flush().await.map_err(lost)?;
            }
            Step::Goodbye => {
                writer.write_all(&[0; 4]).await.map_err(lost)?;
                writer.close().await.map_err(lost)?;
            }
        }
        Ok(writer)
    });
    Goodbye { steps: Box::pin(write), said: false }
}

fn lost(error: io::Error) -> TransportError {
    TransportError::lost(error.to_string())
}

/// Refuses frames that are too long, and says goodbye before it closes.
struct Goodbye<S> {
    steps: Pin<Box<S>>,
    said: bool,
}

impl<S: Sink<Step, Error = TransportError>> Sink<Bytes> for Goodbye<S> {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.steps.as_mut().poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Bytes) -> Result<(), TransportError> {
        if frame.len() > MAX_FRAME_BYTES {
            return Err(TransportError::FrameTooLarge { bytes: frame.len(), limit: MAX_FRAME_BYTES });
        }
        self.steps.as_mut().start_send(Step::Frame(frame))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.steps.as_mut().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if !self.said {
            ready!(self.steps.as_mut().poll_ready(cx))?;
            self.steps.as_mut().start_send(Step::Goodbye)?;
            self.said = true;
        }
        self.steps.as_mut().poll_close(cx)
    }
}

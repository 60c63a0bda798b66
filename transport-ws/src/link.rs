//! An open WebSocket as a stream and a sink of frames.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use bytes::Bytes;
use futures::{AsyncRead, AsyncWrite, Sink, SinkExt, Stream, StreamExt};
use pocketsync_core::transport::{Transport, TransportError};

use crate::{WsConfig, error};

/// Makes a transport of an open WebSocket.
pub(crate) fn transport<S>(socket: WebSocketStream<S>, config: WsConfig) -> Transport
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limit = config.frame_limit();
    let reading = Half { socket: Arc::new(Mutex::new(socket)), limit };
    let writing = Half { socket: Arc::clone(&reading.socket), limit };
    Transport {
        stream: Box::pin(Frames { half: reading, ended: false }),
        sink: Box::pin(writing),
        max_frame_bytes: limit,
    }
}

/// One half's share in the socket. Nobody waits while holding the lock: a poll of the socket
/// returns at once, and tungstenite keeps a waker for each direction.
struct Half<S> {
    socket: Arc<Mutex<WebSocketStream<S>>>,
    limit: usize,
}

impl<S> Half<S> {
    fn lock(&self) -> MutexGuard<'_, WebSocketStream<S>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Frames<S> {
    half: Half<S>,
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for Frames<S> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let last = loop {
            let mut socket = self.half.lock();
            match ready!(socket.poll_next_unpin(cx)) {
                Some(Ok(Message::Binary(frame))) => return Poll::Ready(Some(Ok(frame))),
                // Answered by tungstenite.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(reason))) => {
                    // Our half of the close is queued; the sink may never be polled again.
                    let _ = socket.poll_flush_unpin(cx);
                    break reason.and_then(complaint).map(Err);
                }
                Some(Ok(Message::Text(_))) => {
                    complain(&mut socket, cx, CloseCode::Unsupported, "frames are binary messages");
                    break Some(Err(TransportError::Protocol("a text message; frames are binary".into())));
                }
                Some(Err(error)) => {
                    let error = error::of_link(error);
                    if let TransportError::FrameTooLarge { limit, .. } = error {
                        complain(&mut socket, cx, CloseCode::Size, &format!("the limit is {limit} bytes"));
                    }
                    break Some(Err(error));
                }
                None => break None,
            }
        };
        self.ended = true;
        Poll::Ready(last)
    }
}

/// What the other side's close says is wrong; nothing where it only goes.
fn complaint(reason: CloseFrame) -> Option<TransportError> {
    match reason.code {
        CloseCode::Normal | CloseCode::Away | CloseCode::Status => None,
        CloseCode::Restart | CloseCode::Again => {
            Some(TransportError::lost(format!("the other side closed it: {}", reason.reason)))
        }
        code => {
            Some(TransportError::Protocol(format!("it closed the connection with {code}: {}", reason.reason)))
        }
    }
}

/// Tells the other side why, as far as the socket takes it at once: the link is over either way.
fn complain<S>(socket: &mut WebSocketStream<S>, cx: &mut Context<'_>, code: CloseCode, reason: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    if socket.start_send_unpin(close).is_ok() {
        let _ = socket.poll_flush_unpin(cx);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Bytes> for Half<S> {
    type Error = TransportError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.lock().poll_ready_unpin(cx).map_err(error::of_link)
    }

    fn start_send(self: Pin<&mut Self>, frame: Bytes) -> Result<(), TransportError> {
        if frame.len() > self.limit {
            return Err(TransportError::FrameTooLarge { bytes: frame.len(), limit: self.limit });
        }
        self.lock().start_send_unpin(Message::Binary(frame)).map_err(error::of_link)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.lock().poll_flush_unpin(cx).map_err(error::of_link)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        use async_tungstenite::tungstenite::Error as WsError;
        self.lock().poll_close_unpin(cx).map(|closed| match closed {
            // The other side was first.
            Err(WsError::AlreadyClosed) => Ok(()),
            other => other.map_err(error::of_link),
        })
    }
}

//! One connection to the hub, and one request on it at a time.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use pocketsync_core::transport::TransportError;
use smol_hyper::rt::FuturesIo;

use super::Dial;

/// What hyper reads ahead, and so the largest header of an answer.
const MAX_HEADER_BYTES: usize = 64 << 10;

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes while it is polled; `None` once the connection has ended.
    worker: Option<BoxFuture<'static, ()>>,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection broke: on another it may work.
    Lost(String),
    /// The other side says something that is not HTTP, or more than is taken.
    Wrong(TransportError),
}

impl Connection {
    pub(super) async fn open<D: Dial>(dial: &D) -> Result<Self, TransportError> {
        let stream = dial.dial().await?;
        let (sender, worker) = http1::Builder::new()
            .max_buf_size(MAX_HEADER_BYTES)
            .handshake(FuturesIo::new(stream))
            .await
            .map_err(|error| TransportError::lost(error.to_string()))?;
        // How it ended, the request that was under way is told as well.
        Ok(Connection { sender, worker: Some(worker.map(drop).boxed()) })
    }

    /// Sends a request, and reads the answer to its end.
    pub(super) async fn ask(&mut self, request: Request<Full<Bytes>>, limit: usize) -> Result<Whole, Broken> {
        let Connection { sender, worker } = self;
        let mut exchange = pin!(exchange(sender, request, limit));
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(outcome) = exchange.as_mut().poll(cx) {
                    return Poll::Ready(outcome);
                }
                // What it has read before it ended is still to be had.
                match worker.as_mut().map(|running| running.poll_unpin(cx)) {
                    Some(Poll::Ready(())) => *worker = None,
                    _ => return Poll::Pending,
                }
            }
        })
        .await
    }
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Whole, Broken> {
    sender.ready().await.map_err(broken)?;
    let (parts, mut body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let bytes = whole.len() + data.len();
        if bytes > limit {
            return Err(Broken::Wrong(TransportError::FrameTooLarge { bytes, limit }));
        }
        whole.extend_from_slice(&data);
    }
    Ok(Whole { status: parts.status, headers: parts.headers, body: whole.freeze() })
}

fn broken(error: hyper::Error) -> Broken {
    match error.is_parse() {
        true => Broken::Wrong(TransportError::Protocol(format!("no HTTP answer: {error}"))),
        false => Broken::Lost(error.to_string()),
    }
}

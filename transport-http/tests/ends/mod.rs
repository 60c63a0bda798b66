//! A hub's HTTP side that listens on loopback TCP or in memory, and clients of it.
#![allow(dead_code, reason = "each test program uses its part")]

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite, StreamExt};
use pocketsync_core::clock::Now;
use pocketsync_core::driver::HubStopped;
use pocketsync_core::runtime::Runtime;
use pocketsync_core::transport::{Transport, TransportError};
use pocketsync_http::{Acceptor, Dial, HttpConfig, HttpHub, HttpHubOptions, HttpUrl};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// The world of a test.
pub(crate) struct World {
    began: Instant,
    wall_ms: u64,
    draws: AtomicU64,
}

pub(crate) fn world() -> Arc<dyn Runtime> {
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Arc::new(World { began: Instant::now(), wall_ms: wall.as_millis() as u64, draws: AtomicU64::new(1) })
}

impl Runtime for World {
    fn now(&self) -> Now {
        let mono = self.began.elapsed();
        Now { mono, wall_ms: self.wall_ms + mono.as_millis() as u64 }
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep_until((self.began + deadline).into()))
    }

    fn entropy(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let draw = self.draws.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = (draw >> 56) as u8;
        }
    }

    fn unblock(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let work = tokio::task::spawn_blocking(job);
        Box::pin(async move { work.await.unwrap() })
    }
}

/// Hands the links that clients open to the test.
pub(crate) struct Arrivals(mpsc::UnboundedSender<(Transport, Option<String>)>);

#[async_trait]
impl Acceptor for Arrivals {
    async fn accept(&self, transport: Transport, identity: Option<String>) -> Result<(), HubStopped> {
        self.0.unbounded_send((transport, identity)).map_err(|_| HubStopped)
    }
}

/// What the defaults wait a minute for comes sooner in a test.
pub(crate) fn impatient() -> HttpHubOptions {
    let mut options = HttpHubOptions::default();
    options.idle_timeout = Duration::from_secs(1);
    options
}

/// An HTTP side whose sessions the test plays.
pub(crate) fn hub(
    options: HttpHubOptions,
) -> (HttpHub, mpsc::UnboundedReceiver<(Transport, Option<String>)>) {
    let (sender, arrivals) = mpsc::unbounded();
    (HttpHub::new(Arrivals(sender), world(), options), arrivals)
}

/// Serves a hub on loopback TCP, for as long as the runtime of the test lives.
pub(crate) async fn listen(hub: &HttpHub) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hub = hub.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let hub = hub.clone();
            tokio::spawn(async move { hub.serve(stream.compat()).await });
        }
    });
    address
}

pub(crate) fn url() -> HttpUrl {
    "http://hub.test/sync".parse().unwrap()
}

/// Dials over TCP, and counts.
#[derive(Clone)]
pub(crate) struct Tcp {
    pub(crate) address: SocketAddr,
    pub(crate) dialed: Arc<AtomicUsize>,
}

impl Tcp {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Tcp { address, dialed: Arc::default() }
    }
}

#[async_trait]
impl Dial for Tcp {
    type Stream = Compat<TcpStream>;

    async fn dial(&self) -> Result<Self::Stream, TransportError> {
        self.dialed.fetch_add(1, Ordering::Relaxed);
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(|error| TransportError::Unreachable(error.to_string()))?;
        stream.set_nodelay(true).unwrap();
        Ok(stream.compat())
    }
}

/// Dials in memory: the hub serves the other end of a pipe.
pub(crate) struct Pipes {
    pub(crate) hub: HttpHub,
    pub(crate) buffer: usize,
}

#[async_trait]
impl Dial for Pipes {
    type Stream = Compat<tokio::io::DuplexStream>;

    async fn dial(&self) -> Result<Self::Stream, TransportError> {
        let (ours, theirs) = tokio::io::duplex(self.buffer);
        let hub = self.hub.clone();
        tokio::spawn(async move { hub.serve(theirs.compat()).await });
        Ok(ours.compat())
    }
}

/// Dials streams that break after some bytes, each after another number.
pub(crate) struct Breaking<D> {
    pub(crate) dial: D,
    /// The least and the most that a stream carries.
    pub(crate) lives: (u64, u64),
    pub(crate) broken: Arc<AtomicU64>,
}

pub(crate) struct BreakingStream<S> {
    stream: S,
    left: u64,
    broken: Arc<AtomicU64>,
}

#[async_trait]
impl<D: Dial> Dial for Breaking<D> {
    type Stream = BreakingStream<D::Stream>;

    async fn dial(&self) -> Result<Self::Stream, TransportError> {
        let stream = self.dial.dial().await?;
        let draw = self.broken.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let (least, most) = self.lives;
        let left = least + draw % (most - least);
        Ok(BreakingStream { stream, left, broken: Arc::clone(&self.broken) })
    }
}

impl<S> BreakingStream<S> {
    fn use_up(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes as u64);
    }

    fn check(&self) -> io::Result<()> {
        match self.left {
            0 => Err(io::Error::new(io::ErrorKind::ConnectionReset, "it broke")),
            _ => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for BreakingStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        let room = buffer.len().min(self.left as usize);
        let poll = Pin::new(&mut self.stream).poll_read(cx, &mut buffer[..room]);
        if let Poll::Ready(Ok(bytes)) = poll {
            self.use_up(bytes);
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BreakingStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        let some = bytes.len().min(self.left as usize);
        let poll = Pin::new(&mut self.stream).poll_write(cx, &bytes[..some]);
        if let Poll::Ready(Ok(bytes)) = poll {
            self.use_up(bytes);
        }
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Opens a link, and gives its two ends: the client's and the hub's.
pub(crate) async fn open<D: Dial>(
    dial: D,
    config: HttpConfig,
    arrivals: &mut mpsc::UnboundedReceiver<(Transport, Option<String>)>,
) -> (Transport, Transport) {
    let mut client = pocketsync_http::client(dial, &url(), config, world()).await.unwrap();
    // The client opens the link when it is polled; the hub says nothing yet.
    let hub = tokio::select! {
        frame = client.stream.next() => panic!("nobody sent {frame:?}"),
        arrival = arrivals.next() => arrival.unwrap().0,
    };
    (client, hub)
}

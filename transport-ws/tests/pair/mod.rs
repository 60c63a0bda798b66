//! Two ends of a byte stream, in memory and over loopback TCP.
#![allow(dead_code, reason = "each test program uses its part")]

use pocketsync_core::transport::{Transport, TransportError};
use pocketsync_ws::{WsConfig, WsUrl};
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

pub(crate) fn url() -> WsUrl {
    "ws://hub.test/sync".parse().unwrap()
}

pub(crate) fn memory(buffer: usize) -> (Compat<DuplexStream>, Compat<DuplexStream>) {
    let (a, b) = tokio::io::duplex(buffer);
    (a.compat(), b.compat())
}

pub(crate) async fn tcp() -> (Compat<TcpStream>, Compat<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connected, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (connected.unwrap().compat(), accepted.unwrap().0.compat())
}

/// A device's and a hub's end of an open link.
pub(crate) async fn open<S>(
    streams: (S, S),
    config: WsConfig,
) -> Result<(Transport, Transport), TransportError>
where
    S: futures::AsyncRead + futures::AsyncWrite + Unpin + Send + 'static,
{
    let hub = url();
    futures::try_join!(
        pocketsync_ws::client(streams.0, &hub, config),
        pocketsync_ws::accept(streams.1, config)
    )
}

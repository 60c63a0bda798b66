//! The WebSocket transport of PocketSync.
//!
//! One binary WebSocket message is one frame. Everything runs over a byte stream that the caller
//! brings (a TCP socket of any runtime, TLS over one, a simulated network), so this crate opens no
//! sockets, spawns nothing and sets no timers:
//!
//! - [`client`] asks the hub at a [`WsUrl`] for a WebSocket, [`accept`] answers on the hub's side;
//!   both give a [`Transport`](pocketsync_core::transport::Transport). Where an HTTP server has read
//!   the request already, [`agree`] and [`upgraded`] take the place of [`accept`].
//! - With the feature `tls`, `tls_client` and `tls_accept` put TLS under it, with a rustls
//!   configuration that the caller brings. No process-wide crypto provider is installed or needed.
//!
//! # What the link does
//!
//! - Both sides agree on the WebSocket subprotocol [`SUBPROTOCOL`]; a server that does not speak it
//!   is not a PocketSync hub, and the error says so. A hub tells a plain HTTP client what it is.
//! - A text message, or one that is larger than [`WsConfig::max_frame_bytes`], is an error, and the
//!   other side is told why with a close code.
//! - Pings of the WebSocket protocol are answered whenever the stream of frames is polled. They say
//!   nothing about the replica behind the socket, so none are sent: whether the other side still
//!   lives is found out by the session's own `Ping`, on every transport alike.
//! - Closing the sink sends a WebSocket close, and the other side's stream ends with `None`. A byte
//!   stream that ends without one is a lost link, an error. Where the last frame matters, close the
//!   sink and read the stream to its end before dropping it: a socket that is dropped with unread
//!   bytes is reset, and a reset can overtake what was sent.
//! - Waiting on either half can be cancelled: a frame that the sink took stays taken, and a frame
//!   that has half arrived stays where it is.
//!
//! Neither handshake has a time limit of its own. A hub that faces the internet puts one around
//! [`accept`], or a client that says nothing holds its socket for ever.
//!
//! ```
//! use futures::{SinkExt, StreamExt};
//! use pocketsync_ws::{WsConfig, WsUrl};
//! use tokio_util::compat::TokioAsyncReadCompatExt;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let (ours, theirs) = tokio::io::duplex(4096);
//! let url: WsUrl = "ws://hub.example/sync".parse()?;
//! let (mut device, mut hub) = futures::try_join!(
//!     pocketsync_ws::client(ours.compat(), &url, WsConfig::default()),
//!     pocketsync_ws::accept(theirs.compat(), WsConfig::default()),
//! )?;
//! device.sink.send("a frame".into()).await?;
//! assert_eq!(hub.stream.next().await.unwrap()?, "a frame");
//! # Ok::<(), pocketsync_core::transport::TransportError>(())
//! # }).unwrap();
//! ```

mod accept;
mod client;
mod config;
mod error;
mod link;
#[cfg(feature = "tls")]
mod tls;
mod url;

pub use accept::{accept, agree, upgraded};
pub use client::client;
pub use config::{SUBPROTOCOL, WsConfig};
#[cfg(feature = "tls")]
pub use futures_rustls::rustls;
#[cfg(feature = "tls")]
pub use tls::{TlsStream, tls_accept, tls_client};
pub use url::WsUrl;

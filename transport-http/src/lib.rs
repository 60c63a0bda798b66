//! The HTTP transport of PocketSync: frames in the bodies of POST requests and of their answers.
//!
//! For networks that break WebSockets, and for programs that come by now and then. Everything runs over
//! byte streams that the caller brings, so this crate opens no sockets, spawns nothing, and takes its
//! time from a [`Runtime`](pocketsync_core::runtime::Runtime):
//!
//! - [`client`] makes a link to the hub at an [`HttpUrl`], over streams that a [`Dial`] opens;
//! - with the feature `hub`, `HttpHub` answers: on a byte stream, inside of any server that speaks the
//!   types of the crate `http`, or (feature `axum`) as a `Router` of an axum application. WebSockets are
//!   taken on the same address, and `/health` and `/metrics` answered.
//!
//! # What the link does
//!
//! - A link is a sequence of POSTs under one random name. Frames are numbered in each direction, and
//!   each side says which it does not have yet, so a request can be repeated: no frame is delivered
//!   twice, and none is lost with an answer or a connection.
//! - The hub holds an answer until it has frames (long poll). What is to be sent meanwhile goes with a
//!   second request.
//! - What survives between two POSTs is in the hub's memory: the frames that the other side has not
//!   taken. A link without a request for a while is forgotten, and so are all when the hub starts anew.
//!   To the client that is a lost link. The session behind it goes on from its stores, as after
//!   any loss.
//! - Nothing is compressed here: sessions compress their frames themselves.
//! - What a hub refuses, it refuses with a status and a JSON body for people (RFC 9457); the client makes
//!   of it the error that its session ends with.
//!
//! `docs/http-transport.md` tells all of it to whoever writes a client of their own.

mod client;
mod config;
mod exchange;
#[cfg(feature = "hub")]
mod hub;
mod problem;
#[cfg(feature = "hub")]
mod timer;
mod url;
mod wakers;

pub use client::{Dial, client};
pub use config::HttpConfig;
pub use exchange::MEDIA_TYPE;
#[cfg(feature = "hub")]
pub use hub::{Acceptor, HttpHub, HttpHubOptions, Identity};
pub use url::HttpUrl;

//! The WebSocket transport, and connectors for it: see [`pocketsync_ws`].

#[cfg(any(feature = "tokio", feature = "smol"))]
mod settings;
#[cfg(feature = "smol")]
mod smol;
#[cfg(feature = "tokio")]
mod tokio;

pub use pocketsync_ws::*;

#[cfg(feature = "smol")]
pub use self::smol::SmolConnector;
#[cfg(feature = "tokio")]
pub use self::tokio::TokioConnector;

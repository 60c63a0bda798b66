//! The HTTP transport, and connectors for it: see [`pocketsync_http`].

#[cfg(any(feature = "tokio", feature = "smol"))]
mod dial;
mod fallback;
#[cfg(feature = "smol")]
mod smol;
#[cfg(feature = "tokio")]
mod tokio;

pub use pocketsync_http::*;

pub use self::fallback::Fallback;
#[cfg(feature = "smol")]
pub use self::smol::SmolConnector;
#[cfg(feature = "tokio")]
pub use self::tokio::TokioConnector;

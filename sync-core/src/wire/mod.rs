//! The wire: messages, and the frames that carry them.

mod body;
mod decode;
pub mod frame;
mod message;

pub use crate::store::MAX_HOLDINGS;
pub use decode::{MAX_ERROR_BYTES, MAX_TOKEN_BYTES, MAX_WITHIN_BYTES};
pub use message::{Ack, Body, ErrorCode, Hello, Message, Push, PushSeen, Welcome, WireError};

/// The protocol version that this build speaks. Version 1 is the same without
/// [`Message::PushSeen`].
pub const PROTOCOL: u16 = 2;

/// Every transport carries frames of at least this many bytes.
pub const MIN_FRAME_BYTES: usize = 256;

/// The largest frame that is sent where nobody said otherwise.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 1 << 20;

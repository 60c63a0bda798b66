//! The wire: messages, and the frames that carry them.

mod body;
mod decode;
pub mod frame;
mod message;

pub use crate::store::MAX_HOLDINGS;
pub use body::{MAX_COMPRESSED_BYTES, MAX_PIECE_BYTES};
pub use decode::{MAX_ERROR_BYTES, MAX_REFUSALS, MAX_TOKEN_BYTES, MAX_WITHIN_BYTES};
pub use message::{
    Ack, Body, EarlyPush, ErrorCode, Hello, Message, Push, PushSeen, Refusal, Refused, Welcome, WireError,
};

/// The protocol version that this build speaks. Version 3 is the same without [`Message::Early`], version 2
/// without [`Message::Refused`] besides, and version 1 without [`Message::PushSeen`] as well.
pub const PROTOCOL: u16 = 4;

/// Every transport carries frames of at least this many bytes.
pub const MIN_FRAME_BYTES: usize = 256;

/// The largest frame that is sent where nobody said otherwise.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 1 << 20;

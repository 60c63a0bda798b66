//! What both sides of a link can set.

use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use pocketsync_core::wire::{DEFAULT_MAX_FRAME_BYTES, MIN_FRAME_BYTES};

/// The WebSocket subprotocol that both sides must agree on.
pub const SUBPROTOCOL: &str = "pocketsync.1";

/// Bytes read from the socket at a time, allocated for every connection. A hub has thousands of
/// idle ones, and a large frame gets its own buffer when it comes.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Settings of one link.
///
/// ```
/// use pocketsync_ws::WsConfig;
/// let config = WsConfig::default().max_frame_bytes(64 * 1024);
/// # let _ = config;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WsConfig {
    max_frame_bytes: usize,
}

impl Default for WsConfig {
    fn default() -> Self {
        WsConfig { max_frame_bytes: DEFAULT_MAX_FRAME_BYTES }
    }
}

impl WsConfig {
    /// The largest frame to take or send, in bytes: 1 MiB where nothing is said, at least 256.
    #[must_use]
    pub fn max_frame_bytes(mut self, bytes: usize) -> Self {
        self.max_frame_bytes = bytes.max(MIN_FRAME_BYTES);
        self
    }

    pub(crate) fn frame_limit(self) -> usize {
        self.max_frame_bytes
    }

    /// The limits for tungstenite, which refuses a message from its header, before it allocates.
    pub(crate) fn for_tungstenite(self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(self.max_frame_bytes))
            .max_frame_size(Some(self.max_frame_bytes))
    }
}

//! What went wrong with a WebSocket, in the terms of a transport.

use async_tungstenite::tungstenite::Error as WsError;
use async_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use pocketsync_core::transport::TransportError;

/// An error of an open link.
pub(crate) fn of_link(error: WsError) -> TransportError {
    match error {
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Protocol(ProtocolError::SendAfterClosing) => TransportError::lost("it was closed"),
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            TransportError::lost("it ended without a WebSocket close")
        }
        WsError::Io(error) => TransportError::lost(error.to_string()),
        WsError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            TransportError::FrameTooLarge { bytes: size, limit: max_size }
        }
        other => TransportError::Protocol(other.to_string()),
    }
}

/// An error of either side's handshake.
pub(crate) fn of_handshake(error: WsError) -> TransportError {
    match error {
        WsError::Protocol(ProtocolError::HandshakeIncomplete) => {
            TransportError::lost("it ended in the middle of the WebSocket handshake")
        }
        other => of_link(other),
    }
}

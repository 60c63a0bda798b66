//! Messages as frames: a message's bytes are cut to what the link takes, and put together again.
//!
//! A frame is one header byte and a piece of a message. Bit 0 of the header says that the message
//! ends with this frame; the other bits are zero. No piece is empty.

use bytes::{BufMut, Bytes, BytesMut};

use super::{MIN_FRAME_BYTES, Message};
use crate::codec::DecodeError;

const LAST: u8 = 1;

/// Cuts a message into frames of at most `max_frame_bytes` each, header included.
///
/// A limit below [`MIN_FRAME_BYTES`] counts as that.
///
/// ```
/// use pocketsync_core::wire::{Message, frame};
/// let frames = frame::cut(&Message::Ping(7), 1024);
/// let mut assembler = frame::Assembler::new(1 << 20);
/// assert_eq!(assembler.push(frames[0].clone())?, Some(Message::Ping(7)));
/// # Ok::<(), frame::FrameError>(())
/// ```
pub fn cut(message: &Message, max_frame_bytes: usize) -> Vec<Bytes> {
    // The header of the only frame stands in front, so that the usual case copies nothing.
    let first = postcard::to_extend(message, vec![LAST]).expect("a message always serializes into memory");
    let max_frame_bytes = max_frame_bytes.max(MIN_FRAME_BYTES);
    if first.len() <= max_frame_bytes {
        return vec![first.into()];
    }
    let mut pieces = first[1..].chunks(max_frame_bytes - 1).peekable();
    let mut frames = Vec::with_capacity(pieces.len());
    while let Some(piece) = pieces.next() {
        let mut frame = BytesMut::with_capacity(1 + piece.len());
        frame.put_u8(if pieces.peek().is_none() { LAST } else { 0 });
        frame.put_slice(piece);
        frames.push(frame.freeze());
    }
    frames
}

/// Why frames were not taken. The link is of no use after it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame without a piece of a message.
    #[error("an empty frame")]
    Empty,
    /// A header that this version does not know.
    #[error("unknown frame header {0:#04x}")]
    UnknownHeader(u8),
    /// A message longer than the receiver takes.
    #[error("a message of more than {max_bytes} bytes")]
    TooLarge {
        /// What the receiver takes.
        max_bytes: usize,
    },
    /// The frames make no message.
    #[error("not a message: {0}")]
    Message(#[from] DecodeError),
}

/// Puts messages together from frames. Holds no more than the limit that it was made with.
#[derive(Debug)]
pub struct Assembler {
    pieces: Vec<u8>,
    max_message_bytes: usize,
}

impl Assembler {
    /// An assembler of messages up to this length.
    pub fn new(max_message_bytes: usize) -> Self {
        Assembler { pieces: Vec::new(), max_message_bytes }
    }

    /// Takes messages up to another length from now on. Nothing that has come is dropped.
    pub fn limit(&mut self, max_message_bytes: usize) {
        self.max_message_bytes = max_message_bytes.max(self.pieces.len());
    }

    /// Takes the next frame, and gives the message that it completes.
    ///
    /// The changes of a push are not copied: they share the memory of its only frame.
    ///
    /// # Errors
    /// When the frame is malformed, the message too large, or its bytes say nothing or something
    /// out of bounds. No more frames should be pushed then.
    pub fn push(&mut self, frame: Bytes) -> Result<Option<Message>, FrameError> {
        let header = *frame.first().ok_or(FrameError::Empty)?;
        if header & !LAST != 0 {
            return Err(FrameError::UnknownHeader(header));
        }
        let piece = frame.slice(1..);
        if piece.is_empty() {
            return Err(FrameError::Empty);
        }
        if piece.len() > self.max_message_bytes - self.pieces.len() {
            return Err(FrameError::TooLarge { max_bytes: self.max_message_bytes });
        }
        let last = header & LAST != 0;
        if last && self.pieces.is_empty() {
            return Ok(Some(Message::decode(&piece)?));
        }
        self.reserve(piece.len());
        self.pieces.extend_from_slice(&piece);
        if !last {
            return Ok(None);
        }
        let whole = Bytes::from(std::mem::take(&mut self.pieces));
        Ok(Some(Message::decode(&whole)?))
    }

    /// Grows by doubling, but not beyond the limit.
    fn reserve(&mut self, more: usize) {
        let needed = self.pieces.len() + more;
        if needed > self.pieces.capacity() {
            let capacity = needed.max(self.pieces.capacity().saturating_mul(2)).min(self.max_message_bytes);
            self.pieces.reserve_exact(capacity - self.pieces.len());
        }
    }
}

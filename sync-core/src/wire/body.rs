//! Changesets into bodies, and back.

use super::Body;
use crate::change::Changeset;
use crate::codec::{DecodeError, Reader, Writer};

/// Shorter than this, compression does not pay.
const MIN_COMPRESSED_BYTES: usize = 128;

/// What is longer goes uncompressed, and is not expanded: a few bytes cost a receiver no more than
/// this much, and only a push of one large row is longer.
pub const MAX_COMPRESSED_BYTES: usize = 4 << 20;

/// How much a sender puts together at most, by [`RowChange::weight`](crate::change::RowChange::weight), besides one
/// row: what it compresses fits into what a receiver sets aside for compressed changes.
pub const MAX_PIECE_BYTES: usize = MAX_COMPRESSED_BYTES / 2;

/// An LZ4 block is at most this many times shorter than what it stands for.
const MAX_LZ4_RATIO: usize = 255;

/// What weighs a byte, by [`RowChange::weight`](crate::change::RowChange::weight), takes less
/// than this in memory: a row alone takes about eight times its weight, a NULL eleven times.
const MEMORY_PER_WEIGHT: usize = 16;

impl Body {
    /// Encodes a changeset, compressed if that is allowed and saves a tenth at least.
    ///
    /// ```
    /// use pocketsync_core::change::Changeset;
    /// use pocketsync_core::wire::Body;
    /// assert_eq!(Body::seal(&Changeset::default(), true), Body::Empty);
    /// ```
    ///
    /// # Panics
    /// As [`Changeset::encode`].
    pub fn seal(changeset: &Changeset, compress: bool) -> Body {
        if changeset.is_empty() {
            return Body::Empty;
        }
        let plain = Body::Plain(changeset.encode().into());
        if compress { plain.compressed() } else { plain }
    }

    /// The same body, compressed if that saves a tenth at least and it is not longer than
    /// [`MAX_COMPRESSED_BYTES`]: for one changeset that goes to receivers with and without compression.
    pub fn compressed(&self) -> Body {
        match self {
            Body::Plain(plain) if (MIN_COMPRESSED_BYTES..=MAX_COMPRESSED_BYTES).contains(&plain.len()) => {
                let block = lz4_flex::block::compress(plain);
                if block.len() >= plain.len() - plain.len() / 10 {
                    return self.clone();
                }
                let mut writer = Writer::new();
                writer.varint(plain.len() as u64);
                writer.bytes(&block);
                Body::Lz4(writer.into_bytes().into())
            }
            _ => self.clone(),
        }
    }

    /// The changeset in this body.
    ///
    /// Takes what is at most `max_bytes` long uncompressed, and sets aside no more than 16 times
    /// as much memory for the result. Changes that weigh half of `max_bytes`, by
    /// [`RowChange::weight`](crate::change::RowChange::weight) and the length of their tables' and
    /// columns' names, pass; where they are compressed, as if `max_bytes` were [`MAX_COMPRESSED_BYTES`] at most.
    ///
    /// # Errors
    /// When the bytes are not a changeset, or say more than fits.
    pub fn open(&self, max_bytes: usize) -> Result<Changeset, DecodeError> {
        let max_memory_bytes = max_bytes.saturating_mul(MEMORY_PER_WEIGHT);
        match self {
            Body::Empty => Ok(Changeset::default()),
            Body::Plain(plain) if plain.len() > max_bytes => Err(DecodeError::TooLarge),
            Body::Plain(plain) => Changeset::decode_within(plain, max_memory_bytes),
            Body::Lz4(bytes) => {
                let most = max_memory_bytes.min(MAX_COMPRESSED_BYTES * MEMORY_PER_WEIGHT);
                Changeset::decode_within(&decompress(bytes, max_bytes)?, most)
            }
        }
    }

    /// How many bytes it takes in a message.
    pub fn len(&self) -> usize {
        match self {
            Body::Empty => 0,
            Body::Plain(bytes) | Body::Lz4(bytes) => bytes.len(),
        }
    }

    /// Whether it holds no changes.
    pub fn is_empty(&self) -> bool {
        matches!(self, Body::Empty)
    }
}

fn decompress(bytes: &[u8], max_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    let mut input = Reader::new(bytes);
    let len = usize::try_from(input.varint()?).map_err(|_| DecodeError::OutOfRange)?;
    let block = input.slice(input.remaining())?;
    if len > max_bytes.min(MAX_COMPRESSED_BYTES) {
        return Err(DecodeError::TooLarge);
    }
    if len > block.len().saturating_mul(MAX_LZ4_RATIO) {
        return Err(DecodeError::OutOfRange);
    }
    let mut plain = vec![0; len];
    match lz4_flex::block::decompress_into(block, &mut plain) {
        Ok(written) if written == len => Ok(plain),
        _ => Err(DecodeError::Invalid("a damaged LZ4 block")),
    }
}

//! Writing a bundle.

use std::io::Write;

use sha2::{Digest, Sha256};

use super::{BundleError, FORMAT, MAGIC, MAX_MESSAGE_BYTES, Title};
use crate::wire::{DEFAULT_MAX_FRAME_BYTES, Message, frame};

/// Writes the parts of a bundle in their order, and counts and digests what it has written.
#[derive(Debug)]
pub(super) struct BundleWriter<W> {
    out: W,
    digest: Sha256,
    bytes: u64,
}

impl<W: Write> BundleWriter<W> {
    pub(super) fn begin(out: W, title: &Title) -> Result<Self, BundleError> {
        let mut writer = BundleWriter { out, digest: Sha256::new(), bytes: 0 };
        writer.put(&MAGIC)?;
        writer.put(&FORMAT.to_be_bytes())?;
        let title = postcard::to_allocvec(title).expect("a title always serializes into memory");
        writer.block(&title)?;
        Ok(writer)
    }

    pub(super) fn message(&mut self, message: &Message) -> Result<(), BundleError> {
        let frames = frame::cut(message, DEFAULT_MAX_FRAME_BYTES);
        if frames.iter().map(|frame| frame.len() - 1).sum::<usize>() > MAX_MESSAGE_BYTES {
            return Err(BundleError::RowTooLarge);
        }
        frames.iter().try_for_each(|frame| self.block(frame))
    }

    /// Writes the end. Answers how long the bundle is.
    pub(super) fn finish(mut self) -> Result<u64, BundleError> {
        self.put(&0_u32.to_be_bytes())?;
        let digest = self.digest.finalize();
        self.out.write_all(&digest)?;
        self.out.flush()?;
        Ok(self.bytes + digest.len() as u64)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn block(&mut self, block: &[u8]) -> Result<(), BundleError> {
        let len = u32::try_from(block.len()).expect("titles and frames are short");
        self.put(&len.to_be_bytes())?;
        self.put(block)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), BundleError> {
        self.out.write_all(bytes)?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

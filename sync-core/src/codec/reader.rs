//! Reading integers and bytes from untrusted input.

/// Why bytes could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends in the middle of something.
    #[error("the input ends early")]
    Truncated,
    /// Bytes are left where the input should end.
    #[error("{0} bytes are left over")]
    TrailingBytes(usize),
    /// A kind that this version does not know.
    #[error("unknown {what} kind {tag}")]
    UnknownTag {
        /// What was being read.
        what: &'static str,
        /// The tag that was found.
        tag: u8,
    },
    /// An integer longer than 64 bits, or a length larger than its input.
    #[error("a number is out of range")]
    OutOfRange,
    /// Row ids that refer to each other deeper than allowed.
    #[error("row ids are nested too deeply")]
    TooDeep,
    /// More than the receiver is ready to take.
    #[error("too large")]
    TooLarge,
    /// Well-formed bytes that say something impossible.
    #[error("invalid: {0}")]
    Invalid(&'static str),
}

/// A cursor over untrusted bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`] when something is.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes(self.rest.len())) }
    }

    /// One byte.
    ///
    /// # Errors
    /// At the end of the input.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    /// The next `len` bytes, borrowed.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn slice(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (slice, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(slice)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(N)?);
        Ok(array)
    }

    /// An unsigned LEB128 integer.
    ///
    /// # Errors
    /// At the end of the input, or when it does not fit 64 bits.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(DecodeError::OutOfRange);
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::OutOfRange)
    }

    /// A zigzag-coded signed integer.
    ///
    /// # Errors
    /// As [`varint`](Self::varint).
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let raw = self.varint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// A count of things that take at least `min_bytes` each in what is left of the input, so
    /// that space for them can be reserved.
    ///
    /// # Errors
    /// When the input cannot hold that many.
    pub fn count(&mut self, min_bytes: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.varint()?).map_err(|_| DecodeError::OutOfRange)?;
        if count > self.rest.len() / min_bytes.max(1) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(count)
    }

    /// Bytes behind their length.
    ///
    /// # Errors
    /// When the length is larger than the input.
    pub fn length_prefixed(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.count(1)?;
        self.slice(len)
    }
}

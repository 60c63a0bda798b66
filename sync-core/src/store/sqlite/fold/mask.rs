//! Which columns a journal entry says were written.

use rusqlite::types::ValueRef;

/// Column numbers: a bit each, or for wide tables a byte each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Mask {
    /// Bit n is column n.
    Bits(u64),
    /// Byte n is column n: `1` where it was written.
    Bytes(Box<[u8]>),
}

impl Mask {
    pub(super) const NONE: Mask = Mask::Bits(0);

    /// As the journal has it; whatever cannot be a mask says nothing.
    pub(super) fn read(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Integer(bits) => Mask::Bits(bits as u64),
            ValueRef::Text(bytes) => Mask::Bytes(bytes.into()),
            _ => Mask::NONE,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Mask::Bits(bits) => *bits == 0,
            Mask::Bytes(bytes) => !bytes.contains(&b'1'),
        }
    }

    /// Says of a column that it was not written.
    pub(super) fn remove(&mut self, column: u32) {
        match self {
            Mask::Bits(bits) => *bits &= !1u64.checked_shl(column).unwrap_or(0),
            Mask::Bytes(bytes) => {
                if let Some(byte) = bytes.get_mut(column as usize) {
                    *byte = b'0';
                }
            }
        }
    }

    pub(super) fn has(&self, column: u32) -> bool {
        match self {
            Mask::Bits(bits) => column < 64 && bits >> column & 1 != 0,
            Mask::Bytes(bytes) => bytes.get(column as usize) == Some(&b'1'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_text_say_the_same() {
        let bits = Mask::read(ValueRef::Integer(0b101));
        let text = Mask::read(ValueRef::Text(b"101"));
        for column in [0, 1, 2, 3, 62, 63, 64, 99] {
            assert_eq!(bits.has(column), text.has(column), "column {column}");
        }
        for mut mask in [bits.clone(), text.clone()] {
            for column in [2, 64, 99] {
                mask.remove(column);
            }
            assert!(mask.has(0) && !mask.has(2));
            mask.remove(0);
            assert!(mask.is_empty());
        }
        assert!(!bits.is_empty() && !text.is_empty());
        assert!(Mask::read(ValueRef::Text(b"000")).is_empty() && Mask::read(ValueRef::Null).is_empty());
    }
}

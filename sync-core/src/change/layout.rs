//! The numbers that the encoder and the decoder of changesets agree on.

/// The first byte of an encoded changeset.
pub(super) const FORMAT: u8 = 1;

/// How the id of a row is written: bits 0 to 2 of a row's head.
pub(super) mod id {
    pub(in crate::change) const MASK: u8 = 0b111;
    /// Surrogate of the same site as the last one, counter one larger than that site's last.
    pub(in crate::change) const NEXT: u8 = 0;
    /// Surrogate of the same site, counter larger by two and the varint that follows.
    pub(in crate::change) const AHEAD: u8 = 1;
    /// Surrogate: site, then the zigzag difference to that site's last counter.
    pub(in crate::change) const SURROGATE: u8 = 2;
    /// Natural key of one value.
    pub(in crate::change) const KEY_OF_ONE: u8 = 3;
    /// Natural key: count, then values.
    pub(in crate::change) const KEY: u8 = 4;
    /// Genesis: 16 bytes.
    pub(in crate::change) const GENESIS: u8 = 5;
}

/// How births and deaths are written: bits 3 and 4 of a row's head.
pub(super) mod life {
    pub(in crate::change) const MASK: u8 = 0b11 << 3;
    /// No news.
    pub(in crate::change) const NONE: u8 = 0;
    /// Born at the row's version, and nothing else.
    pub(in crate::change) const BORN: u8 = 1 << 3;
    /// Died at the row's version, and nothing else.
    pub(in crate::change) const DIED: u8 = 2 << 3;
    /// A mask byte (1: born, 2: died, 4: undone). The first that is set has the row's version;
    /// the versions of the others follow.
    pub(in crate::change) const LISTED: u8 = 3 << 3;
}

/// Bit 5 of a row's head: the row's version follows; else it is that of the row before.
pub(super) const NEW_VERSION: u8 = 1 << 5;
/// Bit 6 of a row's head: the set of columns follows; else it is that of the row before.
pub(super) const NEW_COLUMNS: u8 = 1 << 6;
/// Bit 7 of a row's head: a bitmap of the cells that have a version of their own follows; else
/// all cells have the row's.
pub(super) const OWN_VERSIONS: u8 = 1 << 7;

/// The first byte of a value.
pub(super) mod tag {
    /// Integers from -16 are the tag itself, less 16.
    pub(in crate::change) const SMALL_MAX: u8 = 0x5f;
    /// The integer of tag 0.
    pub(in crate::change) const SMALL_MIN: i64 = -16;
    /// Text of 0 to 63 bytes: this tag and more.
    pub(in crate::change) const SHORT_TEXT: u8 = 0x60;
    /// The last short text.
    pub(in crate::change) const SHORT_TEXT_MAX: u8 = 0x9f;
    /// Integers from 80 to 8271: five bits in the tag, eight in the next byte.
    pub(in crate::change) const MEDIUM: u8 = 0xa0;
    /// The last medium integer.
    pub(in crate::change) const MEDIUM_MAX: u8 = 0xbf;
    /// The smallest medium integer.
    pub(in crate::change) const MEDIUM_MIN: i64 = 80;
    /// Integer of one to eight bytes.
    pub(in crate::change) const INTEGER: u8 = 0xc0;
    /// Integer of eight bytes.
    pub(in crate::change) const INTEGER_MAX: u8 = 0xc7;
    /// Real that equals an integer of one to seven bytes.
    pub(in crate::change) const WHOLE: u8 = 0xc8;
    /// Real that equals an integer of seven bytes.
    pub(in crate::change) const WHOLE_MAX: u8 = 0xce;
    /// NULL.
    pub(in crate::change) const NULL: u8 = 0xd0;
    /// Real: eight bytes.
    pub(in crate::change) const REAL: u8 = 0xd1;
    /// Text behind its length.
    pub(in crate::change) const TEXT: u8 = 0xd2;
    /// Blob behind its length.
    pub(in crate::change) const BLOB: u8 = 0xd3;
    /// Text that is a hyphenated lowercase UUID, as its 16 bytes.
    pub(in crate::change) const UUID: u8 = 0xd4;
    /// Reference to a surrogate row.
    pub(in crate::change) const REF_SURROGATE: u8 = 0xd5;
    /// Reference to a natural row.
    pub(in crate::change) const REF_NATURAL: u8 = 0xd6;
    /// Reference to a genesis row.
    pub(in crate::change) const REF_GENESIS: u8 = 0xd7;
    /// A value that points at nothing.
    pub(in crate::change) const DANGLING: u8 = 0xd8;
}

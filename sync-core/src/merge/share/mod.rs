//! Columns that merge: each site's share of a value, and the value that all shares make.
//!
//! ```text
//! name    what the column of a share is called      total   sums that do not overflow
//! part    what one site contributed                 order   SQLite's order of values
//! held    the value that plain cell and shares make set     elements with dots
//! written what a local write does to the own share  json    arrays and their canonical text
//! parted  what of a share a new site takes along      row     a whole row as people see it
//! ```
//!
//! The lattice knows nothing of this. A site's **share** of a cell is a cell of its own, in a column
//! that only this site ever writes, so last-writer-wins is a join without a conflict, and whoever
//! does not know the type (a hub, an older replica, one without the column) keeps and passes it on
//! as it does any column. What a table shows is a function of the plain cell and the shares:
//!
//! * A share belongs to a **life** of its row: it names the birth that its writer knew. What was
//!   born before the row last died counts no more.
//! * Of the shares that count, those with the largest number of **resets** do. A reset is a write that
//!   is no difference to what was there; it begins at one more than all that its writer knew. So
//!   nothing but a death or a concurrent reset can make a contribution fall away.
//! * The contributions are relative to a **base**: what the last reset said, else the plain cell.
//!
//! None of these names a version, because versions of writes that nobody has seen may still be
//! corrected; only the birth is, together with the row's.

mod held;
mod json;
mod name;
mod order;
mod part;
mod parted;
mod row;
mod set;
mod total;
mod written;

pub use held::{Held, HeldShare};
pub use name::ShareName;
pub use part::Part;
pub use row::row;
pub use set::Elements;
pub use total::Total;
pub use written::{Change, Local, replace, write};

use crate::clock::Hlc;
use crate::codec::{DecodeError, Reader, Writer};
use crate::conflict::MergeType;
use crate::value::Value;

/// The first byte of a share's bytes.
const FORMAT: u8 = 1;

/// What one site contributed to one cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    /// The birth of the row's life that this belongs to, as far as its writer knew.
    pub born: Hlc,
    /// How many resets the writer knew of in this life, its own included.
    pub resets: u64,
    /// What the contribution is relative to.
    pub base: Base,
    /// The contribution.
    pub part: Part,
}

/// What contributions are relative to, as far as one site has a say in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Base {
    /// What others say: the reset of another site, or the plain cell.
    Inherited,
    /// Nothing, where there is no plain cell: this site has inserted the row.
    Nothing,
    /// This site's reset: when it was made, which decides among those that did not know of each
    /// other, and what it said.
    Reset(Hlc, Value),
}

impl Share {
    /// No contribution yet.
    pub fn new(born: Hlc, resets: u64, base: Base, merge: MergeType) -> Self {
        Share { born, resets, base, part: Part::none(merge) }
    }

    /// The cell's value: equal shares have equal bytes.
    pub fn to_value(&self) -> Value {
        let mut writer = Writer::new();
        writer.byte(FORMAT);
        writer.varint(self.born.bits());
        writer.varint(self.resets);
        match &self.base {
            Base::Inherited => writer.byte(0),
            Base::Nothing => writer.byte(1),
            Base::Reset(when, value) => {
                writer.byte(2);
                writer.varint(when.bits());
                value.encode(&mut writer);
            }
        }
        self.part.encode(&mut writer);
        Value::Blob(writer.into_bytes())
    }

    /// Reads what [`to_value`](Self::to_value) made, in a column of this type.
    ///
    /// # Errors
    /// When it is something else; a newer version may have written it.
    pub fn from_value(merge: MergeType, value: &Value) -> Result<Self, DecodeError> {
        let Value::Blob(bytes) = value else { return Err(DecodeError::Invalid("a share that is no blob")) };
        let mut reader = Reader::new(bytes);
        let format = reader.byte()?;
        if format != FORMAT {
            return Err(DecodeError::UnknownTag { what: "share", tag: format });
        }
        let (born, resets) = (Hlc::from_bits(reader.varint()?), reader.varint()?);
        let base = match reader.byte()? {
            0 => Base::Inherited,
            1 => Base::Nothing,
            2 => Base::Reset(Hlc::from_bits(reader.varint()?), Value::decode(&mut reader)?),
            tag => return Err(DecodeError::UnknownTag { what: "base of a share", tag }),
        };
        let part = Part::decode(merge, &mut reader)?;
        reader.finish()?;
        Ok(Share { born, resets, base, part })
    }
}

//! Which columns of a table a row has cells for.

use super::CellChange;
use crate::codec::{DecodeError, Reader, Writer};

/// Up to this many columns, a set is always one byte of bitmap.
const ONE_BYTE: usize = 8;

/// Writes the set of columns of `cells` in a table of `width` columns.
///
/// One byte of bitmap in narrow tables. In wide ones the count; then nothing when all are there,
/// the gaps between them when they are few, and a bitmap else.
pub(super) fn write(cells: &[CellChange], width: usize, out: &mut Writer) {
    if width > ONE_BYTE {
        out.varint(cells.len() as u64);
        if cells.len() == width {
            return;
        }
        if cells.len() <= width.div_ceil(8) {
            let mut next = 0;
            for cell in cells {
                out.varint(u64::from(cell.column - next));
                next = cell.column + 1;
            }
            return;
        }
    }
    let mut cells = cells.iter().peekable();
    for byte in 0..width.div_ceil(8) as u32 {
        let mut bits = 0u8;
        while let Some(cell) = cells.next_if(|cell| cell.column / 8 == byte) {
            bits |= 1 << (cell.column % 8);
        }
        out.byte(bits);
    }
}

/// Reads a set into `columns`.
pub(super) fn read(columns: &mut Vec<u32>, width: usize, input: &mut Reader<'_>) -> Result<(), DecodeError> {
    columns.clear();
    if width > ONE_BYTE {
        let count = usize::try_from(input.varint()?).map_err(|_| DecodeError::OutOfRange)?;
        if count > width {
            return Err(DecodeError::OutOfRange);
        }
        if count == width {
            columns.extend(0..width as u32);
            return Ok(());
        }
        if count <= width.div_ceil(8) {
            let mut next = 0u64;
            for _ in 0..count {
                let column = next.checked_add(input.varint()?).filter(|&column| column < width as u64);
                let column = column.ok_or(DecodeError::OutOfRange)?;
                columns.push(column as u32);
                next = column + 1;
            }
            return Ok(());
        }
        read_bitmap(columns, width, input)?;
        return if columns.len() == count {
            Ok(())
        } else {
            Err(DecodeError::Invalid("a count of columns that its bitmap does not have"))
        };
    }
    read_bitmap(columns, width, input)
}

fn read_bitmap(columns: &mut Vec<u32>, width: usize, input: &mut Reader<'_>) -> Result<(), DecodeError> {
    let bitmap = input.slice(width.div_ceil(8))?;
    check_padding(bitmap, width)?;
    for (index, &byte) in bitmap.iter().enumerate() {
        let mut bits = byte;
        while bits != 0 {
            columns.push(index as u32 * 8 + bits.trailing_zeros());
            bits &= bits - 1;
        }
    }
    Ok(())
}

/// The bits of a bitmap beyond its `len` must be zero.
pub(super) fn check_padding(bitmap: &[u8], len: usize) -> Result<(), DecodeError> {
    match bitmap.last() {
        Some(&last) if !len.is_multiple_of(8) && last >> (len % 8) != 0 => {
            Err(DecodeError::Invalid("a bitmap with bits beyond its end"))
        }
        _ => Ok(()),
    }
}

//! Row ids as storage keys.

use crate::codec::{DecodeError, Reader, Writer};
use crate::id::{RowId, SiteId};
use crate::store::{StoreError, StoreErrorKind};
use crate::value::Value;

/// The key under which a row is kept: equal ids have equal keys, and rows that were inserted one
/// after the other have keys next to each other, counters and integers being written so that they
/// sort as numbers. A group of new rows then fills a few pages instead of touching many.
///
/// ```text
/// 0, count, each: 1, integer with its sign bit flipped, big-endian (8) | any other value
/// 1, site (16), counter, big-endian (8)
/// 2, hash (16)
/// ```
pub(crate) fn row_key(id: &RowId) -> Vec<u8> {
    let mut writer = Writer::with_capacity(32);
    match id {
        RowId::Natural(key) => {
            writer.byte(0);
            writer.varint(key.len() as u64);
            for value in key {
                match value {
                    Value::Integer(integer) => {
                        writer.byte(1);
                        writer.bytes(&(integer ^ i64::MIN).to_be_bytes());
                    }
                    other => other.encode(&mut writer),
                }
            }
        }
        RowId::Surrogate { site, counter } => {
            writer.byte(1);
            writer.bytes(site.as_bytes());
            writer.bytes(&counter.to_be_bytes());
        }
        RowId::Genesis(_) => id.encode(&mut writer),
    }
    writer.into_bytes()
}

/// The id that [`row_key`] gave the key of.
pub(crate) fn row_of(key: &[u8]) -> Result<RowId, StoreError> {
    decode(key).map_err(|error| {
        let message = format!("a stored row id is damaged ({error}); restore the store from a backup");
        StoreError::new(StoreErrorKind::Corrupt, message)
    })
}

fn decode(key: &[u8]) -> Result<RowId, DecodeError> {
    let mut reader = Reader::new(key);
    let id = match reader.byte()? {
        0 => {
            let count = reader.count(1)?;
            RowId::Natural((0..count).map(|_| value(&mut reader)).collect::<Result<_, _>>()?)
        }
        1 => RowId::Surrogate {
            site: SiteId::from_bytes(reader.array()?),
            counter: u64::from_be_bytes(reader.array()?),
        },
        _ => return RowId::from_bytes(key),
    };
    reader.finish()?;
    Ok(id)
}

fn value(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let mut ahead = reader.clone();
    if ahead.byte()? != 1 {
        return Value::decode(reader);
    }
    let integer = i64::from_be_bytes(ahead.array()?) ^ i64::MIN;
    *reader = ahead;
    Ok(Value::Integer(integer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn natural(values: &[Value]) -> RowId {
        RowId::Natural(values.into())
    }

    #[test]
    fn keys_give_their_ids_back() {
        let surrogate = RowId::Surrogate { site: SiteId::from_bytes([7; 16]), counter: 300 };
        let reference = Value::Ref(Box::new(surrogate.clone()));
        for id in [
            surrogate,
            RowId::Genesis([1; 16]),
            natural(&[]),
            natural(&[Value::Integer(-1), Value::text("a"), Value::Null, Value::Integer(i64::MIN)]),
            natural(&[reference, Value::Real(0.5), Value::Blob(vec![1])]),
        ] {
            let key = row_key(&id);
            assert_eq!(row_of(&key), Ok(id));
            for cut in 0..key.len() {
                assert_eq!(row_of(&key[..cut]).unwrap_err().kind, StoreErrorKind::Corrupt);
            }
        }
    }

    #[test]
    fn numbers_sort_as_numbers() {
        let counters =
            [1, 127, 128, 300, 70_000].map(|counter| RowId::Surrogate { site: SiteId::NIL, counter });
        assert!(counters.map(|id| row_key(&id)).is_sorted());
        let integers = [i64::MIN, -300, -1, 0, 1, 127, 128, 70_000].map(|n| natural(&[Value::Integer(n)]));
        assert!(integers.map(|id| row_key(&id)).is_sorted());
    }
}

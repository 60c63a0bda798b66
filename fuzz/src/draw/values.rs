//! Sites, clocks, values and row ids.

use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::merge::Life;
use pocketsync_core::value::Value;

use super::{Input, Result};

/// The start of the times that targets use.
pub(crate) const NOON_MS: u64 = 1_700_000_000_000;

pub(crate) fn nth_site(n: u8) -> SiteId {
    SiteId::from_bytes([n; 16])
}

pub(crate) fn site(u: &mut Input<'_>) -> Result<SiteId> {
    match u.int_in_range(0..=9u8)? {
        9 => u.arbitrary().map(SiteId::from_bytes),
        n => Ok(nth_site(n % 4)),
    }
}

pub(crate) fn hlc(u: &mut Input<'_>) -> Result<Hlc> {
    Ok(match u.int_in_range(0..=9u8)? {
        0 => Hlc::from_bits(u.arbitrary()?),
        1 => *u.choose(&[Hlc::ZERO, Hlc::MAX, Hlc::from_ms(u64::MAX)])?,
        _ => near(u)?,
    })
}

/// A clock value out of a few.
fn near(u: &mut Input<'_>) -> Result<Hlc> {
    let byte: u8 = u.arbitrary()?;
    Ok(Hlc::from_bits(Hlc::from_ms(NOON_MS + u64::from(byte >> 2)).bits() + u64::from(byte & 3)))
}

pub(crate) fn version(u: &mut Input<'_>) -> Result<Version> {
    Ok(Version { hlc: hlc(u)?, site: site(u)? })
}

/// A version that replicas may well have given.
pub(crate) fn likely_version(u: &mut Input<'_>) -> Result<Version> {
    Ok(Version { hlc: near(u)?, site: nth_site(u.int_in_range(1..=3)?) })
}

pub(crate) fn life(u: &mut Input<'_>) -> Result<Life> {
    let parts: u8 = u.arbitrary()?;
    let mut part = |bit: u8| (parts & bit != 0).then(|| version(u)).transpose();
    Ok(Life { born: part(1)?, died: part(2)?, undone: part(4)? })
}

pub(crate) fn bytes(u: &mut Input<'_>, max: usize) -> Result<Vec<u8>> {
    let len = u.int_in_range(0..=max)?.min(u.len());
    Ok(u.bytes(len)?.to_vec())
}

fn integer(u: &mut Input<'_>) -> Result<i64> {
    Ok(match u.int_in_range(0..=3u8)? {
        0 => u.int_in_range(0..=4)?,
        1 => i64::from(u.arbitrary::<i16>()?),
        2 => *u.choose(&[i64::MIN, -1, 79, 80, 8271, 8272, 1 << 31, 1 << 47, i64::MAX])?,
        _ => u.arbitrary()?,
    })
}

fn real(u: &mut Input<'_>) -> Result<f64> {
    Ok(match u.int_in_range(0..=2u8)? {
        0 => *u.choose(&[0.0, -0.0, 0.5, 1.0, 1e300, f64::INFINITY, f64::NEG_INFINITY])?,
        1 => f64::from(u.arbitrary::<i16>()?),
        _ => u.arbitrary()?,
    })
}

/// A value without references.
pub(crate) fn plain(u: &mut Input<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=6u8)? {
        0 => Value::Null,
        1 | 2 => Value::Integer(integer(u)?),
        3 => Value::Real(real(u)?),
        4 => Value::text(u.choose(&["", "a", "A", "b", "0192d4e0-7b5a-7cc3-98f1-0123456789ab"])?),
        5 => Value::Text(bytes(u, 70)?),
        _ => Value::Blob(bytes(u, 70)?),
    })
}

pub(crate) fn value(u: &mut Input<'_>, depth: usize) -> Result<Value> {
    Ok(match u.int_in_range(0..=7u8)? {
        0 if depth > 0 => Value::Ref(Box::new(row_id(u, depth - 1)?)),
        1 if depth > 0 => Value::Dangling(Box::new(value(u, depth - 1)?)),
        _ => plain(u)?,
    })
}

pub(crate) fn row_id(u: &mut Input<'_>, depth: usize) -> Result<RowId> {
    Ok(match u.int_in_range(0..=4u8)? {
        0 | 1 => RowId::Surrogate { site: site(u)?, counter: u.int_in_range(1..=8)? },
        2 => RowId::Surrogate { site: site(u)?, counter: u.arbitrary()? },
        3 => RowId::Genesis(u.arbitrary()?),
        _ => {
            let len = u.int_in_range(0..=3u8)?;
            RowId::Natural((0..len).map(|_| value(u, depth)).collect::<Result<_>>()?)
        }
    })
}

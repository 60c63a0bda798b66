//! Changesets from untrusted bytes, and changesets through their bytes.
//!
//! What decodes is well-formed, encodes again to what decodes to the same, and costs memory in
//! proportion to its bytes. The forms in which stores keep rows are read the same way.

use std::collections::BTreeSet;

use pocketsync_core::change::Changeset;
use pocketsync_core::codec::{Reader, Writer};
use pocketsync_core::id::RowId;
use pocketsync_core::store::{Record, Sites, decode_life, encode_life};
use pocketsync_core::value::Value;
use pocketsync_core::wire::Body;

use crate::draw::values::nth_site;
use crate::draw::{Input, changes};
use crate::memory::allocated;

/// Takes the input for bytes to decode, and draws a changeset from it to encode.
pub fn run(data: &[u8]) {
    let (total, decoded) = allocated(|| Changeset::decode(data));
    assert!(total <= 256 * data.len() + 1024, "{total} bytes for {}", data.len());
    if let Ok(changeset) = decoded {
        check(&changeset);
    }
    let limit = 4 * data.len();
    let (total, _) = allocated(|| Changeset::decode_within(data, limit).is_ok());
    assert!(total <= 16 * limit + 1024, "{total} bytes where {limit} are allowed");
    let body = Body::Lz4(pocketsync_core::Bytes::copy_from_slice(data));
    let (total, opened) = allocated(|| body.open(limit));
    assert!(total <= 64 * limit + 1024, "{total} bytes for a body that may have {limit}");
    if let Ok(changeset) = opened {
        check(&changeset);
    }
    check_stored(data);
    if let Ok(drawn) = changes::changeset(&mut Input::new(data)) {
        let bytes = drawn.encode();
        assert_eq!(Changeset::decode(&bytes).as_ref(), Ok(&drawn));
        assert!(Changeset::decode(&bytes[..bytes.len() - 1]).is_err(), "a part passes for the whole");
        check(&drawn);
    }
}

/// What every receiver relies on, and the way through the bytes and back.
pub(crate) fn check(changeset: &Changeset) {
    let names: BTreeSet<_> = changeset.tables.iter().map(|table| &table.name).collect();
    assert_eq!(names.len(), changeset.tables.len(), "a table twice");
    for table in &changeset.tables {
        let columns: BTreeSet<_> = table.columns.iter().collect();
        assert_eq!(columns.len(), table.columns.len(), "a column twice");
        for row in &table.rows {
            assert!(row.cells.is_sorted_by(|a, b| a.column < b.column), "cells out of order");
            assert!(row.cells.iter().all(|cell| (cell.column as usize) < columns.len()), "no such column");
            assert_eq!(RowId::from_bytes(&row.id.to_bytes()).as_ref(), Ok(&row.id));
        }
    }
    let bytes = changeset.encode();
    assert_eq!(Changeset::decode(&bytes).as_ref(), Ok(changeset));
    for compress in [false, true] {
        let body = Body::seal(changeset, compress);
        if !changeset.is_empty() {
            assert_eq!(body.open(1 << 24).as_ref(), Ok(changeset));
        }
    }
}

fn check_stored(data: &[u8]) {
    let mut sites = Sites::default();
    for n in 1..4 {
        sites.ordinal(nth_site(n));
    }
    if let Ok(id) = RowId::from_bytes(data) {
        assert_eq!(RowId::from_bytes(&id.to_bytes()), Ok(id));
    }
    let mut reader = Reader::new(data);
    if let Ok(value) = Value::decode(&mut reader) {
        let mut writer = Writer::new();
        value.encode(&mut writer);
        assert_eq!(Value::decode(&mut Reader::new(&writer.into_bytes())), Ok(value));
    }
    if let Ok(record) = Record::decode(data, &sites) {
        let bytes = record.encode(&mut sites);
        assert_eq!(Record::decode(&bytes, &sites), Ok(record));
    }
    if let Ok(life) = decode_life(&sites, &mut Reader::new(data)) {
        let mut writer = Writer::new();
        encode_life(&life, &mut sites, &mut writer);
        assert_eq!(decode_life(&sites, &mut Reader::new(&writer.into_bytes())), Ok(life));
    }
}

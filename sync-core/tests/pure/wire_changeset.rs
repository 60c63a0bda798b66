//! The changeset codec: what goes in comes out, whatever comes in is answered with an error or a
//! well-formed changeset, and nothing costs more than it should.

use std::collections::BTreeSet;

use crate::generators::changeset;
use pocketsync_core::change::{Changeset, RowChange, TableChanges};
use pocketsync_core::codec::DecodeError;
use pocketsync_core::wire::Body;
use proptest::collection::vec;
use proptest::prelude::*;

/// What every receiver relies on.
fn assert_well_formed(changeset: &Changeset) {
    let names: BTreeSet<_> = changeset.tables.iter().map(|table| &table.name).collect();
    assert_eq!(names.len(), changeset.tables.len());
    for table in &changeset.tables {
        let columns: BTreeSet<_> = table.columns.iter().collect();
        assert_eq!(columns.len(), table.columns.len());
        for row in &table.rows {
            assert!(row.cells.is_sorted_by(|a, b| a.column < b.column));
            assert!(row.cells.iter().all(|cell| (cell.column as usize) < table.columns.len()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_changeset_survives_its_bytes(changeset in changeset()) {
        let bytes = changeset.encode();
        prop_assert_eq!(&Changeset::decode(&bytes).unwrap(), &changeset);
        prop_assert_eq!(changeset.clone().encode(), bytes);
    }

    #[test]
    fn a_changeset_survives_its_body(changeset in changeset(), compress in any::<bool>()) {
        let body = Body::seal(&changeset, compress);
        prop_assert_eq!(body.is_empty(), changeset.is_empty());
        if !changeset.is_empty() {
            prop_assert_eq!(&body.open(1 << 20).unwrap(), &changeset);
            prop_assert_eq!(&body.compressed(), &Body::seal(&changeset, true));
        }
    }

    /// Who extracts by weight sends nothing that a receiver with twice that limit refuses.
    #[test]
    fn what_weighs_half_the_limit_passes(changeset in changeset(), compress in any::<bool>()) {
        let names = |table: &TableChanges| table.name.len() + table.columns.concat().len();
        let rows = changeset.tables.iter().flat_map(|table| &table.rows);
        let weight = rows.map(RowChange::weight).sum::<usize>();
        let limit = 2 * (weight + changeset.tables.iter().map(names).sum::<usize>()) + 1024;
        prop_assert!(Body::seal(&changeset, compress).open(limit).is_ok());
    }

    #[test]
    fn every_prefix_is_an_error(changeset in changeset()) {
        let bytes = changeset.encode();
        for len in (0..bytes.len()).step_by((bytes.len() / 50).max(1)) {
            prop_assert!(Changeset::decode(&bytes[..len]).is_err(), "{} of {} bytes", len, bytes.len());
        }
        let mut longer = bytes;
        longer.push(0);
        prop_assert_eq!(Changeset::decode(&longer), Err(DecodeError::TrailingBytes(1)));
    }

    #[test]
    fn damaged_bytes_are_refused_or_well_formed(
        changeset in changeset(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = changeset.encode();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(decoded) = Changeset::decode(&bytes) {
            assert_well_formed(&decoded);
            // What was accepted has a canonical form.
            prop_assert_eq!(Changeset::decode(&decoded.encode()).unwrap(), decoded);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_well_formed(mut bytes in vec(any::<u8>(), 1..200)) {
        bytes[0] = 1;
        if let Ok(decoded) = Changeset::decode(&bytes) {
            assert_well_formed(&decoded);
        }
    }
}

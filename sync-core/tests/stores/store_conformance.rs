//! What every store of a hub does, in memory and in a file.

use crate::store_support::stores::AnyHub;
use crate::store_support::*;
use pocketsync_core::change::Changeset;
use pocketsync_core::id::{RowId, Scope};
use pocketsync_core::lineage::Cursor;
use pocketsync_core::store::{
    ChunkOutcome, Met, STAGING_BYTES, Store, StoreErrorKind, StoreReply, StoreRequest,
};
use pocketsync_core::value::Value;

const MIB: usize = 1 << 20;

#[test]
fn catching_up_costs_what_changed_however_often_it_changed() {
    for mut hub in AnyHub::both() {
        let rows = |round: u64, born: bool| {
            (0..100).map(|n| row(n, version(NOW + round, 1), born, &[(0, round as i64)])).collect()
        };
        committed(take(&mut hub, group(site(1), 0, 1, changes(rows(0, true))))).unwrap();
        let before = identify(&mut hub).head;
        for round in 1..=100 {
            committed(take(&mut hub, group(site(1), round, round + 1, changes(rows(round, false))))).unwrap();
        }
        let extracted = extract(&mut hub, site(2), before, 64 * MIB);
        assert_eq!((extracted.changeset.row_count(), extracted.to.seq), (100, 101));
        assert!(extracted.last);
        let table = &extracted.changeset.tables[0];
        assert_eq!(table.columns, ["a"], "only what changed");
        assert!(table.rows.iter().all(|row| row.life.is_empty() && row.cells.len() == 1));
        let whole = extract(&mut hub, site(2), Cursor::ZERO, 64 * MIB);
        assert_eq!(whole.changeset.row_count(), 100);
        assert!(whole.changeset.tables[0].rows.iter().all(|row| row.life.is_alive()));
    }
}

#[test]
fn who_is_caught_up_holds_whole_transactions() {
    for mut hub in AnyHub::both() {
        let pair = |ms, x: i64, y: i64| {
            let at = version(NOW + ms, 1);
            changes(vec![row(x, at, true, &[(0, ms as i64)]), row(y, at, true, &[(0, ms as i64)])])
        };
        take(&mut hub, group(site(1), 0, 1, pair(1, 1, 2)));
        // One row at a time: row 2 is at the end of the first transaction, row 1 moved to the second.
        let first = extract(&mut hub, site(2), Cursor::ZERO, 1);
        assert!(!first.last);
        take(&mut hub, group(site(1), 1, 2, pair(2, 1, 3)));
        let mut reader = device(2);
        let us = identify(&mut hub);
        let outcome = take(&mut reader, chunk(&us, Cursor::ZERO, &first));
        assert!(matches!(outcome, ChunkOutcome::Staged { .. }));
        assert!(reader.rows(&scope()).is_empty(), "nothing is shown of half a transaction");
        let mut after = first.to;
        loop {
            let next = extract(&mut hub, site(2), after.clone(), 1);
            let outcome = take(&mut reader, chunk(&us, after, &next));
            after = next.to.clone();
            if next.last {
                assert!(matches!(outcome, ChunkOutcome::Applied { .. }));
                break;
            }
        }
        let shown: Vec<_> = reader.rows(&scope())["t"].values().map(|cells| cells["a"].clone()).collect();
        assert_eq!(shown, [2, 1, 2].map(Value::Integer));
    }
}

#[test]
fn an_extract_resumes_inside_a_transaction() {
    for mut hub in AnyHub::both() {
        let rows = (0..50).map(|n| row(n, version(NOW, 1), true, &[(0, n), (1, n)])).collect();
        take(&mut hub, group(site(1), 0, 1, changes(rows)));
        let (mut after, mut ids) = (Cursor::ZERO, Vec::<RowId>::new());
        loop {
            let piece = extract(&mut hub, site(2), after, 200);
            assert!(piece.changeset.row_count() <= 4);
            ids.extend(piece.changeset.tables.iter().flat_map(|table| &table.rows).map(|row| row.id.clone()));
            assert_eq!(piece.to.within.is_empty(), piece.last);
            after = piece.to;
            // The mark outlives the engine that made it.
            hub.reopen();
            if piece.last {
                break;
            }
        }
        assert_eq!(ids.len(), 50);
        assert_eq!(sorted(ids), (0..50).map(key).collect::<Vec<_>>());
    }
}

#[test]
fn incomplete_groups_wait_durably() {
    for mut hub in AnyHub::both() {
        let mut pieces: Vec<_> = (0..3)
            .map(|n| group(site(1), n, n + 1, changes(vec![row(n as i64, version(NOW, 1), true, &[])])))
            .collect();
        pieces[0].last = false;
        pieces[1].last = false;
        let last = pieces.pop().unwrap();
        let held = last.from.clone();
        for piece in pieces {
            assert!(matches!(take(&mut hub, piece), ChunkOutcome::Staged { .. }));
        }
        hub.reopen();
        assert_eq!(identify(&mut hub).head, Cursor::ZERO);
        assert_eq!(identify(&mut hub).holdings[0].cursor, held, "what is staged is held");
        let committed = committed(take(&mut hub, last)).unwrap();
        assert_eq!((committed.to.seq, committed.delta.row_count()), (1, 3), "one transaction");
        assert_eq!(extract(&mut hub, site(2), Cursor::ZERO, MIB).changeset.row_count(), 3);
    }
}

#[test]
fn a_group_too_large_to_wait_for_is_merged_in_parts() {
    for mut hub in AnyHub::both() {
        let big = |n: i64| {
            let mut change = row(n, version(NOW, 1), true, &[(0, 0)]);
            change.cells[0].value = Value::Blob(vec![7; STAGING_BYTES * 2 / 5]);
            changes(vec![change])
        };
        let mut outcomes = Vec::new();
        for n in 0..5 {
            let mut piece = group(site(1), n, n + 1, big(n as i64));
            piece.last = n == 4;
            outcomes.push(take(&mut hub, piece));
        }
        let staged = |outcome: &ChunkOutcome| matches!(outcome, ChunkOutcome::Staged { .. });
        assert_eq!(outcomes.iter().map(staged).collect::<Vec<_>>(), [true, true, false, false, false]);
        assert_eq!(identify(&mut hub).head.seq, 3);
        // The next group waits again.
        let mut next = group(site(1), 5, 6, changes(vec![row(9, version(NOW, 1), true, &[])]));
        next.last = false;
        assert!(staged(&take(&mut hub, next)));
    }
}

#[test]
fn a_chunk_that_does_not_begin_where_we_stand_is_not_taken() {
    for mut hub in AnyHub::both() {
        let rows = |n| changes(vec![row(n, version(NOW, 1), true, &[])]);
        let outcomes = apply(
            &mut hub,
            vec![group(site(1), 0, 1, rows(1)), group(site(1), 2, 3, rows(3)), group(site(1), 1, 2, rows(2))],
        );
        let held = group(site(1), 1, 2, Changeset::default()).from;
        assert_eq!(outcomes[1], ChunkOutcome::Gap { held });
        assert!(committed(outcomes[2].clone()).is_some());
        let mut stranger = group(site(1), 2, 3, rows(4));
        stranger.from.stamp.0 += 1;
        assert!(matches!(take(&mut hub, stranger), ChunkOutcome::Gap { .. }));
        assert_eq!(extract(&mut hub, site(2), Cursor::ZERO, MIB).changeset.row_count(), 2);
    }
}

#[test]
fn duplicates_take_no_number() {
    for mut hub in AnyHub::both() {
        let rows = changes(vec![row(1, version(NOW, 1), true, &[(0, 5)])]);
        take(&mut hub, group(site(1), 0, 1, rows.clone()));
        assert_eq!(committed(take(&mut hub, group(site(2), 0, 1, rows.clone()))), None);
        // A sender that was told that something was lost begins again, and its position with it.
        take(&mut hub, group(site(1), 1, 2, Changeset::default()));
        let again = take(&mut hub, group(site(1), 0, 1, rows.clone()));
        let at = group(site(1), 1, 2, Changeset::default()).from;
        assert_eq!(again, ChunkOutcome::Applied { held: at, committed: None });
        let older = changes(vec![row(1, version(NOW - 1, 3), true, &[(0, 7)])]);
        assert_eq!(committed(take(&mut hub, group(site(3), 0, 1, older))), None);
        assert_eq!(identify(&mut hub).head.seq, 1);
    }
}

#[test]
fn nobody_is_told_what_came_from_there() {
    for mut hub in AnyHub::both() {
        take(&mut hub, group(site(1), 0, 1, changes(vec![row(1, version(NOW, 1), true, &[(0, 1), (1, 1)])])));
        take(&mut hub, group(site(2), 0, 1, changes(vec![row(1, version(NOW + 1, 2), false, &[(1, 2)])])));
        let to_one = extract(&mut hub, site(1), Cursor::ZERO, MIB);
        assert_eq!(to_one.to.seq, 2);
        let rows = &to_one.changeset.tables[0].rows;
        assert_eq!(to_one.changeset.tables[0].columns, ["b"]);
        assert!(rows[0].life.is_empty() && rows[0].cells.len() == 1);
        // What is left of the one's own birth is the birth; the cell was overwritten.
        let to_two = extract(&mut hub, site(2), Cursor::ZERO, MIB);
        assert_eq!(to_two.changeset.tables[0].columns, ["a"]);
        assert!(to_two.changeset.tables[0].rows[0].life.is_alive());
        // Once it holds that, it is not news that it was its own; a restored device gets it back.
        ack(&mut hub, site(1), to_one.to);
        assert_eq!(extract(&mut hub, site(1), Cursor::ZERO, MIB).changeset.tables[0].columns, ["a", "b"]);
    }
}

/// A life has one log number for birth and death: the birth that a peer tells must not hide from it
/// the death that others have told.
#[test]
fn who_tells_of_a_birth_hears_of_the_death() {
    for mut hub in AnyHub::both() {
        let mut death = row(1, version(NOW + 10, 1), false, &[]);
        death.life.died = Some(version(NOW + 10, 1));
        take(&mut hub, group(site(1), 0, 1, changes(vec![death])));
        let birth = changes(vec![row(1, version(NOW, 2), true, &[(0, 1)])]);
        let committed = committed(take(&mut hub, group(site(2), 0, 1, birth.clone()))).unwrap();
        assert!(committed.derived);
        let answer = extract(&mut hub, site(2), committed.from, MIB);
        let life = answer.changeset.tables[0].rows[0].life;
        assert_eq!((life.died, life.is_alive()), (Some(version(NOW + 10, 1)), false));
        assert!(answer.changeset.tables[0].rows[0].cells.is_empty(), "the cells are an echo");
        assert_eq!(answer.to, committed.to);
    }
}

#[test]
fn a_live_delta_says_what_an_extract_would() {
    for mut hub in AnyHub::both() {
        take(&mut hub, group(site(1), 0, 1, changes(vec![row(1, version(NOW, 1), true, &[(0, 1), (1, 9)])])));
        let mixed = changes(vec![
            row(1, version(NOW + 5, 2), false, &[(0, 2)]),
            row(2, version(NOW + 5, 2), true, &[(2, 3)]),
            row(1, version(NOW - 5, 2), false, &[(1, 3)]),
        ]);
        let committed = committed(take(&mut hub, group(site(2), 0, 1, mixed))).unwrap();
        let extracted = extract(&mut hub, site(3), committed.from, MIB);
        assert_eq!(extracted.changeset, committed.delta);
        assert_eq!(committed.delta.tables[0].columns, ["a", "c"]);
        assert_eq!(extracted.to, committed.to);
    }
}

#[test]
fn restored_hub_goes_back_and_its_devices_bring_what_it_lost() {
    for mut hub in AnyHub::both() {
        let (mut a, mut b) = (device(1), device(2));
        a.write(&scope(), NOW, |tx| tx.insert("t", &[("a", Value::Integer(1))]));
        sync(&mut a, &mut hub);
        sync(&mut b, &mut hub);
        hub.back_up();
        b.write(&scope(), NOW + 1, |tx| tx.insert("t", &[("a", Value::Integer(2))]));
        sync(&mut b, &mut hub);
        sync(&mut a, &mut hub);
        hub.restore();
        a.write(&scope(), NOW + 2, |tx| tx.insert("t", &[("a", Value::Integer(3))]));
        let us = identify(&mut a);
        let holding = us.holdings[0].clone();
        let Met::Resume(met) = run_meet(&mut hub, site(1), Some(holding), None, None) else { panic!() };
        assert!(met.rewound);
        assert_eq!(met.send_from.seq, 1, "the part before the backup is shared");
        // B, whose write it was, does not come back.
        sync(&mut a, &mut hub);
        let mut c = device(3);
        sync(&mut c, &mut hub);
        assert_eq!(c.rows(&scope())["t"].len(), 3);
        assert_eq!(c.states(&scope()), a.states(&scope()));
        sync(&mut b, &mut hub);
        assert_eq!(b.states(&scope()), a.states(&scope()));
    }
}

#[test]
fn a_scope_knows_nothing_of_another() {
    for mut hub in AnyHub::both() {
        take(&mut hub, group(site(1), 0, 1, changes(vec![row(1, version(NOW, 1), true, &[(0, 1)])])));
        let other = Scope::new("other").unwrap();
        let reply = run(&mut hub, StoreRequest::Identify { scope: other.clone() });
        let StoreReply::Identity(identity) = reply else { panic!() };
        assert_eq!((identity.head, identity.holdings.len()), (Cursor::ZERO, 0));
        let request = StoreRequest::Extract {
            scope: other.clone(),
            peer: site(2),
            after: Cursor::ZERO,
            max_bytes: MIB,
            not_after: None,
        };
        let StoreReply::Extracted(extracted) = run(&mut hub, request) else { panic!() };
        assert!(extracted.changeset.is_empty() && extracted.last);
        let chunk = group(site(1), 0, 1, changes(vec![row(1, version(NOW + 9, 1), true, &[(0, 9)])]));
        run(&mut hub, StoreRequest::Apply { scope: other, chunks: vec![chunk] });
        let here = extract(&mut hub, site(2), Cursor::ZERO, MIB);
        assert_eq!(here.changeset.tables[0].rows[0].cells[0].value, Value::Integer(1));
    }
}

#[test]
fn requests_that_do_not_fit_are_refused_whole() {
    for mut hub in AnyHub::both() {
        let good = group(site(1), 0, 1, changes(vec![row(1, version(NOW, 1), true, &[])]));
        let bad = group(site(1), 1, 2, changes(vec![row(2, version(NOW, 1), true, &[(7, 7)])]));
        let error = hub.run(StoreRequest::Apply { scope: scope(), chunks: vec![good, bad] }).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unsupported);
        assert_eq!(identify(&mut hub).head, Cursor::ZERO);
        let after = group(site(1), 5, 6, Changeset::default()).from;
        let error = hub
            .run(StoreRequest::Extract {
                scope: scope(),
                peer: site(1),
                after,
                max_bytes: MIB,
                not_after: None,
            })
            .unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unsupported, "not a position of this log");
    }
}

/// More openings than a lineage remembers: positions are still recognised, and a new device still
/// gets everything.
#[test]
fn a_hub_opened_a_hundred_times_serves_new_and_old_devices() {
    for mut hub in AnyHub::both() {
        for n in 0..100 {
            let rows = changes(vec![row(n as i64, version(NOW, 1), true, &[])]);
            take(&mut hub, group(site(1), n, n + 1, rows));
            hub.reopen();
        }
        let (mut a, mut b) = (device(2), device(3));
        sync_with(&mut a, &mut hub, 1);
        sync_pieces(&mut b, &mut hub, 1, 10);
        hub.reopen();
        sync(&mut b, &mut hub);
        assert_eq!(a.rows(&scope())["t"].len(), 100);
        assert_eq!(a.states(&scope()), b.states(&scope()));
    }
}

//! A device's store and a hub's store in memory: what a session makes of them.

use crate::store_support;
use crate::store_support::*;
use pocketsync_core::clock::Hlc;
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::lineage::{Cursor, Stamp};
use pocketsync_core::store::{ClockReading, MemoryStore, Met, StoreReply, StoreRequest, Transaction};
use pocketsync_core::value::Value;

#[test]
fn two_devices_and_a_hub_converge() {
    let mut hub = MemoryStore::hub(site(9), Stamp(90));
    let (mut a, mut b) = (device(1), device(2));
    a.write(&scope(), NOW, |tx| {
        let id = tx.insert("tag", &[("name", Value::text("work")), ("n", Value::Integer(1))]);
        tx.insert_natural("setting", [Value::text("theme")], &[("value", Value::text("dark"))]);
        id
    });
    sync(&mut a, &mut hub);
    sync(&mut b, &mut hub);
    assert_eq!(a.states(&scope()), b.states(&scope()));
    assert_eq!(a.rows(&scope()), hub.rows(&scope()));
    let id = RowId::Surrogate { site: site(1), counter: 1 };
    b.write(&scope(), NOW + 5, |tx| assert!(tx.update("tag", &id, &[("name", Value::text("home"))])));
    a.write(&scope(), NOW + 6, |tx| assert!(tx.delete("tag", &id)));
    sync(&mut b, &mut hub);
    sync(&mut a, &mut hub);
    sync(&mut b, &mut hub);
    assert_eq!(a.states(&scope()), b.states(&scope()));
    assert!(!a.rows(&scope()).contains_key("tag"), "a delete wins over a concurrent update");
}

/// A fold sees what a transaction comes to: a key that was free before and after it was not deleted,
/// and what others have under that key lives.
#[test]
fn a_row_that_comes_and_goes_in_one_transaction_leaves_nothing_behind() {
    let mut hub = MemoryStore::hub(site(9), Stamp(90));
    let (mut a, mut b) = (device(1), device(2));
    let key = || [Value::text("theme")];
    b.write(&scope(), NOW, |tx| tx.insert_natural("setting", key(), &[("value", Value::text("dark"))]));
    let come_and_go = |tx: &mut Transaction<'_>| {
        assert!(tx.insert_natural("setting", key(), &[("value", Value::text("light"))]));
        assert!(tx.delete("setting", &RowId::Natural(key().into())));
        let row = tx.insert("t", &[("x", Value::Integer(1))]);
        assert!(tx.delete("t", &row) && !tx.is_alive("t", &row));
    };
    let before = a.head(&scope());
    assert_eq!(a.write(&scope(), NOW + 5, come_and_go).0, before, "it came to nothing");
    assert!(a.states(&scope()).is_empty());
    sync(&mut b, &mut hub);
    sync(&mut a, &mut hub);
    sync(&mut b, &mut hub);
    assert_eq!(a.rows(&scope())["setting"].len(), 1);
    assert_eq!(a.states(&scope()), b.states(&scope()));

    // A row that was there before is deleted, whatever stood under its key in between.
    a.write(&scope(), NOW + 9, |tx| {
        assert!(tx.delete("setting", &RowId::Natural(key().into())));
        come_and_go(tx);
    });
    sync(&mut a, &mut hub);
    sync(&mut b, &mut hub);
    assert!(b.rows(&scope()).is_empty());
}

/// A cell that changed early, in a row that changed again late, is told although the extract is
/// cut between the two.
#[test]
fn an_extract_cut_between_two_changes_of_a_row_tells_both() {
    let mut hub = MemoryStore::hub(site(9), Stamp(90));
    let mut a = device(1);
    let row = a.write(&scope(), NOW, |tx| tx.insert("t", &[("x", Value::Integer(1))])).1;
    for n in 0..20 {
        a.write(&scope(), NOW + n, |tx| tx.insert("t", &[("x", Value::Integer(n as i64))]));
    }
    a.write(&scope(), NOW + 50, |tx| tx.update("t", &row, &[("y", Value::Integer(2))]));
    sync_with(&mut a, &mut hub, 1);
    assert_eq!(a.states(&scope()), hub.states(&scope()));
}

#[test]
fn restored_device_takes_a_new_site_and_mints_only_the_unshared_part_anew() {
    let mut hub = MemoryStore::hub(site(9), Stamp(90));
    let mut a = device(1);
    let shared = a.write(&scope(), NOW, |tx| tx.insert("t", &[("x", Value::Integer(1))])).1;
    sync(&mut a, &mut hub);
    let mut restored = a.clone();
    let lost = a.write(&scope(), NOW + 1, |tx| tx.insert("t", &[("x", Value::Integer(2))])).1;
    sync(&mut a, &mut hub);

    restored.reopen(Stamp(1001));
    restored.write(&scope(), NOW + 2, |tx| {
        let parent = tx.insert("t", &[("x", Value::Integer(3))]);
        tx.insert("child", &[("parent", Value::Ref(Box::new(parent.clone())))]);
        tx.insert_natural("link", [Value::Ref(Box::new(parent))], &[]);
        tx.delete("t", &shared);
    });
    let before = restored.states(&scope());
    assert_eq!(before["t"].keys().filter(|id| **id == lost).count(), 1, "the integer is used twice");
    let met = meet(&mut restored, &mut hub);
    let Met::Forked { site: new } = met else { panic!("{met:?}") };
    assert_ne!(new, site(1));
    let fresh = RowId::Surrogate { site: new, counter: 2 };
    let states = restored.states(&scope());
    assert_eq!(states["t"].keys().cloned().collect::<Vec<_>>(), sorted(vec![shared.clone(), fresh.clone()]));
    let died = states["t"][&shared].life;
    assert_eq!((died.born.unwrap().site, died.died.unwrap().site), (site(1), new));
    let reference = Value::Ref(Box::new(fresh));
    assert_eq!(states["child"].values().next().unwrap().cells["parent"].value, reference);
    assert_eq!(states["link"].keys().next(), Some(&RowId::Natural([reference].into())));

    sync(&mut restored, &mut hub);
    assert_eq!(restored.states(&scope()), hub.states(&scope()));
    assert!(hub.rows(&scope())["t"].contains_key(&lost), "the lost write came back");
    assert_eq!(hub.rows(&scope())["t"].len(), 2);
    let mut third = device(3);
    sync(&mut third, &mut hub);
    assert_eq!(third.states(&scope()), hub.states(&scope()));
}

#[test]
fn restored_device_that_first_meets_a_peer_finds_out_too() {
    let mut hub = MemoryStore::hub(site(9), Stamp(90));
    let (mut a, mut b) = (device(1), device(2));
    a.write(&scope(), NOW, |tx| tx.insert("t", &[("x", Value::Integer(1))]));
    let mut restored = a.clone();
    sync(&mut a, &mut hub);
    sync(&mut b, &mut hub);
    restored.reopen(Stamp(1001));
    assert!(matches!(meet(&mut restored, &mut b), Met::Forked { .. }));
}

#[test]
fn a_device_opened_a_hundred_times_offline_is_no_clone() {
    let mut hub = MemoryStore::hub(site(9), Stamp(90));
    let mut a = device(1);
    a.write(&scope(), NOW, |tx| tx.insert("t", &[]));
    sync(&mut a, &mut hub);
    for n in 0..100 {
        a.reopen(Stamp(1000 + n));
        a.write(&scope(), NOW + n, |tx| tx.insert("t", &[]));
    }
    assert!(matches!(meet(&mut a, &mut hub), Met::Resume(_)));
    sync(&mut a, &mut hub);
    assert_eq!(hub.rows(&scope())["t"].len(), 101);
    assert_eq!(a.site(&scope()), site(1));
}

#[test]
fn restored_hub_gets_back_what_it_lost_from_every_device_that_has_it() {
    let mut hub = MemoryStore::hub(site(9), Stamp(90));
    let (mut a, mut b) = (device(1), device(2));
    a.write(&scope(), NOW, |tx| tx.insert("t", &[("x", Value::Integer(1))]));
    sync(&mut a, &mut hub);
    sync(&mut b, &mut hub);
    let backup = hub.clone();
    a.write(&scope(), NOW + 1, |tx| tx.insert("t", &[("x", Value::Integer(2))]));
    sync(&mut a, &mut hub);
    sync(&mut b, &mut hub);
    hub = backup;
    hub.reopen(Stamp(91));
    // A never returns. B, which only ever read, has it.
    let mut c = device(3);
    c.write(&scope(), NOW + 2, |tx| tx.insert("t", &[("x", Value::Integer(3))]));
    sync(&mut c, &mut hub);
    sync(&mut b, &mut hub);
    assert_eq!(hub.rows(&scope())["t"].len(), 3);
    assert_eq!(hub.states(&scope()), b.states(&scope()));
    sync(&mut c, &mut hub);
    assert_eq!(hub.states(&scope()), c.states(&scope()));
}

/// Rows move to the head as they change, and back in a hub that is restored: a mark in the middle
/// of an extract of the lost future has passed them where they were not.
#[test]
fn restored_hub_goes_back_although_it_knows_the_number_of_a_mark() {
    let mut hub = MemoryStore::hub(site(9), Stamp(90));
    let (mut a, mut b) = (device(1), device(2));
    let row = a.write(&scope(), NOW, |tx| tx.insert("t", &[("x", Value::Integer(1))])).1;
    sync(&mut a, &mut hub);
    a.write(&scope(), NOW, |tx| tx.insert("t", &[("x", Value::Integer(2))]));
    sync(&mut a, &mut hub);
    let backup = hub.clone();
    a.write(&scope(), NOW + 1, |tx| tx.update("t", &row, &[("x", Value::Integer(3))]));
    sync(&mut a, &mut hub);
    sync_pieces(&mut b, &mut hub, 1, 1);
    hub = backup;
    hub.reopen(Stamp(91));
    sync(&mut b, &mut hub);
    assert_eq!(b.states(&scope()), hub.states(&scope()));
    assert_eq!(b.rows(&scope())["t"].len(), 2);
}

/// What is acknowledged under the old site is public; what was offered, and is minted anew all the
/// same, is told back by whoever has it.
#[test]
fn a_fork_found_by_a_second_peer_leaves_the_first_one_in_step() {
    for pieces in [1, usize::MAX] {
        let mut hub = MemoryStore::hub(site(9), Stamp(90));
        let (mut a, mut b) = (device(1), device(2));
        b.write(&scope(), NOW, |tx| tx.insert("t", &[("x", Value::Integer(1))]));
        let backup = a.clone();
        sync_peers(&mut b, &mut a);
        a = backup;
        a.reopen(Stamp(1001));
        a.write(&scope(), NOW + 1, |tx| tx.insert("t", &[("x", Value::Integer(2))]));
        // The hub takes it; the acknowledgement of the rest of a larger one is lost.
        let offered = extract(&mut a, site(9), Cursor::ZERO, 1 << 20);
        if pieces > 1 {
            sync(&mut a, &mut hub);
        } else {
            let chunk = chunk(&identify(&mut a), Cursor::ZERO, &offered);
            take(&mut hub, chunk);
            let skipped = extract(&mut hub, site(1), Cursor::ZERO, 1 << 20);
            assert!(skipped.changeset.is_empty(), "an echo");
            let chunk = store_support::chunk(&identify(&mut hub), Cursor::ZERO, &skipped);
            take(&mut a, chunk);
        }
        sync_peers(&mut b, &mut a);
        assert_ne!(a.site(&scope()), site(1));
        for _ in 0..2 {
            sync(&mut a, &mut hub);
            sync(&mut b, &mut hub);
        }
        assert_eq!(a.states(&scope()), hub.states(&scope()));
        assert_eq!(b.states(&scope()), hub.states(&scope()));
        // Without the acknowledgement nobody can know that it is public: it is there twice.
        assert_eq!(a.rows(&scope())["t"].len(), if pieces > 1 { 2 } else { 3 });
    }
}

/// The link is lost after the hub's rewinding became known, before anything was sent again.
#[test]
fn a_link_lost_in_the_middle_of_sending_again_loses_nothing() {
    let mut hub = MemoryStore::hub(site(9), Stamp(90));
    let (mut a, mut b) = (device(1), device(2));
    let backup = hub.clone();
    for n in 0..10 {
        a.write(&scope(), NOW + n, |tx| tx.insert("t", &[("x", Value::Integer(n as i64))]));
        sync(&mut a, &mut hub);
        sync(&mut b, &mut hub);
        b.write(&scope(), NOW + n, |tx| tx.insert("u", &[]));
        sync(&mut b, &mut hub);
    }
    hub = backup;
    hub.reopen(Stamp(91));
    let Met::Resume(_) = meet(&mut b, &mut hub) else { panic!() };
    for pieces in [0, 1, 2] {
        sync_pieces(&mut b, &mut hub, 1, pieces);
    }
    sync(&mut b, &mut hub);
    assert_eq!(hub.states(&scope()), b.states(&scope()));
    assert_eq!(hub.rows(&scope())["t"].len(), 10);
}

#[test]
fn what_was_never_offered_is_restamped_and_what_was_is_not() {
    let mut a = device(1);
    let ahead = NOW + 10 * 365 * 86_400_000;
    let row = a.write(&scope(), ahead, |tx| tx.insert("t", &[("x", Value::Integer(1))])).1;
    let offered = extract(&mut a, site(9), Cursor::ZERO, 1 << 20);
    a.write(&scope(), ahead + 1000, |tx| tx.update("t", &row, &[("x", Value::Integer(2))]));
    a.write(&scope(), ahead + 2000, |tx| tx.insert("t", &[("x", Value::Integer(3))]));
    correct(&mut a, NOW as i64 - ahead as i64, NOW + 3000);
    let states = a.states(&scope());
    let overwritten = offered.changeset.tables[0].rows[0].cells[0].version;
    let kept = &states["t"][&row];
    assert_eq!(kept.life.born, Some(overwritten), "it was offered");
    assert!(kept.cells["x"].version > overwritten, "never below what it overwrote");

    let mut b = device(2);
    let row = b.write(&scope(), ahead, |tx| tx.insert("t", &[("x", Value::Integer(1))])).1;
    b.write(&scope(), ahead + 2000, |tx| tx.update("t", &row, &[("x", Value::Integer(2))]));
    correct(&mut b, NOW as i64 - ahead as i64, NOW + 3000);
    let state = b.states(&scope())["t"][&row].clone();
    assert_eq!(state.life.born.unwrap().hlc.ms(), NOW);
    assert_eq!(state.cells["x"].version.hlc.ms(), NOW + 2000);
    // The offset holds for later folds, and the same reading moves nothing twice.
    correct(&mut b, NOW as i64 - ahead as i64, NOW + 3500);
    assert_eq!(b.states(&scope())["t"][&row], state);
    b.write(&scope(), ahead + 4000, |tx| tx.update("t", &row, &[("x", Value::Integer(3))]));
    assert_eq!(b.states(&scope())["t"][&row].cells["x"].version.hlc.ms(), NOW + 4000);
}

#[test]
fn what_was_written_before_the_clock_jumped_is_only_bounded() {
    let mut a = device(1);
    let early = a.write(&scope(), NOW - 5000, |tx| tx.insert("t", &[])).1;
    jump(&mut a);
    let late = a.write(&scope(), NOW - 5000 + 86_400_000, |tx| tx.insert("t", &[])).1;
    correct(&mut a, -86_400_000, NOW);
    let states = a.states(&scope());
    assert_eq!(states["t"][&early].life.born.unwrap().hlc.ms(), NOW - 5000);
    assert_eq!(states["t"][&late].life.born.unwrap().hlc.ms(), NOW - 5000);
    assert!(states["t"][&late].life.born > states["t"][&early].life.born);
}

#[test]
fn a_correction_stays_above_what_was_knowingly_overwritten() {
    let (mut a, mut b) = (device(1), device(2));
    let row = b.write(&scope(), NOW + 60_000, |tx| tx.insert("t", &[("x", Value::Integer(1))])).1;
    push(&mut b, &mut a);
    a.write(&scope(), NOW, |tx| tx.update("t", &row, &[("x", Value::Integer(2))]));
    let before = b.states(&scope())["t"][&row].cells["x"].version;
    correct(&mut a, -3_600_000, NOW - 3_600_000);
    assert!(a.states(&scope())["t"][&row].cells["x"].version > before);
}

#[test]
fn what_a_peer_would_refuse_as_too_late_is_not_offered_and_so_can_be_corrected() {
    let mut a = device(1);
    a.write(&scope(), NOW, |tx| tx.insert("t", &[]));
    let asked = |after, not_after| StoreRequest::Extract {
        scope: scope(),
        peer: site(9),
        after,
        max_bytes: 1 << 20,
        not_after: Some(Hlc::from_ms(not_after)),
    };
    let StoreReply::Extracted(first) = run(&mut a, asked(Cursor::ZERO, NOW + 300_000)) else { panic!() };
    let year = NOW + 31_536_000_000;
    let late = a.write(&scope(), year, |tx| tx.insert("t", &[])).1;
    assert_eq!(run(&mut a, asked(first.to.clone(), NOW + 300_500)), StoreReply::Ahead);
    jump(&mut a);
    correct(&mut a, NOW as i64 - year as i64, NOW + 1000);
    assert_eq!(a.states(&scope())["t"][&late].life.born.unwrap().hlc.ms(), NOW + 1000);
    let StoreReply::Extracted(second) = run(&mut a, asked(first.to, NOW + 301_000)) else { panic!() };
    assert_eq!(second.changeset.row_count(), 1);
}

fn correct(store: &mut MemoryStore, offset_ms: i64, peer_wall_ms: u64) {
    let clock = ClockReading { offset_ms, peer_wall_ms, max_drift_ms: 300_000, compared_at: None };
    let met = run_meet(store, SiteId::from_bytes([9; 16]), None, None, Some(clock));
    assert!(matches!(met, Met::Resume(_)));
}

//! Bundles back and forth between files.

use std::collections::BTreeSet;

use pocketsync_core::bundle::{BundleError, ExportOptions};
use pocketsync_core::id::Scope;

use super::stick::{Machine, for_anyone, importing, now, scope};

fn code(result: Result<impl std::fmt::Debug, BundleError>) -> &'static str {
    let error = result.unwrap_err();
    assert!(error.code() == "io" || error.way_out().is_some() || error.code() == "other_scope", "{error}");
    error.code()
}

#[test]
fn what_one_file_has_another_takes_once() {
    let (a, b) = (Machine::new(), Machine::new());
    (0..20).for_each(|n| a.note(&format!("a{n}")));
    b.note("b");
    let bundle = a.export(&for_anyone());
    let first = b.import(&bundle).unwrap();
    assert_eq!((first.sender, first.known, first.rows, first.changed_rows), (a.site(), false, 20, 20));
    let again = b.import(&bundle).unwrap();
    assert_eq!((again.known, again.rows, again.changed_rows), (true, 0, 0));
    assert_eq!(b.count(), 21);
    // The answer has what is new, and says what has arrived.
    let (answer, exported) = b.exported(&for_anyone().for_peer(first.sender));
    assert_eq!(exported.rows, 1, "what came from there is left out");
    a.import(&answer).unwrap();
    assert!(a.holds_the_same_as(&b));
    let (_, next) = a.exported(&for_anyone().for_peer(b.site()));
    assert_eq!(next.rows, 0, "all of it is known to have arrived");
    a.note("later");
    let (bundle, next) = a.exported(&for_anyone().for_peer(b.site()));
    assert_eq!(next.rows, 1);
    b.import(&bundle).unwrap();
    assert!(a.holds_the_same_as(&b));
}

#[test]
fn an_import_that_is_cut_off_goes_on_where_it_was() {
    let (a, mut b) = (Machine::new(), Machine::new());
    (0..30).for_each(|n| a.note(&format!("note {n} with some words")));
    let bundle = a.export(&for_anyone());
    assert_eq!(code(b.import_cut_off(&bundle, bundle.len() * 3 / 2)), "io");
    assert_eq!(b.count(), 0, "a transaction is shown whole or not at all");
    let rest = b.import(&bundle).unwrap();
    assert!(rest.rows < 30, "{rest:?}");
    assert!(a.holds_the_same_as(&b));
    // Another bundle does as well, although the first one is in the middle.
    let mut c = Machine::new();
    assert_eq!(code(c.import_cut_off(&bundle, bundle.len() * 3 / 2)), "io");
    a.note("one more");
    c.import(&a.export(&for_anyone())).unwrap();
    assert!(a.holds_the_same_as(&c));
    assert!(c.import(&bundle).unwrap().known);
}

#[test]
fn bundles_may_build_on_each_other() {
    let (a, b) = (Machine::new(), Machine::new());
    a.note("first");
    let (monday, exported) = a.exported(&for_anyone());
    a.note("second");
    let since = for_anyone().since(exported.to.clone());
    let (tuesday, next) = a.exported(&since);
    assert_eq!((next.rows, &next.from), (1, &exported.to));
    assert_eq!(code(b.import(&tuesday)), "gap");
    b.import(&monday).unwrap();
    b.import(&tuesday).unwrap();
    assert!(a.holds_the_same_as(&b));
    assert!(b.import(&monday).unwrap().known, "an older one is no news");
    assert_eq!(code(b.replica().export(Vec::new(), &since)), "unknown_position");
}

#[test]
fn what_is_not_for_this_file_is_refused_and_changes_nothing() {
    let (a, b, c) = (Machine::new(), Machine::new(), Machine::new());
    a.note("a");
    assert_eq!(code(a.import(&a.export(&for_anyone()))), "own");
    let bundle = a.export_for(&b);
    assert_eq!(code(c.import(&bundle)), "other_recipient");
    let elsewhere = ExportOptions::new(Scope::new("letters").unwrap(), now());
    assert_eq!(code(b.import(&a.export(&elsewhere))), "other_scope");
    let past = pocketsync_core::clock::Now { wall_ms: now().wall_ms - 3_600_000, ..now() };
    let early = pocketsync_core::bundle::ImportOptions::new(scope(), past);
    let refused = b.replica().import(std::io::Cursor::new(&bundle), &early);
    assert_eq!(code(refused), "clock_ahead");
    for file in [&b, &c] {
        assert!(file.notes().is_empty());
    }
    assert_eq!(b.import(&bundle).unwrap().changed_rows, 1);
    let untracked = tempfile::tempdir().unwrap();
    let path = untracked.path().join("plain.db");
    pocketsync_core::rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
    let plain = pocketsync_core::store::sqlite::Replica::open(&path, Default::default()).unwrap();
    for error in [
        plain.export(Vec::new(), &for_anyone()).unwrap_err(),
        plain.import(std::io::Cursor::new(&bundle), &importing()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("tracked"), "{error}");
    }
}

#[test]
fn a_restored_sender_is_found_out_and_comes_back() {
    let (mut a, b) = (Machine::new(), Machine::new());
    a.note("old");
    let backup = a.backup();
    a.note("lost by the restore");
    b.import(&a.export(&for_anyone())).unwrap();
    a.restore(&backup);
    a.note("new, under a number that was used");
    assert_eq!(code(b.import(&a.export_for(&b))), "sender_forked");
    let site = a.site();
    let imported = a.import(&b.export(&for_anyone())).unwrap();
    assert!(imported.new_site.is_some() && a.site() != site);
    b.import(&a.export_for(&b)).unwrap();
    assert!(a.holds_the_same_as(&b));
    let all = ["old", "lost by the restore", "new, under a number that was used"];
    assert_eq!(b.notes(), all.iter().map(|&note| note.to_owned()).collect::<BTreeSet<_>>());
}

#[test]
fn a_restored_receiver_is_not_kept_from_what_it_had_written() {
    let (mut a, b) = (Machine::new(), Machine::new());
    let backup = a.backup();
    a.note("lost by the restore");
    b.import(&a.export(&for_anyone())).unwrap();
    b.note("b");
    a.restore(&backup);
    // What came from it is left out of what is for it.
    assert_eq!(code(a.import(&b.export_for(&a))), "other_recipient");
    let again = b.export_for(&a);
    assert_eq!(a.import(&again).unwrap().changed_rows, 2);
    assert!(a.holds_the_same_as(&b));
}

#[test]
fn a_receiver_that_lost_what_it_had_taken_says_so_by_its_own_bundle() {
    let (a, mut b) = (Machine::new(), Machine::new());
    b.note("b");
    let backup = b.backup();
    a.note("first");
    b.import(&a.export(&for_anyone())).unwrap();
    a.import(&b.export_for(&a)).unwrap();
    b.restore(&backup);
    a.note("second");
    let code = code(b.import(&a.export_for(&b)));
    assert!(code == "gap" || code == "other_recipient", "{code}");
    a.import(&b.export_for(&a)).unwrap();
    b.import(&a.export_for(&b)).unwrap();
    assert!(a.holds_the_same_as(&b));
    assert_eq!(b.count(), 3);
}

#[test]
fn copies_of_one_file_part_at_a_third() {
    let (mut a, mut b, c) = (Machine::new(), Machine::new(), Machine::new());
    a.note("common");
    let copy = a.backup();
    b.restore(&copy);
    a.note("of a");
    b.note("of b");
    assert_eq!(code(b.import(&a.export(&for_anyone()))), "own");
    c.import(&a.export(&for_anyone())).unwrap();
    assert_eq!(code(c.import(&b.export(&for_anyone()))), "sender_forked");
    assert!(b.import(&c.export(&for_anyone())).unwrap().new_site.is_some());
    c.import(&b.export_for(&c)).unwrap();
    a.import(&c.export_for(&a)).unwrap();
    for file in [&a, &b] {
        assert!(file.holds_the_same_as(&c));
        assert_eq!(file.count(), 3);
    }
}

#[test]
fn what_a_restored_file_wrote_is_not_mixed_with_what_others_heard_of_it() {
    let (mut a, b, c) = (Machine::new(), Machine::new(), Machine::new());
    a.note("old");
    let backup = a.backup();
    a.note("row two");
    b.import(&a.export(&for_anyone())).unwrap();
    // C hears of it through B alone, and so of no position of A's.
    c.import(&b.export(&for_anyone())).unwrap();
    a.restore(&backup);
    a.note("another row two");
    for _ in 0..2 {
        c.import(&a.export(&for_anyone())).unwrap();
    }
    assert_eq!(c.count(), 3, "they are numbered apart");
    assert_eq!(
        code(b.import(&a.export(&for_anyone()))),
        "sender_forked",
        "B has positions of A's that A has not"
    );
    assert!(a.import(&c.export(&for_anyone())).unwrap().new_site.is_some());
    c.import(&a.export_for(&c)).unwrap();
    b.import(&a.export_for(&b)).unwrap();
    assert!(a.holds_the_same_as(&b));
    assert!(a.holds_the_same_as(&c));
    assert_eq!(c.notes().len(), 3);
    assert_eq!(c.count(), 3);
}

#[test]
fn an_old_bundle_is_good_whatever_was_heard_since() {
    let (a, b, c) = (Machine::new(), Machine::new(), Machine::new());
    a.note("first");
    let old = a.export(&for_anyone());
    a.sql("UPDATE note SET text = 'changed'; INSERT INTO note(text) VALUES('second')");
    b.import(&a.export(&for_anyone())).unwrap();
    c.import(&b.export(&for_anyone())).unwrap();
    c.import(&old).unwrap();
    assert!(c.holds_the_same_as(&a));
}

#[test]
fn an_old_bundle_that_speaks_of_forgotten_times_costs_no_name() {
    let (mut a, b) = (Machine::new(), Machine::new());
    a.note("first");
    b.import(&a.export(&for_anyone())).unwrap();
    b.note("b");
    let old = b.export(&for_anyone());
    a.import(&old).unwrap();
    b.note("later");
    a.import(&b.export(&for_anyone())).unwrap();
    // More openings with something to tell than are remembered.
    for n in 0..70 {
        a.note(&format!("note {n}"));
        a.export(&for_anyone());
        a.reopen();
    }
    let site = a.site();
    assert!(a.import(&old).unwrap().known);
    assert_eq!(a.site(), site);
}

#[test]
fn a_stick_goes_round_and_nobody_has_to_be_told_twice() {
    let files = [Machine::new(), Machine::new(), Machine::new()];
    for (n, file) in files.iter().enumerate() {
        file.note(&format!("of {n}"));
    }
    for _ in 0..2 {
        for n in 0..3 {
            let (from, to) = (&files[n], &files[(n + 1) % 3]);
            to.import(&from.export_for(to)).unwrap();
        }
    }
    for file in &files {
        assert!(file.holds_the_same_as(&files[0]));
        assert_eq!(file.count(), 3);
    }
}

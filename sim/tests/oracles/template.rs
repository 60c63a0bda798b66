//! no_lost_write, no_zombies and whole_transactions, of rows that the schema itself inserts.

use crate::told::verdict_with_template;

const ALL: &str = "list home Home, list work Work, item tour @work Take-the-tour null, setting k1 light";

#[track_caller]
fn passes(history: &str) {
    assert_eq!(verdict_with_template(history), None);
}

#[track_caller]
fn caught_by(oracle: &str, history: &str) {
    let found = verdict_with_template(history);
    assert_eq!(found.as_ref().map(|(name, _)| name.as_str()), Some(oracle), "{found:?}");
}

#[test]
fn rows_of_the_schema_are_there_although_nobody_wrote_them() {
    passes(&format!("20 look d0: {ALL}\n 90 settled d0: {ALL} | d1: {ALL}"));
    caught_by("no_lost_write", "90 settled d0: list home Home | d1: list home Home");
}

#[test]
fn they_are_not_lost_with_a_device() {
    passes(&format!("10 d0 started\n 20 d0 lost\n 90 settled d1: {ALL}"));
    caught_by("no_lost_write", "10 d0 started\n 20 d0 lost\n 90 settled d1: list home Home");
}

#[test]
fn they_show_what_the_schema_put_there_until_somebody_writes() {
    let shows = |home: &str| ALL.replace("home Home", &format!("home {home}"));
    caught_by("no_lost_write", &format!("90 settled d0: {}", shows("Work")));
    let renamed = "10 d0 t1 ~ list home name Home>w1\n";
    passes(&format!("{renamed} 90 settled d0: {0} | d1: {0}", shows("w1")));
    caught_by("no_lost_write", &format!("{renamed} 90 settled d1: {ALL} | d2: {ALL}"));
    caught_by("causality", &format!("{renamed} 90 settled d0: {ALL} | d1: {ALL}"));
}

#[test]
fn a_device_that_begins_late_does_not_bring_back_what_was_deleted() {
    let deleted = "10 d0 t1 - list home Home\n 20 d1 started\n";
    let others = ALL.strip_prefix("list home Home, ").unwrap();
    passes(&format!("{deleted} 30 look d1: {ALL}\n 90 settled d0: {others} | d1: {others}"));
    caught_by("no_zombies", &format!("{deleted} 90 settled d0: {ALL} | d1: {ALL}"));
}

#[test]
fn a_key_that_is_inserted_anew_lives() {
    let anew = "10 d0 t1 - setting k1 light\n 20 d1 t2 + setting k1 w2\n";
    let all = ALL.replace("k1 light", "k1 w2");
    passes(&format!("{anew} 90 settled d0: {all} | d1: {all}"));
}

#[test]
fn they_are_one_row_each_and_not_one_a_device() {
    caught_by("no_zombies", &format!("90 settled d1: {}", ALL.replace("home Home", "home Home x2")));
}

//! convergence, liveness, honest_status, journal_empties, constraints.

use crate::told::{caught_by, passes, verdict};

const ONE: &str = "1 d0 started\n 1 d1 started\n 10 d0 t1 + list r1 w1\n";

#[test]
fn what_triggers_derive_follows_from_the_tables() {
    passes("10 d0 t1 + list r1 w1\n 20 look d0: list r1 w1");
    caught_by("derived", "10 d0 t1 + list r1 w1\n 20 look d0[derived=a size is wrong]: list r1 w1");
}

#[test]
fn everyone_shows_the_same_in_the_end() {
    passes(&format!("{ONE} 90 settled d0: list r1 w1 | d1: list r1 w1"));
    let two = format!("{ONE} 11 d1 t2 ~ list r1 name w1>w2\n 12 d0 t3 ~ list r1 name w1>w3\n");
    caught_by("convergence", &format!("{two} 90 settled d0: list r1 w2 | d1: list r1 w3"));
    caught_by("convergence", &format!("{ONE} 90 settled d0: list r1 w1 | d1: -"));
    caught_by("convergence", &format!("{ONE} 90 settled d0: list r1 w1 | d1[parked=1]: list r1 w1"));
    caught_by("convergence", &format!("{ONE} 90 settled d0: list r1 w1 | d1[clock=other]: list r1 w1"));
}

#[test]
fn an_integer_that_no_key_holds_means_the_same_whoever_stands_under_it() {
    let told = "10 d0 t1 + list r1 w1; + list r2 w2; + item r3 ?3 w3 w4\n";
    let lists = "list r1 w1, list r2 w2";
    let looks = |phase: &str, here: &str, there: &str| {
        let item = |shown: &str| format!("{lists}, item r3 {shown} w3 w4");
        format!("{told} 20 {phase} d0: {} | d1: {}", item(here), item(there))
    };
    for phase in ["look", "settled"] {
        passes(&looks(phase, "?3=3", "@r1=3"));
        passes(&looks(phase, "@r1=3", "?3=3"));
        passes(&looks(phase, "@r1=3", "@r2=3"));
    }
    let differ = |here: &str, there: &str| {
        let found = verdict(&looks("settled", here, there)).map(|(oracle, what)| format!("{oracle}: {what}"));
        let rows = "convergence: on d0 and d1, item r3.list is";
        assert!(found.as_ref().is_some_and(|what| what.starts_with(rows)), "{here} and {there}: {found:?}");
    };
    // Another integer.
    differ("?3=3", "?4=4");
    differ("?3=3", "@r1=4");
    // References that are held, to different rows, whatever the integer; and one that only one of them holds.
    differ("@r1", "@r2");
    differ("@r1", "?3");
    differ("@r1", "?3=3");
    differ("?3=3", "@r1");
    differ("@-", "?3=3");
}

#[test]
fn until_then_they_may_differ() {
    passes(&format!("{ONE} 90 look d0: list r1 w1 | d1: -"));
}

#[test]
fn whoever_has_not_got_there_in_time_is_named() {
    caught_by("liveness", &format!("{ONE} 20 quiet\n 90 settled d0: list r1 w1 | d1[offline]: -"));
    caught_by("liveness", &format!("{ONE} 20 quiet\n 90 settled d0: list r1 w1 | d1[behind]: list r1 w1"));
    caught_by("liveness", &format!("{ONE} 20 quiet\n 90 settled d0: list r1 w1"));
    caught_by("liveness", &format!("{ONE} 20 quiet\n 200000 settled d0: list r1 w1 | d1: list r1 w1"));
    passes(&format!("{ONE} 20 quiet\n 30 d1 lost\n 90 settled d0: list r1 w1"));
}

#[test]
fn whoever_has_everything_says_so() {
    caught_by("honest_status", &format!("{ONE} 90 settled d0: list r1 w1 | d1[offline]: list r1 w1"));
}

#[test]
fn whoever_says_in_sync_has_nothing_pending() {
    caught_by("honest_status", &format!("{ONE} 90000 look d0[pending=1]: list r1 w1 | d1: list r1 w1"));
    passes(&format!("{ONE} 90000 look d0[pending=1,offline]: list r1 w1 | d1: list r1 w1"));
    caught_by("honest_status", &format!("{ONE} 90000 look d0[journal=2]: list r1 w1"));
    passes(&format!("{ONE} 1000 look d0[journal=2]: list r1 w1"));
}

#[test]
fn what_was_written_long_ago_on_a_device_in_sync_has_reached_the_others() {
    caught_by("honest_status", &format!("{ONE} 90000 look d0: list r1 w1 | d1: -"));
    passes(&format!("{ONE} 1000 look d0: list r1 w1 | d1: -"));
    passes(&format!("{ONE} 90000 look d0[offline]: list r1 w1 | d1: -"));
    passes(&format!("{ONE} 90000 look d0: list r1 w1 | d1[offline]: -"));
    passes(&format!("{ONE} 80000 hub crashed\n 90000 look d0: list r1 w1 | d1: -"));
    let updated = format!("{ONE} 20 d0 t2 ~ list r1 name w1>w2\n");
    caught_by("honest_status", &format!("{updated} 90000 look d0: list r1 w2 | d1: list r1 w1"));
}

#[test]
fn nothing_is_kept_aside_in_the_end() {
    caught_by("journal_empties", &format!("{ONE} 90 settled d0: list r1 w1 | d1[journal=3]: list r1 w1"));
    caught_by("journal_empties", &format!("{ONE} 90 settled d0: list r1 w1 | d1[staged=3]: list r1 w1"));
    passes(&format!("{ONE} 90 look d0: list r1 w1 | d1[journal=3,staged=3,offline]: list r1 w1"));
}

#[test]
fn a_database_has_nothing_to_complain_of() {
    caught_by("constraints", &format!("{ONE} 90 look d0: list r1 w1 | d1[broken]: list r1 w1"));
}

#[test]
fn the_same_state_shows_the_same_rows_at_any_time() {
    let told = "10 d0 t1 + list r1 w1; + list r2 w2\n";
    passes(&format!("{told} 20 look d0: list r1 w1, list r2 w2 | d1: list r1 w1, list r2 w2"));
}

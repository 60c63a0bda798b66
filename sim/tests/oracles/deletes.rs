//! no_zombies.

use crate::told::{caught_by, passes};

const DELETED: &str = "10 d0 t1 + list r1 w1\n 20 d1 t2 - list r1 w1\n";

#[test]
fn a_deleted_row_is_gone_in_the_end() {
    passes(&format!("{DELETED} 90 settled d0: - | d1: -"));
    caught_by("no_zombies", &format!("{DELETED} 90 settled d0: list r1 w1 | d1: list r1 w1"));
}

#[test]
fn whoever_has_not_heard_of_a_delete_still_shows_the_row() {
    passes(&format!("{DELETED} 30 look d0: list r1 w1 | d1: -"));
    caught_by("no_zombies", &format!("{DELETED} 30 look d0: - | d1: list r1 w1"));
}

#[test]
fn a_file_that_was_put_back_knows_nothing_of_what_was_deleted_since() {
    passes(&format!("{DELETED} 30 d1 restored 15\n 40 look d1: list r1 w1"));
}

#[test]
fn a_delete_that_was_lost_deletes_nothing() {
    passes(&format!("{DELETED} 30 d1 lost\n 90 settled d0: list r1 w1"));
    caught_by("no_zombies", &format!("{DELETED} 25 d1 ack t2\n 30 d1 lost\n 90 settled d0: list r1 w1"));
}

#[test]
fn a_natural_key_may_be_inserted_again() {
    let again = "10 d0 t1 + setting k1 w1\n 20 d1 t2 - setting k1 w1\n";
    passes(&format!("{again} 30 d2 t3 + setting k1 w3\n 90 settled d0: setting k1 w3 | d1: setting k1 w3"));
    caught_by("no_zombies", &format!("{again} 90 settled d0: setting k1 w1 | d1: setting k1 w1"));
    caught_by(
        "no_zombies",
        "10 d0 t1 + setting k1 w1
         20 d0 t2 - setting k1 w1
         30 d0 t3 + setting k1 w3
         40 d0 t4 - setting k1 w3
         50 look d0: setting k1 w3",
    );
}

#[test]
fn a_parent_comes_back_for_a_child_that_keeps_it() {
    let kept = "10 d0 t1 + shop r1 w1\n 20 d1 t2 + sale r2 @r1\n 21 d0 t3 - shop r1 w1\n";
    passes(&format!("{kept} 90 settled d0: shop r1 w1, sale r2 @r1"));
    caught_by("no_zombies", &format!("{kept} 90 settled d0: shop r1 w1"));
    // Where the schema deletes the child, the parent stays away.
    let taken = "10 d0 t1 + list r1 w1\n 20 d1 t2 + item r2 @r1 w2 w2\n 21 d0 t3 - list r1 w1\n";
    caught_by("no_zombies", &format!("{taken} 90 settled d0: list r1 w1, item r2 @r1 w2 w2"));
}

#[test]
fn no_row_is_there_twice() {
    let inserted = "10 d0 t1 + list r1 w1\n";
    caught_by("no_zombies", &format!("{inserted} 20 look d1: list r1 w1 x2"));
    passes(&format!("{inserted} 20 d1 copy of d0\n 30 look d1: list r1 w1 x2"));
    caught_by(
        "no_zombies",
        &format!("{inserted} 15 d0 ack t1\n 20 d1 copy of d0\n 30 look d1: list r1 w1 x2"),
    );
}

#[test]
fn a_row_that_is_known_by_a_doubled_one_may_be_there_twice() {
    let inserted = "10 d0 t1 + label r1 work w1\n 20 d1 copy of d0\n 25 d1 t2 + badge r1 @r1 w4\n";
    let twice = "30 look d1: label r1 work w1, badge r1 @r1 w4 x2";
    passes(&format!("{inserted} {twice}"));
    caught_by(
        "no_zombies",
        &format!("{} {twice}", inserted.replace("20 d1 copy", "15 d0 ack t1\n 20 d1 copy")),
    );
}

#[test]
fn what_referred_to_one_of_two_doubled_rows_may_go_with_it() {
    let inserted = "10 d0 t1 + shop r1 w1\n 20 d1 copy of d0\n 30 d0 t2 + sale r2 @r1\n";
    let end = "90 settled d0: shop r1 w1 | d1: shop r1 w1";
    passes(&format!("{inserted} {end}"));
    let acked = inserted.replace("20 d1 copy", "15 d0 ack t1\n 20 d1 copy");
    caught_by("no_lost_write", &format!("{acked} {end}"));
}

#[test]
fn of_a_row_that_a_copy_may_have_doubled_either_may_be_shown() {
    let copied = "20 d1 copy of d0\n 25 d1 t2 ~ list r1 name w1>w2\n 30 look d1: list r1 w2\n";
    let end = "40 look d1: list r1 w1\n 90 settled d1: list r1 w1 x2 | d2: list r1 w1 x2";
    passes(&format!("10 d0 t1 + list r1 w1\n {copied} {end}"));
    caught_by("causality", &format!("10 d0 t1 + list r1 w1\n 15 d0 ack t1\n {copied} {end}"));
}

#[test]
fn what_came_back_for_a_child_stays_when_the_child_goes() {
    let kept = "10 d0 t1 + shop r1 w1\n 20 d1 t2 + sale r2 @r1\n 21 d0 t3 - shop r1 w1\n";
    let shown = "30 look d1: shop r1 w1, sale r2 @r1\n";
    passes(&format!("{kept} {shown} 40 d1 t4 - sale r2 @r1\n 90 settled d0: shop r1 w1 | d1: shop r1 w1"));
    // Whoever deletes both had nobody who kept it.
    let own =
        "10 d0 t1 + shop r1 w1\n 11 d0 t2 + sale r2 @r1\n 12 d0 t3 - sale r2 @r1\n 13 d0 t4 - shop r1 w1\n";
    caught_by("no_zombies", &format!("{own} 90 settled d0: shop r1 w1"));
}

#[test]
fn a_parent_comes_back_for_a_child_that_two_have_inserted() {
    let kept = "10 d0 t1 + shop r1 w1
        11 d1 t2 + till r1 @r1 w2
        12 d1 t3 - till r1 @r1 w2
        13 d1 t4 - shop r1 w1\n";
    let end = "40 d2 t6 - till r1 @r1 w3\n 90 settled d0: shop r1 w1 | d2: shop r1 w1";
    passes(&format!("{kept} 14 d2 t5 + till r1 @r1 w3\n {end}"));
    caught_by("no_zombies", &format!("{kept} 90 settled d0: shop r1 w1"));
}

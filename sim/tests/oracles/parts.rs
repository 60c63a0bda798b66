//! whole_transactions.

use crate::told::{caught_by, passes};

const MOVED: &str =
    "10 d0 t1 + list r1 w1; + list r2 w2\n 20 d0 t2 ~ list r1 name w1>w3; ~ list r2 name w2>w3\n";

#[test]
fn both_rows_of_a_transaction_or_none() {
    passes(&format!("{MOVED} 30 look d1: list r1 w1, list r2 w2 | d2: list r1 w3, list r2 w3 | d3: -"));
    caught_by("whole_transactions", &format!("{MOVED} 30 look d1: list r1 w3, list r2 w2"));
    caught_by("whole_transactions", &format!("{MOVED} 30 look d1: list r1 w1"));
}

#[test]
fn whoever_catches_up_may_be_in_the_middle() {
    passes(&format!("{MOVED} 30 look d1[behind]: list r1 w3, list r2 w2"));
}

#[test]
fn a_write_that_knew_of_one_brings_all_of_it() {
    let knew = format!("{MOVED} 25 d2 t3 ~ list r1 name w3>w4\n");
    caught_by("whole_transactions", &format!("{knew} 30 look d1: list r1 w4, list r2 w2"));
    passes(&format!("{knew} 30 look d1: list r1 w4, list r2 w3"));
}

#[test]
fn a_concurrent_write_may_have_won_over_a_part() {
    passes(&format!("{MOVED} 25 d2 t3 ~ list r2 name w2>w4\n 30 look d1: list r1 w3, list r2 w4"));
}

#[test]
fn rows_that_it_inserted_are_there_or_have_a_reason() {
    let pair = "10 d0 t1 + list r1 w1; + list r2 w2\n";
    caught_by("whole_transactions", &format!("{pair} 20 look d1: list r1 w1"));
    passes(&format!("{pair} 20 look d1[parked=1]: list r1 w1"));
    passes(&format!("{pair} 15 d2 t2 - list r2 w2\n 20 look d1: list r1 w1"));
}

#[test]
fn rows_that_it_deleted_are_gone() {
    let swap = "10 d0 t1 + list r1 w1\n 20 d0 t2 - list r1 w1; + list r2 w2\n";
    caught_by("whole_transactions", &format!("{swap} 30 look d1: list r1 w1, list r2 w2"));
    passes(&format!("{swap} 30 look d1: list r2 w2 | d2: list r1 w1"));
}

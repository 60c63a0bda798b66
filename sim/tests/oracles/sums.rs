//! sums.

use crate::told::{caught_by, passes};

/// Two devices that count, raise and tag the same day, apart from each other.
const APART: &str = "10 d2 t1 + day k1 5 5 w1
    20 d0 t2 ~ day k1 visits 5>8; ~ day k1 best 5>9; ~ day k1 tags w1>w1+w2
    21 d1 t3 ~ day k1 visits 5>1; ~ day k1 best 5>7; ~ day k1 tags w1>w3\n";

fn shows(history: &str, day: &str) -> String {
    format!("{history} 90 settled d0: day k1 {day} | d1: day k1 {day}")
}

#[test]
fn what_everybody_added_is_there_once() {
    passes(&shows(APART, "4 9 w2+w3"));
    for wrong in ["8", "1", "12", "9"] {
        caught_by("sums", &shows(APART, &format!("{wrong} 9 w2+w3")));
    }
}

#[test]
fn the_largest_value_stays_and_nobody_makes_one_up() {
    caught_by("sums", &shows(APART, "4 7 w2+w3"));
    caught_by("sums", &shows(APART, "4 10 w2+w3"));
    // A smaller one is taken back.
    let smaller = format!("{APART} 30 d0 t4 ~ day k1 best 9>2\n");
    passes(&shows(&smaller, "4 9 w2+w3"));
    // It was gone before anybody noticed it, or the hub had it already.
    passes(&shows(&smaller, "4 7 w2+w3"));
    let noticed = format!("{APART} 25 d0 ack t2\n 30 d0 t4 ~ day k1 best 9>2\n");
    caught_by("sums", &shows(&noticed, "4 7 w2+w3"));
}

#[test]
fn a_set_has_what_was_added_and_not_what_was_removed() {
    for wrong in ["w1+w2+w3", "w2", "w3", "w2+w3+w9", "[]"] {
        caught_by("sums", &shows(APART, &format!("4 9 {wrong}")));
    }
    // Who adds again what somebody removes may win or not.
    let again = format!("{APART} 30 d0 t4 ~ day k1 tags w3+w2>w3+w2+w1\n");
    passes(&shows(&again, "4 9 w1+w2+w3"));
    passes(&shows(&again, "4 9 w2+w3"));
}

#[test]
fn two_inserts_of_one_key_add_up() {
    let both = "10 d0 t1 + day k1 5 5 w1\n 11 d1 t2 + day k1 3 7 w2\n";
    passes(&shows(both, "8 7 w1+w2"));
    caught_by("sums", &shows(both, "5 7 w1+w2"));
}

#[test]
fn what_was_lost_with_its_device_may_count_or_not() {
    let lost = format!("{APART} 30 d1 lost\n");
    for shown in ["4 9 w2+w3", "8 9 w1+w2"] {
        passes(&format!("{lost} 90 settled d0: day k1 {shown}"));
    }
    caught_by("sums", &format!("{lost} 90 settled d0: day k1 5 9 w1+w2"));
    let acked = format!("{APART} 25 d1 ack t3\n 30 d1 lost\n");
    caught_by("sums", &format!("{acked} 90 settled d0: day k1 8 9 w1+w2"));
}

#[test]
fn a_copy_counts_only_what_it_cannot_know_to_be_known() {
    let restored = format!("{APART} 40000 d0 restored 30000\n");
    let twice = "90000 settled d0: day k1 7 9 w2+w3";
    // Both the file and its copy had it, and may have taken it for theirs.
    passes(&format!("{restored} {twice}"));
    caught_by("sums", &format!("{restored} {}", twice.replace(" 7 ", " 10 ")));
    // The hub had it before there was a copy.
    caught_by("sums", &format!("{} {twice}", restored.replace("40000 d0", "25000 d0 ack t2\n 40000 d0")));
}

#[test]
fn where_a_row_began_anew_or_was_set_back_a_part_counts() {
    let anew = format!("{APART} 30 d0 t4 - day k1 8 9 w1+w2; + day k1 2 2 w4\n");
    passes(&shows(&anew, "2 2 w4"));
    passes(&shows(&anew, "-2 7 w4+w3"));
    caught_by("sums", &shows(&anew, "27 7 w4"));
    let reset = format!("{APART} 30 d0 t4 ~ day k1 visits 8>null\n");
    passes(&shows(&reset, "null 9 w2+w3"));
    passes(&shows(&reset, "-4 9 w2+w3"));
    caught_by("sums", &shows(APART, "null 9 w2+w3"));
}

//! no_lost_write, causality, acked_is_durable.

use crate::told::{caught_by, passes, verdict, verdict_with_clocks};

#[test]
fn what_was_written_last_is_shown() {
    passes(
        "10 d0 t1 + list r1 w1
         20 d1 t2 ~ list r1 name w1>w2
         30 d0 t3 ~ list r1 name w2>w3
         90 settled d0: list r1 w3 | d1: list r1 w3",
    );
}

#[test]
fn a_write_that_was_replaced_knowingly_is_not_shown_in_the_end() {
    caught_by(
        "no_lost_write",
        "10 d0 t1 + list r1 w1
         20 d1 t2 ~ list r1 name w1>w2
         90 settled d2: list r1 w1 | d3: list r1 w1",
    );
}

#[test]
fn of_two_writes_that_did_not_know_of_each_other_either_is_shown() {
    for winner in ["w2", "w3"] {
        passes(&format!(
            "10 d0 t1 + list r1 w1
             20 d1 t2 ~ list r1 name w1>w2
             30 d2 t3 ~ list r1 name w1>w3
             90 settled d0: list r1 {winner} | d3: list r1 {winner}"
        ));
    }
}

#[test]
fn of_two_writes_far_apart_the_later_one_is_shown_where_clocks_are_right() {
    let history = "10 d0 t1 + list r1 w1
         20 d1 t2 ~ list r1 name w1>w2
         200000 d2 t3 ~ list r1 name w1>w3
         900000 settled d0: list r1 w2 | d3: list r1 w2";
    caught_by("no_lost_write", history);
    assert_eq!(verdict_with_clocks(history, 100_000), None, "clocks that are as wrong as that excuse it");
}

#[test]
fn a_write_that_its_device_deleted_unsent_may_be_gone_where_others_have_the_row() {
    let both = "10 d0 t1 + setting k1 w1\n 11 d1 t2 + setting k1 w2\n";
    let shown = "900000 settled d0: setting k1 w2 | d1: setting k1 w2";
    let written = format!("{both} 300000 d0 t3 ~ setting k1 value w1>w3\n");
    caught_by("no_lost_write", &format!("{written} {shown}"));
    passes(&format!("{written} 600000 d0 t4 - setting k1 w3\n {shown}"));
    // It was changed once more in the transaction that deleted it.
    passes(&format!("{written} 600000 d0 t4 - setting k1 w4\n {shown}"));
    // Others may have had it by then.
    caught_by(
        "no_lost_write",
        &format!("{written} 400000 d0 ack t3\n 600000 d0 t4 - setting k1 w3\n {shown}"),
    );
    // Whoever deleted had not seen it.
    caught_by("no_lost_write", &format!("{written} 600000 d2 t4 - setting k1 w1\n {shown}"));
    // It was written after the row had been deleted.
    caught_by(
        "no_lost_write",
        &format!("{both} 200000 d0 t3 - setting k1 w1\n 300000 d0 t4 + setting k1 w3\n {shown}"),
    );
}

#[test]
fn what_a_deleted_write_had_replaced_may_be_shown_where_others_keep_the_row() {
    let kept = "10 d0 t1 + shop r1 w1\n 11 d1 t2 + sale r2 @r1\n 20 d2 t3 ~ shop r1 name w1>w2\n";
    let shown = "40 look d2: shop r1 w1, sale r2 @r1\n 90 settled d2: shop r1 w1, sale r2 @r1";
    passes(&format!("{kept} 30 d2 t4 - shop r1 w2\n {shown}"));
    caught_by("causality", &format!("{kept} {shown}"));
    caught_by("causality", &format!("{kept} 25 d2 ack t3\n 30 d2 t4 - shop r1 w2\n {shown}"));
}

#[test]
fn a_key_that_refers_to_a_row_that_lost_names_the_one_that_is_shown() {
    let badges = "10 d0 t1 + label r1 work w1\n 12 d2 t3 + badge r1 @r1 w4\n";
    let shown = |note| format!("90 settled d0[parked=2]: label r1 work w1, badge r1 @r1 {note}");
    let lost = format!("{badges} 11 d1 t2 + label r2 work w2; + badge r2 @r2 w3\n");
    passes(&format!("{lost} {}", shown("w3")));
    passes(&format!("{lost} {}", shown("w4")));
    caught_by("no_lost_write", &format!("{lost} {}", shown("w5")));
    // Under that name it was only written to.
    passes(
        "10 d0 t1 + label r1 work w1
         11 d1 t2 + label r2 work w2; + badge r2 @r2 w3
         12 d0 t3 ~ badge r1 note w3>w4
         90 settled d0[parked=2]: label r1 work w1, badge r1 @r1 w4",
    );
    passes(
        "10 d0 t1 + label r1 work w1
         11 d1 t2 + label r2 work w2; + badge r2 @r2 w3
         12 d3 t3 ~ badge r1 note w3>w4
         13 d3 lost
         90 settled d0[parked=2]: label r1 work w1, badge r1 @r1 w3",
    );
    // So it is under a spelling that the row it refers to does not have, or no longer.
    passes(
        "10 d0 t1 + label r1 work w1
         12 d2 t2 + badge r1 @r1 w4
         13 d0 t3 ~ badge ?R1 note w4>w5
         90 settled d0: label r1 work w1, badge r1 @r1 w5",
    );
    // It had another value all the time.
    let apart = format!("{badges} 11 d1 t2 + label r2 home w2; + badge r2 @r2 w3\n");
    caught_by("no_lost_write", &format!("{apart} {}", shown("w3")));
    // It is shown itself.
    caught_by("no_lost_write", &format!("{lost} {}, label r2 work w2, badge r2 @r2 w3", shown("w3")));
}

#[test]
fn a_value_that_nobody_wrote_is_not_shown() {
    caught_by("no_lost_write", "10 d0 t1 + list r1 w1\n 90 settled d0: list r1 w7 | d1: list r1 w7");
    caught_by(
        "no_lost_write",
        "10 d0 t1 + label r1 work w1\n 90 settled d0: label r1 home w1 | d1: label r1 home w1",
    );
    caught_by("no_lost_write", "10 d0 t1 + list r1 w1\n 90 settled d0: list r1 w1, list r2 w2");
}

#[test]
fn a_row_that_nobody_deleted_is_visible_or_parked() {
    let inserted = "10 d0 t1 + list r1 w1\n";
    caught_by("no_lost_write", &format!("{inserted} 90 settled d0: - | d1: -"));
    passes(&format!("{inserted} 90 settled d0[parked=1]: - | d1[parked=1]: -"));
    passes(&format!("{inserted} 20 d1 t2 - list r1 w1\n 90 settled d0: - | d1: -"));
}

#[test]
fn a_row_goes_with_the_one_that_it_refers_to() {
    passes(
        "10 d0 t1 + list r1 w1
         20 d1 t2 + item r2 @r1 w2 w2
         30 d0 t3 - list r1 w1
         90 settled d0: - | d1: -",
    );
    caught_by(
        "no_lost_write",
        "10 d0 t1 + list r1 w1
         20 d1 t2 + item r2 @r1 w2 w2
         90 settled d0: list r1 w1 | d1: list r1 w1",
    );
}

#[test]
fn a_row_goes_with_the_one_that_stood_for_it() {
    let both = "10 d0 t1 + label r1 work w1\n 11 d1 t2 + label r2 work w2\n";
    passes(&format!("{both} 20 d0 t3 - label r1 work w1\n 90 settled d0: - | d1: -"));
    caught_by("no_lost_write", &format!("{both} 90 settled d0: label r1 work w1 | d1: label r1 work w1"));
}

#[test]
fn only_what_nobody_had_acknowledged_goes_with_its_device() {
    passes("10 d0 t1 + list r1 w1\n 20 d0 lost\n 90 settled d1: -");
    passes("10 d0 t1 + list r1 w1\n 20 d0 lost\n 90 settled d1: list r1 w1");
    caught_by("acked_is_durable", "10 d0 t1 + list r1 w1\n 15 d0 ack t1\n 20 d0 lost\n 90 settled d1: -");
}

#[test]
fn what_was_committed_after_a_copy_goes_when_the_copy_is_put_back() {
    let restored = "10 d0 t1 + list r1 w1\n 20 d0 t2 ~ list r1 name w1>w2\n 30 d0 restored 15\n";
    passes(&format!("{restored} 90 settled d0: list r1 w1"));
    caught_by("no_lost_write", &format!("{restored} 90 settled d0: -"));
    // An acknowledgement of later writes says nothing of those that were gone by then.
    passes(&format!(
        "{restored} 40 d0 t3 + list r2 w3\n 50 d0 ack t3\n 90 settled d0: list r1 w1, list r2 w3"
    ));
}

#[test]
fn what_was_replaced_by_a_lost_write_alone_may_be_shown() {
    let lost = "10 d0 t1 + list r1 w1\n 20 d1 t2 ~ list r1 name w1>w2\n 30 d1 lost\n";
    passes(&format!("{lost} 90 settled d0: list r1 w1"));
    // Somebody had seen it, and that write is there: so is what it knew of replaced.
    let seen = "25 d2 t3 ~ list r1 name w2>w3\n";
    caught_by("no_lost_write", &format!("{lost} {seen} 90 settled d0: list r1 w1"));
}

#[test]
fn a_hub_that_is_put_back_forgets_what_only_it_had() {
    let history = "10 d0 t1 + list r1 w1\n 15 d0 ack t1\n 20 d0 lost\n";
    passes(&format!("{history} 30 hub restored 12\n 90 settled d1: -"));
    caught_by("acked_is_durable", &format!("{history} 30 hub restored 18\n 90 settled d1: -"));
    caught_by("acked_is_durable", &format!("{history} 30 hub crashed\n 90 settled d1: -"));
    let alive = "10 d0 t1 + list r1 w1\n 15 d0 ack t1\n 30 hub restored 12\n";
    caught_by("no_lost_write", &format!("{alive} 90 settled d0: -"));
}

#[test]
fn acknowledged_writes_and_deletes_have_their_effect() {
    let written = "10 d0 t1 + list r1 w1\n 20 d1 t2 ~ list r1 name w1>w2\n 25 d1 ack t2\n 30 d1 lost\n";
    caught_by("acked_is_durable", &format!("{written} 90 settled d0: list r1 w1"));
    passes(&format!("{written} 90 settled d0: list r1 w2"));
}

#[test]
fn what_was_shown_is_never_replaced_by_what_it_had_replaced() {
    let known = "10 d0 t1 + list r1 w1\n 20 d1 t2 ~ list r1 name w1>w2\n 30 look d2: list r1 w2\n";
    caught_by("causality", &format!("{known} 40 look d2: list r1 w1"));
    passes(&format!("{known} 35 d2 restored 5\n 40 look d2: list r1 w1"));
    passes(&format!("{known} 40 look d3: list r1 w1"));
}

#[test]
fn a_device_knows_its_own_writes() {
    let history = "10 d0 t1 + list r1 w1\n 20 d1 t2 ~ list r1 name w1>w2\n 30 d1 t3 ~ list r1 name w9>w3\n";
    caught_by("causality", &format!("{history} 40 look d1: list r1 w2"));
    caught_by("causality", &format!("{history} 40 d1 t4 ~ list r1 name w1>w4"));
}

#[test]
fn values_that_were_written_twice_say_nothing() {
    passes(
        "10 d0 t1 + list r1 null
         20 d0 t2 ~ list r1 name null>w2
         30 d0 t3 ~ list r1 name w2>null
         90 settled d0: list r1 null",
    );
    let (oracle, _) = verdict(
        "10 d0 t1 + list r1 null
         20 d0 t2 ~ list r1 name null>w2
         90 settled d0: list r1 null",
    )
    .expect("a lost write");
    assert_eq!(oracle, "causality");
}

#[test]
fn what_is_written_under_a_shown_name_goes_to_the_row_that_has_it() {
    // Two labels are one, then the shown one is renamed, and a third has the new name.
    passes(
        "10 d0 t1 + label r1 home w1; + badge r1 @r1 w2
         11 d1 t2 + label r2 work w3; + badge r2 @r2 w4
         12 d2 t3 + label r3 work w5
         13 d2 t4 ~ label r3 word work>home
         90 settled d0[parked=3]: label r1 home w1, badge r1 @r1 w4",
    );
}

#[test]
fn two_rows_under_one_name_do_not_replace_each_other() {
    // What was written to the second, while it had the name, is not shown with the first.
    let rows = |word| {
        format!(
            "10 d0 t1 + label r1 work w1
             11 d1 t2 + label r2 {word} w2; + badge r2 @r2 w3
             12 d2 t3 + badge r1 @r1 w4
             20 d2 t4 ~ badge r1 note w3>w5
             21 d2 ack t4
             90 settled d0[parked=2]: label r1 work w1, badge r1 @r1 w4"
        )
    };
    passes(&rows("work"));
    assert!(verdict(&rows("home")).is_some(), "those of two names are two");
}

#[test]
fn a_row_that_two_inserted_is_missed_once() {
    let inserted = "10 d0 t1 + setting k1 w1\n 11 d1 t2 + setting k1 w2\n 12 d0 ack t1\n 13 d1 ack t2\n";
    passes(&format!("{inserted} 90 settled d0[parked=1]: - | d1[parked=1]: -"));
    assert!(verdict(&format!("{inserted} 90 settled d0: - | d1: -")).is_some());
}

#[test]
fn what_another_device_acknowledged_lasts_as_long_as_its_file() {
    let written = "10 d0 started\n 10 d1 started\n 20 d0 t1 + list r1 w1\n 30 d0 ack t1 by d1\n 40 d0 lost\n";
    let gone = "90 settled d1: list r2 w2";
    let other = "50 d1 t2 + list r2 w2\n";
    caught_by("acked_is_durable", &format!("{written} {other} {gone}"));
    // It has forgotten it, by right, or still knew.
    passes(&format!("{written} 45 d1 restored 25\n {other} {gone}"));
    caught_by("acked_is_durable", &format!("{written} 45 d1 restored 35\n {other} {gone}"));
    // Nobody has it any more.
    passes(
        &format!("{written} {other} 60 d1 lost\n 90 settled d2: list r3 w3\n")
            .replace("d1 t2 + list r2 w2", "d2 t2 + list r3 w3"),
    );
}

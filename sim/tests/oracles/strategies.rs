//! strategies, conflict_log.

use pocketsync_sim::shape::{OnDelete, Rule, Strategy};

use crate::told::{caught_by, passes, verdict_with_rules};

/// d1 wrote, and was acknowledged; then d2 wrote, and did not know of that.
const APART: &str = "10 d0 t1 + list r1 w1
    20 d1 t2 ~ list r1 name w1>w2
    30 d1 ack t2
    40 d2 t3 ~ list r1 name w1>w3\n";

fn by(strategy: Strategy, history: &str) -> Option<String> {
    let rule = Rule { table: "list".to_owned(), strategy: Some(strategy), ..Rule::default() };
    verdict_with_rules(&[rule], history).map(|(oracle, _)| oracle)
}

fn deleting(on_delete: OnDelete, history: &str) -> Option<String> {
    let rule = Rule { table: "list".to_owned(), on_delete: Some(on_delete), ..Rule::default() };
    verdict_with_rules(&[rule], history).map(|(oracle, _)| oracle)
}

fn shows(history: &str, value: &str) -> String {
    format!("{history} 90 settled d0: list r1 {value} | d3: list r1 {value}")
}

#[test]
fn what_the_rule_names_is_shown() {
    let wrong = Some("strategies".to_owned());
    for (strategy, winner, loser) in [(Strategy::HubWins, "w2", "w3"), (Strategy::ClientWins, "w3", "w2")] {
        assert_eq!(by(strategy, &shows(APART, winner)), None);
        assert_eq!(by(strategy, &shows(APART, loser)), wrong);
        assert_eq!(by(strategy, &shows(APART, "w1")), wrong);
        // Nobody knows what came to the hub first.
        let at_once = APART.replace("30 d1 ack t2", "50 d1 ack t2");
        for value in ["w2", "w3"] {
            assert_eq!(by(strategy, &shows(&at_once, value)), None);
        }
    }
}

#[test]
fn what_somebody_overwrote_knowingly_does_not_come_back_where_nobody_else_wrote() {
    let known = "10 d0 t1 + list r1 w1\n 20 d1 t2 ~ list r1 name w1>w2\n";
    assert_eq!(by(Strategy::LastWriteWins, &shows(known, "w1")).as_deref(), Some("no_lost_write"));
    assert_eq!(by(Strategy::HubWins, &shows(known, "w1")).as_deref(), Some("no_lost_write"));
    assert_eq!(by(Strategy::HubWins, &shows(known, "w2")), None);
}

#[test]
fn a_row_that_was_changed_later_than_it_was_deleted_is_there() {
    let history = |changed: u64| {
        let (first, second) = ("d1 t2 - list r1 w1", "d2 t3 ~ list r1 name w1>w2");
        match changed {
            0..300_000 => format!("10 d0 t1 + list r1 w1\n {changed} {second}\n 300000 {first}\n"),
            _ => format!("10 d0 t1 + list r1 w1\n 300000 {first}\n {changed} {second}\n"),
        }
    };
    let last = |shown: &str| format!("900000 settled d0: {shown} | d3: {shown}");
    let rule = OnDelete::LastWriterWins;
    assert_eq!(deleting(rule, &(history(600_000) + &last("-"))).as_deref(), Some("strategies"));
    assert_eq!(deleting(rule, &(history(600_000) + &last("list r1 w2"))), None);
    assert_eq!(deleting(rule, &(history(100_000) + &last("list r1 w2"))).as_deref(), Some("no_zombies"));
    assert_eq!(deleting(rule, &(history(100_000) + &last("-"))), None);
    // At the same time, as far as clocks can tell.
    for shown in ["-", "list r1 w2"] {
        assert_eq!(deleting(rule, &(history(310_000) + &last(shown))), None);
    }
    assert_eq!(
        deleting(OnDelete::DeleteWins, &(history(600_000) + &last("list r1 w2"))).as_deref(),
        Some("no_zombies")
    );
}

#[test]
fn what_lost_is_in_some_log() {
    let settled = |one: &str, other: &str| {
        format!("{APART} 90 settled d0[log={one}]: list r1 w3 | d3[log={other}]: list r1 w3")
    };
    passes(&settled("list.name.w2 list.name.w3", ""));
    passes(&settled("", "list.name.w3 list.name.w2"));
    caught_by("conflict_log", &settled("", ""));
    caught_by("conflict_log", &settled("list.name.w3", "list.name.w1"));
    caught_by("conflict_log", &settled("item.name.w2", ""));
}

#[test]
fn what_was_written_under_a_name_that_showed_another_row_is_judged_nowhere() {
    // Under the name of a badge that nobody made; then that of a third row is shown under it.
    let labels = "10 d0 t1 + label r1 work w1
         11 d1 t2 + label r2 work w2; + badge r2 @r2 w3
         12 d2 t3 + label r3 work w5; + badge r3 @r3 w6\n";
    let end = "90 settled d0[parked=4,log=]: label r1 work w1, badge r1 @r1 w6 | d3[parked=4,log=]: label r1 work w1, badge r1 @r1 w6";
    passes(&format!("{labels} 20 d0 t4 ~ badge r1 note w3>w4\n {end}"));
}

#[test]
fn what_was_deleted_with_the_row_that_hid_it_is_in_no_log() {
    let history = "10 d0 t1 + setting K1 w1
         11 d1 t2 + setting k1 w2
         30 d2 t3 - setting K1 w1
         40 d0 t4 + setting k1 w3
         90 settled d0[log=]: setting k1 w3 | d3[log=]: setting k1 w3";
    passes(history);
    let kept = history.replace("30 d2 t3 - setting K1 w1", "").replace("d0[log=]", "d0[parked=1,log=]");
    caught_by("conflict_log", &kept.replace("d3[log=]", "d3[parked=1,log=]"));
}

#[test]
fn what_was_replaced_knowingly_or_lost_with_its_file_is_in_no_log() {
    passes(
        "10 d0 t1 + list r1 w1
         20 d1 t2 ~ list r1 name w1>w2
         30 d2 t3 ~ list r1 name w2>w3
         90 settled d0[log=]: list r1 w3 | d3[log=]: list r1 w3",
    );
    let lost = APART.replace("30 d1 ack t2", "30 d1 lost");
    passes(&format!("{lost} 90 settled d0[log=]: list r1 w3 | d3[log=]: list r1 w3"));
    passes(&format!("{APART} 50 d3 restored 5\n 90 settled d0[log=]: list r1 w3 | d3[log=]: list r1 w3"));
}

//! Conflicts at a hub, in memory and in a file: each strategy, who hears of the answer, and what
//! happens to the protocol meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::conflict_worlds::*;
use crate::store_support::*;
use pocketsync_core::conflict::{
    Conflict, ConflictFilter, ConflictLimits, Resolution, Seen, Winner, Written,
};
use pocketsync_core::id::RowId;
use pocketsync_core::lineage::Stamp;
use pocketsync_core::store::MemoryStore;
use pocketsync_core::value::Value;

#[test]
fn each_strategy_has_its_winner_whoever_wrote_later() {
    // (strategy, what is shown when the first to come wrote earlier, and later)
    for (strategy, earlier, later) in
        [("last_write_wins", 2, 1), ("hub_wins", 1, 1), ("client_wins", 2, 2), ("resolver", 2, 1)]
    {
        for first_is_earlier in [true, false] {
            for mut world in worlds(&[("", "strategy", strategy)], None) {
                // 'a' always comes first to the hub, with the value 1.
                let order = if first_is_earlier { [('a', 1), ('b', 2)] } else { [('b', 2), ('a', 1)] };
                order.into_iter().for_each(|(device, value)| world.set(device, "a", value));
                world.sync('a');
                world.sync('b');
                let expected = if first_is_earlier { earlier } else { later };
                assert_eq!(world.cell("a"), expected, "{strategy}, earlier first: {first_is_earlier}");
                let log = world.hub.log();
                assert_eq!(log.len(), 1, "{log:?}");
                assert_eq!((&log[0].here.what, &log[0].came.what), (&value(1), &value(2)));
                assert_eq!((log[0].here.site, log[0].came.site), (site(1), site(2)));
                assert_eq!(log[0].winner, if expected == 1 { Winner::Here } else { Winner::Came });
                assert!(log[0].rule.starts_with(if strategy == "resolver" {
                    "last_write_wins"
                } else {
                    strategy
                }));
                assert_eq!((log[0].table.as_str(), log[0].column.as_deref()), ("t", Some("a")));
            }
        }
    }
}

#[test]
fn a_column_may_have_a_rule_of_its_own() {
    for mut world in worlds(&[("", "strategy", "client_wins"), ("B", "strategy", "hub_wins")], None) {
        for column in ["a", "b"] {
            world.set('a', column, 1);
            world.set('b', column, 2);
        }
        world.settle();
        assert_eq!((world.cell("a"), world.cell("b")), (2, 1));
    }
}

#[test]
fn the_answer_reaches_the_device_whose_push_caused_it() {
    for mut world in worlds(&[("", "strategy", "hub_wins")], None) {
        world.set('a', "a", 1);
        world.set('b', "a", 2);
        world.sync('a');
        // One session: its own later write is on the hub, and the hub's answer on the device.
        world.sync('b');
        let rows = world.b.rows(&scope());
        assert_eq!(rows["t"][&key(1)]["a"], Value::Integer(1));
        // The hub has written in its own name, and still nobody takes the other for a restored copy.
        world.settle();
        world.set('b', "a", 3);
        assert_eq!(world.cell("a"), 3, "a later write knows of the answer");
        assert_eq!(world.hub.log().len(), 1);
    }
}

#[test]
fn pipelined_pushes_of_one_row_do_not_conflict_with_themselves() {
    for strategy in ["last_write_wins", "hub_wins", "client_wins"] {
        for mut world in worlds(&[("", "strategy", strategy)], None) {
            for value in 1..5 {
                world.set('a', "a", value);
                // Sent, and nothing heard in return.
                push(&mut world.a, &mut world.hub);
            }
            assert_eq!(world.cell("a"), 4);
            assert_eq!(world.hub.log(), vec![]);
        }
    }
}

/// Against something of another device, each push is judged, and the sender's own answer is none.
#[test]
fn pipelined_pushes_against_another_device_keep_the_strategy() {
    for (strategy, shown, logged) in [("hub_wins", 9, 3), ("client_wins", 3, 1)] {
        for mut world in worlds(&[("", "strategy", strategy)], None) {
            for value in 1..4 {
                world.set('a', "a", value);
                if value == 1 {
                    world.set('b', "a", 9);
                    world.sync('b');
                }
                push(&mut world.a, &mut world.hub);
            }
            assert_eq!(world.cell("a"), shown, "{strategy}");
            assert_eq!(world.hub.log().len(), logged, "{strategy}: {:?}", world.hub.log());
        }
    }
}

#[test]
fn an_ack_lost_and_the_value_overwritten_meanwhile_is_no_conflict() {
    for strategy in ["hub_wins", "client_wins"] {
        for mut world in worlds(&[("", "strategy", strategy)], None) {
            world.set('a', "a", 1);
            let before = world.a.clone();
            push(&mut world.a, &mut world.hub);
            // The acknowledgement never came; b has read the value and writes over it.
            world.a = before;
            world.sync('b');
            world.set('b', "a", 2);
            world.sync('b');
            assert_eq!(world.cell("a"), 2, "{strategy}");
            assert_eq!(world.hub.log(), vec![]);
        }
    }
}

#[test]
fn a_delete_against_a_change() {
    for (rule, survives) in [("delete_wins", false), ("last_writer_wins", true)] {
        for delete_first in [true, false] {
            for mut world in worlds(&[("", "on_delete", rule)], None) {
                // The change is the later one.
                world.delete('a');
                world.set('b', "a", 5);
                let order = if delete_first { ['a', 'b'] } else { ['b', 'a'] };
                order.into_iter().for_each(|device| world.sync(device));
                let shown = world.shown();
                assert_eq!(shown.is_some(), survives, "{rule}");
                if let Some(row) = shown {
                    assert_eq!(
                        row,
                        BTreeMap::from([("a".to_owned(), 5), ("b".to_owned(), 0)]),
                        "the row is whole"
                    );
                }
                let log = world.hub.log();
                assert_eq!((log.len(), log[0].column.as_ref(), log[0].rule.as_str()), (1, None, rule));
                let expected = BTreeMap::from([
                    ("a".to_owned(), Value::Integer(5)),
                    ("b".to_owned(), Value::Integer(0)),
                ]);
                let (deleted, changed) =
                    if delete_first { (&log[0].here, &log[0].came) } else { (&log[0].came, &log[0].here) };
                assert_eq!((&deleted.what, &changed.what), (&Written::Deleted, &Written::Row(expected)));
                assert_eq!(log[0].losers(), [if survives { deleted } else { changed }]);
            }
        }
    }
}

#[test]
fn a_delete_that_is_the_later_one_wins_under_either_rule() {
    for rule in ["delete_wins", "last_writer_wins"] {
        for mut world in worlds(&[("", "on_delete", rule)], None) {
            world.set('b', "a", 5);
            world.delete('a');
            world.settle();
            assert_eq!(world.shown(), None);
            assert_eq!(world.hub.log().len(), 1);
        }
    }
}

#[test]
fn where_nothing_is_known_of_the_sender_the_lattice_decides() {
    for mut world in worlds(&[("", "strategy", "hub_wins")], None) {
        world.set('a', "a", 1);
        world.set('b', "a", 2);
        world.sync('a');
        // An older device does not say what it knew.
        let us = identify(&mut world.b);
        let hub = identify(&mut world.hub);
        let held = hub.holdings.into_iter().find(|holding| holding.replica == us.site).unwrap().cursor;
        let extracted = extract(&mut world.b, hub.site, held.clone(), 1 << 20);
        assert!(!extracted.seen.is_unknown());
        let mut chunk = chunk(&us, held, &extracted);
        chunk.seen = Seen::default();
        apply(&mut world.hub, vec![chunk]);
        ack(&mut world.b, hub.site, extracted.to);
        assert_eq!(world.cell("a"), 2);
        assert_eq!(world.hub.log(), vec![]);
    }
}

#[test]
fn equal_values_are_no_conflict() {
    for mut world in worlds(&[("", "strategy", "hub_wins")], None) {
        world.set('a', "a", 1);
        world.set('b', "a", 1);
        assert_eq!(world.cell("a"), 1);
        assert_eq!(world.hub.log(), vec![]);
    }
}

#[test]
fn what_a_device_lost_before_the_hub_had_it_is_judged_all_the_same() {
    for (strategy, shown) in [("client_wins", 1), ("hub_wins", 2), ("last_write_wins", 2)] {
        for mut world in worlds(&[("", "strategy", strategy)], None) {
            world.set('a', "a", 1);
            world.set('b', "a", 2);
            world.sync('b');
            // What is newer comes in before a has sent its own.
            push(&mut world.hub, &mut world.a);
            assert_eq!(world.a.rows(&scope())["t"][&key(1)]["a"], Value::Integer(2));
            assert_eq!(world.cell("a"), shown, "{strategy}");
            assert_eq!(world.hub.log().len(), 1);
        }
    }
}

/// What b wrote comes to a, and loses; something else comes with it, and is shown.
fn hide_from_a(world: &mut World) {
    world.set('b', "a", 2);
    world.sync('b');
    world.set('a', "a", 1);
    world.set('b', "b", 8);
    world.sync('b');
    push(&mut world.hub, &mut world.a);
}

#[test]
fn a_write_over_a_winner_that_hid_another_value_does_not_know_of_it() {
    for (strategy, shown) in [("hub_wins", 2), ("client_wins", 3)] {
        for mut world in worlds(&[("", "strategy", strategy)], None) {
            hide_from_a(&mut world);
            world.set('a', "a", 3);
            assert_eq!(world.cell("a"), shown, "{strategy}");
            let log = world.hub.log();
            assert_eq!((log.len(), &log[0].here.what), (1, &value(2)), "{log:?}");
        }
    }
}

#[test]
fn what_was_hidden_from_a_write_is_told_whichever_piece_it_is_in() {
    for mut world in worlds(&[("", "strategy", "hub_wins")], None) {
        hide_from_a(&mut world);
        world.now += 10;
        let now = world.now;
        world.a.write(&scope(), now, |tx| tx.update("t", &key(1), &[("a", Value::Integer(3))]));
        // The last piece is about another row.
        world.a.write(&scope(), now + 10, |tx| tx.insert("t", &[("b", Value::Integer(5))]));
        sync_pieces(&mut world.a, &mut world.hub, 1, usize::MAX);
        assert_eq!(world.cell("a"), 2);
        let log = world.hub.log();
        assert_eq!((log.len(), &log[0].here.what), (1, &value(2)), "{log:?}");
    }
}

#[test]
fn rules_change_and_count_from_then_on() {
    for mut world in worlds(&[("", "strategy", "hub_wins")], None) {
        world.a.write(&scope(), NOW + 1, |tx| {
            let id = RowId::Natural([Value::text("T"), Value::text("")].into());
            tx.update("__pocketsync_rules", &id, &[("strategy", Value::text("client_wins"))])
        });
        world.settle();
        world.set('a', "a", 1);
        world.set('b', "a", 2);
        assert_eq!(world.cell("a"), 2);
        world.b.write(&scope(), NOW + 500, |tx| {
            tx.delete("__pocketsync_rules", &RowId::Natural([Value::text("T"), Value::text("")].into()))
        });
        world.settle();
        world.now += 1000;
        world.set('b', "a", 3);
        world.set('a', "a", 4);
        world.sync('a');
        assert_eq!(world.cell("a"), 4, "the later one again");
        assert_eq!(world.hub.log()[0].rule, "last_write_wins");
    }
}

#[test]
fn the_log_is_bounded_by_count_and_by_age() {
    for in_file in [false, true] {
        let day = 24 * 60 * 60 * 1000;
        let mut world = world(in_file, &[], None, ConflictLimits::new(30 * day, 3));
        for round in 0..6 {
            world.set('a', "a", 10 + round);
            world.set('b', "a", 20 + round);
            world.settle();
        }
        let ids: Vec<u64> = world.hub.log().iter().map(|conflict| conflict.id).collect();
        assert_eq!(ids, [6, 5, 4]);
        let mut filter = ConflictFilter::default();
        filter.limit = Some(1);
        assert_eq!(world.hub.find(&filter).len(), 1);
        filter.table = Some("u".to_owned());
        assert_eq!(world.hub.find(&filter).len(), 0);
        world.now += 31 * day;
        world.set('a', "a", 1);
        world.set('b', "a", 2);
        world.settle();
        let ids: Vec<u64> = world.hub.log().iter().map(|conflict| conflict.id).collect();
        assert_eq!(ids, [7]);
    }
}

/// A resolver is a closure, or anything that an application makes.
#[test]
fn a_closure_with_state_is_a_resolver() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let store = MemoryStore::hub(site(99), Stamp(99)).with_resolver(move |_: &Conflict| {
        counter.fetch_add(1, Ordering::SeqCst);
        Resolution::KeepHub
    });
    let mut world = world(false, &[("a", "strategy", "resolver")], None, ConflictLimits::default());
    world.hub = Hub::Memory(store);
    (world.a, world.b) = (device(1), device(2));
    world.a.write(&scope(), NOW, |tx| {
        let key: Box<[Value]> = Box::new([Value::text("t"), Value::text("a")]);
        tx.insert_natural("__pocketsync_rules", key, &[("strategy", Value::text("resolver"))]);
        tx.insert_natural("t", [Value::Integer(1)], &[("a", Value::Integer(0))]);
    });
    world.settle();
    world.set('a', "a", 1);
    world.set('b', "a", 2);
    assert_eq!((world.cell("a"), asked.load(Ordering::SeqCst)), (1, 1));
}

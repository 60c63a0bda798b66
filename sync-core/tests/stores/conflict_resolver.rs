//! What an application decides itself, on its hub.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::conflict_worlds::*;
use crate::store_support::*;
use pocketsync_core::conflict::{Conflict, ConflictFilter, Resolution, Winner, Written};
use pocketsync_core::id::RowId;
use pocketsync_core::value::Value;

fn sum(conflict: &Conflict) -> Resolution {
    assert_eq!((conflict.scope.as_str(), conflict.table.as_str()), ("s", "t"));
    assert_eq!(conflict.row, RowId::Natural([Value::Integer(1)].into()));
    let [column] = &conflict.columns[..] else { panic!("{conflict:?}") };
    assert_eq!((column.hub.site, column.incoming.site), (site(1), site(2)));
    assert!(column.hub.hlc < column.incoming.hlc);
    assert_eq!(conflict.hub_row["b"], Value::Integer(0));
    assert_eq!(conflict.incoming_row["b"], Value::Integer(7), "what came besides is in the row");
    match (&column.hub.what, &column.incoming.what) {
        (Written::Value(Value::Integer(hub)), Written::Value(Value::Integer(incoming))) => {
            Resolution::Merged(BTreeMap::from([(column.name.clone(), Value::Integer(hub + incoming))]))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_resolver_sees_both_rows_and_writes_a_third() {
    for mut world in worlds(&[("", "strategy", "resolver")], Some(sum)) {
        world.set('a', "a", 30);
        world.set('b', "a", 12);
        world.set('b', "b", 7);
        world.settle();
        assert_eq!((world.cell("a"), world.cell("b")), (42, 7));
        let log = world.hub.log();
        assert_eq!((log.len(), log[0].winner, log[0].open), (1, Winner::Neither, false));
        assert_eq!(log[0].losers().len(), 2);
    }
}

#[test]
fn a_resolver_that_panics_or_does_not_want_parks_and_the_hub_goes_on() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let panics: Resolve = |_| {
        ASKED.fetch_add(1, Ordering::SeqCst);
        panic!("on purpose")
    };
    let parks: Resolve = |_| Resolution::Park;
    let nonsense: Resolve = |_| Resolution::Merged(BTreeMap::from([("z".to_owned(), Value::Null)]));
    for (resolver, rule) in [
        (panics, "resolver panicked"),
        (parks, "resolver"),
        (nonsense, "resolver named a column that there is not"),
    ] {
        for mut world in worlds(&[("", "strategy", "resolver")], Some(resolver)) {
            world.set('a', "a", 1);
            world.set('b', "a", 2);
            world.settle();
            assert_eq!(world.cell("a"), 2, "the later write for now");
            let mut open = ConflictFilter::default();
            open.open = true;
            let log = world.hub.find(&open);
            assert_eq!((log.len(), log[0].rule.as_str()), (1, rule));
        }
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 2);
}

//! Real devices, a real hub, and a network that works.

use crate::support::{SQL, at, device, run_well, story, transact};
use pocketsync_sim::history::Event;
use pocketsync_sim::story::{Act, Move, TxId};

fn two_devices(seed: u64) -> pocketsync_sim::story::Story {
    let mut story = story(seed, vec![device(true), device(false)], 20_000);
    story.moves = vec![
        transact(1_000, 0, 1, 0, Act::Insert),
        transact(2_000, 0, 2, 1, Act::Insert),
        transact(3_000, 1, 3, 0, Act::Insert),
        transact(4_000, 1, 4, 0, Act::Update(1)),
        at(6_000, Move::Connect { device: pocketsync_sim::story::DeviceNo(1) }),
        transact(9_000, 0, 5, 0, Act::Delete),
        transact(12_000, 1, 6, 1, Act::Insert),
    ];
    story
}

#[test]
fn two_devices_converge() {
    let (outcome, seen) = run_well(SQL, two_devices(1));
    assert_eq!(outcome.measures.transactions, 6);
    assert_eq!(seen.tags(0), seen.tags(1));
    assert!(seen.tags(0).contains(&"r6".to_owned()));
    let acknowledged = |event: &Event| matches!(event, Event::Acknowledged { through: TxId(6), .. });
    assert!(seen.events.iter().any(|(_, event)| acknowledged(event)));
    assert!(!seen.settled().hub[0].clocks.is_empty());
}

#[test]
fn a_story_is_the_same_in_every_run() {
    let hash = |seed| run_well(SQL, two_devices(seed)).0.trace_hash;
    let alone = hash(7);
    let both = std::thread::scope(|threads| {
        let runs = [7, 8, 7].map(|seed| threads.spawn(move || hash(seed)));
        runs.map(|run| run.join().unwrap())
    });
    assert_eq!([&both[0], &both[2]], [&alone, &alone]);
    assert_ne!(both[1], alone);
}

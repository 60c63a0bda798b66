//! Killed at any moment: between any two frames, and between a store's commit and the frame that
//! tells of it.

use crate::pair;
use std::collections::{BTreeSet, VecDeque};

use crate::pair::{Net, Node, Rng, World, site};
use pocketsync_core::session::SessionEnd;
use pocketsync_core::value::Value;

type Action = (u64, fn(&mut World));

fn insert(world: &mut World, n: usize, text: &str) {
    world.write(n, |tx| tx.insert("note", &[("text", Value::text(text))]));
}

fn shared(world: &mut World, n: usize, column: &str, value: i64) {
    world.write(n, |tx| {
        let key = [Value::text("shared")];
        if !tx.insert_natural("setting", key.clone(), &[(column, Value::Integer(value))]) {
            let id = pocketsync_core::id::RowId::Natural(key.into());
            tx.update("setting", &id, &[(column, Value::Integer(value))]);
        }
    });
}

/// Writes before the first contact, in the middle of it, and after it, on both devices.
fn script() -> VecDeque<Action> {
    let actions: [Action; 6] = [
        (0, |world| insert(world, 0, "a before")),
        (0, |world| insert(world, 1, "b before")),
        (1_045, |world| shared(world, 0, "from_a", 1)),
        (1_090, |world| shared(world, 1, "from_b", 2)),
        (1_130, |world| insert(world, 0, "a later")),
        (1_260, |world| shared(world, 0, "from_a", 3)),
    ];
    actions.into()
}

/// Runs the script; kills each node at its step. A write is done when its time has come, whatever
/// else goes on.
fn run(seed: u64, mut crashes: VecDeque<(u64, Node)>) -> World {
    let net = Net { max_frame_bytes: 256, jitter_ms: 3, ..Net::default() };
    let mut world = World::new(2, seed, net);
    let mut actions = script();
    loop {
        let time_ms = world.time.as_millis() as u64;
        if let Some(&(at, action)) = actions.front()
            && at <= time_ms
        {
            actions.pop_front();
            action(&mut world);
        } else if let Some(&(at, node)) = crashes.front()
            && at <= world.steps
        {
            crashes.pop_front();
            world.crash(node);
        } else if actions.is_empty() && crashes.is_empty() {
            break;
        } else {
            world.step();
        }
    }
    world.settle();
    world
}

fn check(world: &World, what: &str) {
    let texts: BTreeSet<Value> = world.column(0, "note", "text").into_iter().collect();
    let wanted = ["a before", "b before", "a later"].map(Value::text);
    assert_eq!(texts, wanted.into_iter().collect(), "{what}: each note once");
    assert_eq!(world.column(1, "note", "text").len(), 3, "{what}: no note twice");
    assert_eq!(world.column(0, "setting", "from_a"), [Value::Integer(3)], "{what}");
    assert_eq!(world.column(0, "setting", "from_b"), [Value::Integer(2)], "{what}");
    for (n, device) in world.devices.iter().enumerate() {
        let forked = device.ends.iter().any(|end| matches!(end, SessionEnd::Forked { .. }));
        assert!(!forked, "{what}: a crash is no fork");
        assert_eq!(device.store.site(&pair::scope()), site(n as u8 + 1), "{what}");
    }
}

#[test]
fn killed_at_every_step() {
    let undisturbed = run(3, VecDeque::new());
    check(&undisturbed, "undisturbed");
    let steps = undisturbed.steps;
    assert!(steps > 100, "the scenario is worth it: {steps}");
    for node in [Node::Device(0), Node::Device(1), Node::Hub] {
        for step in 0..=steps {
            let world = run(3, [(step, node)].into());
            check(&world, &format!("{node:?} killed at step {step}"));
        }
    }
}

#[test]
fn killed_twice_and_thrice() {
    let mut rng = Rng(5);
    for round in 0..400 {
        let mut crashes: Vec<(u64, Node)> = (0..2 + rng.below(2))
            .map(|_| {
                let node = [Node::Device(0), Node::Device(1), Node::Hub][rng.below(3) as usize];
                (rng.below(250), node)
            })
            .collect();
        crashes.sort();
        let world = run(round, crashes.clone().into());
        check(&world, &format!("round {round}: {crashes:?}"));
    }
}

/// Coming back with changes on both sides, when the device pushes along with its introduction: whoever is killed at
/// whatever step, and wherever the link breaks.
#[test]
fn killed_at_every_step_of_coming_back_early() {
    let run = |at: Option<(u64, Option<Node>)>| {
        let mut world = World::new(2, 11, Net { max_frame_bytes: 256, jitter_ms: 3, ..Net::default() });
        insert(&mut world, 0, "a before");
        insert(&mut world, 1, "b before");
        world.settle();
        world.go_offline(0);
        world.run_for(500);
        insert(&mut world, 0, "a offline");
        insert(&mut world, 1, "b meanwhile");
        let begin = world.steps;
        world.go_online(0);
        if let Some((step, what)) = at {
            while world.steps < begin + step {
                world.step();
            }
            match what {
                Some(node) => world.crash(node),
                None => {
                    let links: Vec<u64> = world.devices[0].sessions.keys().copied().collect();
                    links.into_iter().for_each(|link| world.cut(link));
                }
            }
            insert(&mut world, 0, "a later");
        }
        world.settle();
        (world.steps - begin, world)
    };
    let (steps, undisturbed) = run(None);
    assert!(undisturbed.devices[0].early > 0, "it pushed early");
    for what in [Some(Node::Device(0)), Some(Node::Hub), None] {
        for step in 0..=steps {
            let (_, world) = run(Some((step, what)));
            let texts = world.column(1, "note", "text");
            let wanted = ["a before", "a later", "a offline", "b before", "b meanwhile"].map(Value::text);
            assert_eq!(texts, wanted, "{what:?} at step {step}");
            let forked = |end: &SessionEnd| matches!(end, SessionEnd::Forked { .. });
            assert!(!world.devices[0].ends.iter().any(forked), "{what:?} at step {step}: a crash is no fork");
        }
    }
}

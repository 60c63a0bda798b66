//! Stories that are made of scenarios: engines rely on what is checked here.

use pocketsync_sim::scenario::{
    Amount, Clocks, EngineKind, Faults, HowCut, Joins, Network, Pattern, Presence, Range, Rarely, Rate,
    Scenario, Schema, Skew, Span, Topology, Window, Workload,
};
use pocketsync_sim::story::{Move, Story, TxId};
use proptest::prelude::*;

/// Any scenario whose stories are small.
fn scenarios() -> impl Strategy<Value = Scenario> {
    let schema = prop::sample::select(vec!["todo", "inventory", "chat", "relational", "hotcell"]);
    let span = |from: u64, to: u64| {
        (from..to, 0..to).prop_map(|(from, more)| Range { from: Span(from), to: Span(from + more) })
    };
    let amount = || {
        (0_u32..4, 0_u32..4, prop::option::of(0.0..1.0)).prop_map(|(from, more, share)| Amount {
            usual: Range { from, to: from + more },
            rarely: share.map(|share| Rarely { amount: Range::only(9), share }),
        })
    };
    let pattern =
        prop::sample::select(vec![Pattern::AlwaysOn, Pattern::Commuter, Pattern::FieldTeam, Pattern::Flaky]);
    let turns = (span(1, 9_000), span(1, 90_000), any::<bool>());
    let presence = (pattern, turns, 0.0..1.0).prop_map(|(pattern, (online, offline, together), absent)| {
        let by_turns = pattern != Pattern::AlwaysOn;
        Presence {
            pattern,
            online: by_turns.then_some(online),
            offline: by_turns.then_some(offline),
            together: by_turns.then_some(together),
            absent,
            cut: HowCut::Any,
            windows: Vec::new(),
        }
    });
    let partitions = prop::collection::vec((0_u64..60_000, 1_u64..60_000), 0..3).prop_map(|windows| {
        let window = |(from, long)| Window {
            devices: Default::default(),
            from: Span(from),
            to: Span(from + long),
            cut: HowCut::Any,
        };
        windows.into_iter().map(window).collect::<Vec<_>>()
    });
    let faults = (amount(), amount(), amount(), amount(), amount(), amount()).prop_map(
        |(crashes, hub_crashes, restores, hub_restores, clones, lost)| Faults {
            crashes,
            hub_crashes,
            restores,
            hub_restores,
            clones,
            lost,
            ..Faults::default()
        },
    );
    let clocks = amount().prop_map(|jumps| Clocks {
        offset: Range { from: Skew(-9_000_000_000), to: Skew(9_000_000_000) },
        jumps,
        ..Clocks::default()
    });
    let size = (1_u32..7, 1_u32..7, 0_u32..7, 100_u64..90_000);
    (size, schema, presence, partitions, faults, clocks, 0.0..120.0).prop_map(
        |((devices, scopes, late, length), schema, presence, partitions, faults, clocks, rate)| Scenario {
            devices,
            scopes: scopes.min(devices),
            length: Span(length),
            schema: Schema::Named(schema.to_owned()),
            workload: Workload { rate: Some(Rate { times: rate, per: Span(60_000) }), ..Workload::default() },
            network: Network { partitions, ..Network::default() },
            presence,
            faults,
            clocks,
            joins: Joins { devices: late.min(devices - 1), between: None },
            ..Scenario::default()
        },
    )
}

/// The same, without a hub.
fn hubless() -> impl Strategy<Value = Scenario> {
    (scenarios(), prop::sample::select(vec![Topology::Ring, Topology::Mesh])).prop_map(
        |(mut scenario, topology)| {
            scenario.topology = topology;
            scenario.engines = vec![EngineKind::World];
            scenario.devices = scenario.devices.max(2 * scenario.scopes);
            scenario.faults.hub_crashes = Amount::only(0);
            scenario.faults.hub_restores = Amount::only(0);
            scenario
        },
    )
}

fn named_densely(story: &Story) -> bool {
    let transactions = story.moves.iter().filter_map(|planned| match &planned.what {
        Move::Transact { transaction, .. } => Some(transaction),
        _ => None,
    });
    let (mut transaction_ids, mut write_ids) = (1.., 1..);
    transactions.into_iter().all(|transaction| {
        Some(transaction.id) == transaction_ids.next().map(TxId)
            && transaction.writes.iter().all(|write| Some(write.id.0) == write_ids.next())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_story_can_be_run_and_is_the_same_again(scenario in scenarios(), seed: u64) {
        let shape = scenario.shape().expect("a scenario that makes sense");
        let story = scenario.story(&shape, seed);
        prop_assert_eq!(story.flaws(), Vec::<String>::new());
        prop_assert!(named_densely(&story));
        let text = serde_json::to_string(&story).expect("a story is JSON");
        let again = serde_json::to_string(&scenario.story(&shape, seed)).expect("a story is JSON");
        prop_assert_eq!(&text, &again);
        prop_assert_eq!(serde_json::from_str::<Story>(&text).expect("what was written is read"), story);
    }

    #[test]
    fn so_can_every_story_without_a_hub(scenario in hubless(), seed: u64) {
        let shape = scenario.shape().expect("a scenario that makes sense");
        let story = scenario.story(&shape, seed);
        prop_assert_eq!(story.flaws(), Vec::<String>::new());
        let text = serde_json::to_string(&story).expect("a story is JSON");
        prop_assert_eq!(serde_json::from_str::<Story>(&text).expect("what was written is read"), story);
        let text = scenario.to_toml().expect("a scenario is TOML");
        prop_assert_eq!(Scenario::parse(&text, ".".as_ref()).expect("what was written is read"), scenario);
    }

    #[test]
    fn a_scenario_is_the_same_after_being_written_down(scenario in scenarios()) {
        let text = scenario.to_toml().expect("a scenario is TOML");
        prop_assert_eq!(Scenario::parse(&text, ".".as_ref()).expect("what was written is read"), scenario);
    }

    /// One device's draws do not depend on another's: a scenario with one device more tells the same
    /// of the others.
    #[test]
    fn devices_have_their_own_streams(seed: u64) {
        let of_device_0 = |devices| {
            let scenario = Scenario { devices, ..Scenario::default() };
            let shape = scenario.shape().expect("a scenario that makes sense");
            let story = scenario.story(&shape, seed);
            let acts = story.moves.into_iter().filter_map(|planned| match planned.what {
                Move::Transact { device, transaction } if device.0 == 0 => {
                    Some((planned.at, transaction.writes.into_iter().map(|write| write.entropy).collect::<Vec<_>>()))
                }
                _ => None,
            });
            acts.collect::<Vec<_>>()
        };
        prop_assert_eq!(of_device_0(3), of_device_0(4));
    }
}

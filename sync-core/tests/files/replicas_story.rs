//! Stories of three devices and a hub in real files, with the real machines between them, held
//! against a ledger that does not know the engine.
//!
//! A story is a list of events that [`story::Story`] draws, and shrinks into one that reads as it
//! is: applications write through connections of their own, devices exchange everything with the hub,
//! or lose the link after some frames while one of the two is killed, two of them meet, files are
//! backed up, restored and cloned, the hub's too, and clocks are set. The [`story::ledger`] keeps who
//! wrote what, seeing what, from what applications saw before and after each transaction; and who may
//! have heard of it, from who talked with whom.
//!
//! *After every event*: files are whole, no reference points at nothing; nobody but who took part
//! shows anything else than before, a kill in place included; what somebody put aside whom this
//! device has heard of is not shown again; and no cursor goes back but across a restore. *In the
//! end*, when all have exchanged everything with the hub: all files show the same, parked rows
//! included, and so does a device that comes new; journals are empty; a row of which any file holds is
//! shown or parked unless it was deleted; a note that is shown was put aside by nobody; no row is
//! there twice.
//!
//! What others have that this has not, and what it adds to them: `replicas_converge` looks into
//! clocks and parked states of the engines and streams in small pieces, without sessions, hub, or
//! disasters; `store_histories` and `protocol_random` have disasters in stores in memory, without
//! tables, identities of integer keys, parking, or journals; `files/forks` tells chosen stories. The
//! exemptions are those of `store_histories` ([`story::Script`] states them), and one that has a
//! journal as its condition: a copy of a file with writes that its engine had not folded yet.

use crate::story::system::System;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use proptest_state_machine::prop_state_machine;

fn config(cases: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: wanted.unwrap_or(cases),
        max_shrink_iters: 300,
        verbose: 0,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    }
}

prop_state_machine! {
    #![proptest_config(config(96))]

    #[test]
    fn every_story_ends_the_same_with_nothing_lost(sequential 1..30 => System);
}

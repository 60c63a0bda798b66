//! Every history of a few writes to one row: not drawn, all of them, on the pure merge.
//!
//! **What is covered.** Three writers and any number of readers, one row with a natural key and two
//! columns. A write is an insert of a row that its writer does not see (the first one, one after a
//! delete, or one by somebody who never heard of another's), an update of either column or a delete
//! of a row that its writer sees; three of one writer at most, five in all.
//! *Knowledge*: what the writer of each has heard of is any set of other writes, an update without
//! its row included, and it forgets nothing. *Clocks*: the versions are in any order, ties included,
//! that the one rule of minting allows (larger than what its writer knows, greater by the clock
//! itself); so every way in which three clocks can lag, lead, stand still and jump is among them.
//! *Deliveries*: what a replica holds that has heard of any set of writes, the last one being any of
//! them, once or twice: by induction every order, with duplicates. With up to four writes also whole
//! states, every one joined to every other.
//!
//! **How it stays small.** Histories are built in the order of versions, which nobody's knowledge
//! runs against: each comes up once, however its operations and deliveries interleave. What a merge
//! makes of a set of writes depends on their versions and values alone, so that it is computed once
//! for all that their writers may have known. Where no clocks tie, names of sites make no difference,
//! and histories that differ in them alone are one. A set that lacks the largest version is a shorter
//! history's. The numbers below are asserted, so that the world cannot shrink unseen.
//!
//! **What holds.** In every state: nothing goes back, nothing is taken twice, and what is held
//! depends on what was heard alone (those who have heard of everything hold the same). What is shown
//! is what [`small_world::promises`] says, which knows of causes and not of the lattice:
//! * a write that knew of another never loses to it, and a delete hides what it knew of;
//! * a delete wins over a concurrent update, and hides it in later lives if its version is larger;
//! * an insert that knew of the delete lives; of an insert and a delete that know nothing of each
//!   other, the larger by clock and site stands, as between two values.
//!
//! `merge_laws` draws larger states, with equal versions, taken back deaths and values that decide.
//! Wrong merges are checked as well, and each is caught.

use crate::small_world::merges::{RIGHT, WRONG};
use crate::small_world::{Visited, visit};

#[test]
fn five_writes_by_three_in_every_history() {
    let visited = visit(RIGHT, 5, 4).unwrap_or_else(|breach| panic!("{}: {}", breach.law, breach.story));
    println!("{visited:?}");
    let expected = Visited { lines: 50_579, histories: 545_228, states: 8_633_329, joins: 5_966_143 };
    assert_eq!(visited, expected, "the world has another size than it had");
}

#[test]
fn every_wrong_merge_is_caught() {
    for (merge, law) in WRONG {
        match visit(merge, 4, 4) {
            Ok(visited) => panic!("{} went unseen in {visited:?}", merge.name),
            Err(breach) => assert_eq!(breach.law, law, "{}: {}", merge.name, breach.story),
        }
    }
}

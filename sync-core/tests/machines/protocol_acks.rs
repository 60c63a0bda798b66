//! What a replica knows of how far its peer is.

use crate::pair::{Net, World, scope, site};
use pocketsync_core::value::Value;

/// The hub's answer is lost with the link. What it holds it says when the device comes back, and the
/// device has nothing new to send: it must not count as pending for ever.
#[test]
fn an_acknowledgement_that_was_lost_is_made_up_for_by_the_next_introduction() {
    let mut world = World::new(1, 1, Net::default());
    world.settle();
    world.write(0, |tx| tx.insert("note", &[("text", Value::text("hello"))]));
    assert_eq!(world.devices[0].store.pending(&scope(), site(200)), 1);
    while world.hub.store.head(&scope()).seq == 0 {
        assert!(world.step());
    }
    let link = *world.devices[0].sessions.keys().next().unwrap();
    world.cut(link);
    world.settle();
    world.run_for(1_000);
    assert_eq!(world.devices[0].store.pending(&scope(), site(200)), 0);
}

//! Two replicas that are one file twice.

use std::time::Duration;

use pocketsync_core::driver::{ClientOptions, State};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::testkit::MemoryReplica;

use crate::world::{Device, World, scope, texts};

#[test]
fn live_clones_that_never_write_part_and_stay_live() {
    let world = World::new(17);
    let original = world.device(1);
    world.write(&original.replica, "from before");
    world.until_live(&original);

    let mut copied = original.replica.with(|store| store.clone());
    copied.reopen(Stamp(77));
    let replica = MemoryReplica::with_store(scope(), copied);
    let (client, driver) = world.client_of(&replica, ClientOptions::default());
    let clone = Device { replica, client, task: world.runtime.spawn(driver) };
    world.runtime.advance(Duration::from_secs(60));

    let site = |device: &Device| device.replica.with(|store| store.site(&scope()));
    assert_ne!(site(&original), site(&clone));
    for _ in 0..60 {
        assert_eq!((original.state(), clone.state()), (State::Live, State::Live));
        world.runtime.advance(Duration::from_secs(1));
    }
    world.write(&original.replica, "from the original");
    world.write(&clone.replica, "from the clone");
    world.runtime.advance(Duration::from_secs(5));
    world.assert_converged(&[&original.replica, &clone.replica]);
    assert_eq!(
        texts(&world.rows(&original.replica)),
        ["'from before'", "'from the clone'", "'from the original'"]
    );
}

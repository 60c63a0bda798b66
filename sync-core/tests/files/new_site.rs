//! A file that takes another site.

use crate::world::World;
use pocketsync_core::session::{Admitted, Rights};

#[test]
fn a_file_that_takes_a_new_site_goes_on_as_somebody_else() {
    let mut world = World::new(3, "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT, stars INT)");
    world.sql(0, "INSERT INTO note VALUES(1, 'sent', 1)");
    world.settle();
    let before = world.site(0);
    // From now on only what a device has made itself is taken: what was never sent has to be the new site's.
    for n in 0..3 {
        world.admit(n, Admitted::new("somebody", Rights { read: true, write: true, relay: false }));
    }
    world.go_offline(0);
    world.sql(0, "UPDATE note SET stars = 2; INSERT INTO note VALUES(2, 'never sent', 3)");
    world.sql(1, "UPDATE note SET body = 'changed'");
    let site = world.devices[0].replica.take_new_site().unwrap();
    assert!(site != before && world.site(0) == site);
    world.devices[0].online = true;
    world.settle();
    assert_eq!(world.same("SELECT body || stars FROM note ORDER BY 1"), ["changed2", "never sent3"]);
    world.sql(0, "UPDATE note SET stars = 9");
    world.settle();
    assert_eq!(world.same("SELECT body || stars FROM note ORDER BY 1"), ["changed9", "never sent9"]);
    assert_eq!(world.refused(0), []);
}

#[test]
fn what_was_refused_goes_with_the_new_site() {
    let mut world = World::new(
        2,
        "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE note(id INTEGER PRIMARY KEY, tag INTEGER REFERENCES tag(id), body TEXT)",
    );
    let own = |write| Admitted::new("somebody", Rights { read: true, write, relay: false });
    world.admit(0, own(false));
    world.sql(0, "INSERT INTO tag VALUES(1, 'work'); INSERT INTO note VALUES(1, 1, 'refused')");
    world.settle();
    world.admit(0, own(true));
    // It has given out a higher number, which is public.
    world.sql(0, "INSERT INTO tag VALUES(2, 'sent')");
    world.settle();
    assert_eq!(world.refused(0).len(), 2);
    world.devices[0].replica.take_new_site().unwrap();
    world.settle();
    world.devices[0].replica.retry_parked().unwrap();
    world.settle();
    assert_eq!(world.refused(0), []);
    let shown = world.same("SELECT body || ' is ' || tag.name FROM note JOIN tag ON tag.id = note.tag");
    assert_eq!(shown, ["refused is work"]);
    assert_eq!(world.same("SELECT name FROM tag ORDER BY name"), ["sent", "work"]);
}

//! Devices whose clocks are wrong by years, in real files, through a real hub.

use std::time::SystemTime;

use crate::world::World;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)";
const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;
const DAY_MS: i64 = 86_400_000;

/// How long ago a value was written, by the version that was handed out for it.
fn ago_ms(world: &World, value: &str) -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    now - world.version_of("title", value).hlc.ms() as i64
}

fn near(world: &World, value: &str, expected_ms: i64) {
    let ago = ago_ms(world, value);
    assert!((ago - expected_ms).abs() < 60_000, "{value} was written {ago} ms ago");
}

#[test]
fn ten_years_ahead_and_ten_years_behind_meet_one_on_time() {
    let mut world = World::new(3, NOTES);
    let (ahead, behind, on_time) = (0, 1, 2);
    let skews = [TEN_YEARS_MS, -TEN_YEARS_MS, 0];
    // Offline for days, each by its own clock.
    for (n, skew) in skews.into_iter().enumerate() {
        world.devices[n].skew_ms = skew - 2 * DAY_MS;
        world.sql(n, &format!("INSERT INTO note(title) VALUES('by {n}')"));
        world.devices[n].skew_ms = skew;
    }
    world.settle();
    for n in 0..3 {
        near(&world, &format!("by {n}"), 2 * DAY_MS);
        assert!(world.devices[n].ends.is_empty(), "nobody is refused: {:?}", world.devices[n].ends);
    }
    // Who writes last wins, whatever the clocks say.
    for (round, n) in [ahead, behind, on_time, behind, ahead].into_iter().enumerate() {
        let title = format!("round {round}");
        world.sql(
            n,
            &format!("UPDATE note SET title = '{title}' WHERE title NOT LIKE 'by %' OR title = 'by 0'"),
        );
        world.settle();
        assert_eq!(world.same("SELECT title FROM note ORDER BY title"), ["by 1", "by 2", title.as_str()]);
        near(&world, &title, 0);
    }
}

#[test]
fn edits_of_one_cell_keep_their_order_through_jumps_of_the_clock() {
    let mut world = World::new(2, NOTES);
    world.sql(0, "INSERT INTO note VALUES(1, 'first', 'first')");
    world.settle();
    world.go_offline(0);
    // A week without a network: right, then ten years ahead from day four, then behind again.
    let clocks = [
        (-6 * DAY_MS, 0),
        (-4 * DAY_MS, 0),
        (-3 * DAY_MS, TEN_YEARS_MS),
        (-DAY_MS, -TEN_YEARS_MS),
        (0, -DAY_MS),
    ];
    for (day, (at_ms, wrong_ms)) in clocks.into_iter().enumerate() {
        world.devices[0].skew_ms = at_ms + wrong_ms;
        world.sql(0, &format!("UPDATE note SET title = 'edit {day}'"));
        // Folded at once, or all together at the end.
        if day % 2 == 0 {
            world.fold(0);
        }
    }
    world.devices[0].skew_ms = 0;
    world.devices[0].online = true;
    world.settle();
    assert_eq!(world.same("SELECT title FROM note"), ["edit 4"]);
    assert!(ago_ms(&world, "edit 4") > -600_000, "nothing comes from the future");
    // Whoever writes after that wins.
    world.sql(1, "UPDATE note SET title = 'after'");
    world.settle();
    assert_eq!(world.same("SELECT title FROM note"), ["after"]);
}

#[test]
fn what_was_offered_keeps_its_version_though_its_ack_was_lost() {
    let mut world = World::new(2, NOTES);
    world.settle();
    world.sql(0, "INSERT INTO note VALUES(1, 'offered', '')");
    world.look();
    let offered = world.version_of("title", "offered");
    // Lost with everything under way; then the clock turns out to be wrong.
    world.kill(0);
    world.devices[0].skew_ms = TEN_YEARS_MS;
    world.sql(0, "INSERT INTO note VALUES(2, 'later', '')");
    world.settle();
    assert_eq!(world.version_of("title", "offered"), offered);
    near(&world, "later", 0);
    assert_eq!(world.same("SELECT title FROM note ORDER BY id"), ["offered", "later"]);
}

#[test]
fn a_write_over_a_value_from_the_future_still_wins() {
    let mut world = World::new(2, NOTES);
    world.devices[1].skew_ms = 200_000; // less than what a hub refuses
    world.sql(1, "INSERT INTO note VALUES(1, 'from the future', '')");
    world.devices[1].skew_ms = 0;
    world.settle();
    world.sql(0, "UPDATE note SET title = 'knowingly'");
    world.settle();
    assert_eq!(world.same("SELECT title FROM note"), ["knowingly"]);
    assert!(world.version_of("title", "knowingly") > world.version_of("title", "from the future"));
}

#[test]
fn a_push_whose_ack_was_lost_does_not_undo_what_was_written_over_it() {
    let mut world = World::new(2, NOTES);
    world.sql(0, "INSERT INTO note VALUES(1, 'zero', '')");
    world.settle();
    world.sql(0, "UPDATE note SET title = 'pushed'");
    world.look();
    // The hub and the other device have it, the device hears of no acknowledgement.
    while world.rows(1, "SELECT title FROM note") != ["pushed"] {
        assert!(world.deliver_to_hub_or(1), "it arrives");
    }
    world.kill(0);
    world.sql(1, "UPDATE note SET title = 'knowingly over it'");
    world.settle();
    assert_eq!(world.same("SELECT title FROM note"), ["knowingly over it"]);
}

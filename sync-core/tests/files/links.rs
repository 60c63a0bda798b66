//! Real files over links that are narrow, or that never live long.

use crate::world::World;

const DATA: &str = "CREATE TABLE data(id INTEGER PRIMARY KEY, name TEXT, body BLOB)";
const ALL: &str =
    "SELECT count(*) || ' ' || coalesce(sum(length(body)), 0) || ' ' || count(DISTINCT name) FROM data";

fn import(world: &World, n: usize, rows: usize, bytes: usize) {
    world.sql(
        n,
        &format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
             INSERT INTO data(name, body) SELECT 'row ' || i, randomblob({bytes}) FROM n"
        ),
    );
}

#[test]
fn frames_of_256_bytes_carry_everything() {
    let mut world = World::empty();
    world.max_frame_bytes = 256;
    for _ in 0..2 {
        world.install(DATA, "WAL");
    }
    // Some cells are larger than a frame, one is larger than a thousand of them.
    import(&world, 0, 40, 300);
    import(&world, 1, 3, 300_000);
    world.settle();
    assert_eq!(world.same(ALL), ["43 912000 40"]);
    let bodies = "SELECT hex(body) FROM data ORDER BY name, 1";
    assert_eq!(world.same(bodies).len(), 43);
    world.sql(0, "UPDATE data SET body = zeroblob(500000) WHERE length(body) = 300000; DELETE FROM data WHERE length(body) = 300");
    world.settle();
    assert_eq!(world.same(ALL), ["3 1500000 3"]);
    assert!(world.devices.iter().all(|device| device.ends.is_empty()), "no link was lost");
}

#[test]
fn an_import_over_links_that_are_lost_again_and_again_resumes_and_ends() {
    let mut world = World::empty();
    world.max_frame_bytes = 512;
    world.frames_per_link = Some(120);
    world.install(DATA, "WAL");
    world.invariant = Some(|app| {
        let rows: i64 = app.query_row("SELECT count(*) FROM data", [], |row| row.get(0)).unwrap();
        assert!(rows == 0 || rows == 5_000, "{rows} rows of one transaction are shown");
    });
    import(&world, 0, 5_000, 100);
    world.settle();
    // A link carries 60 kB, both ways together; what one brought across need not go again.
    let links = world.links_made();
    assert!((12..36).contains(&links), "{links} links for 700 kB");
    // The way down, to a device that is killed now and then as well.
    let reader = world.install(DATA, "WAL");
    let made = world.links_made();
    for round in 0..400 {
        world.connect_all();
        for _ in 0..150 {
            world.step();
        }
        if round % 5 == 4 {
            world.kill(reader);
        }
        if world.devices[reader].caught_up && world.rows(reader, ALL) != ["0 0 0"] {
            break;
        }
    }
    world.settle();
    assert!(world.links_made() > made + 10);
    assert_eq!(world.same(ALL), ["5000 500000 5000"]);
    assert_eq!(world.forks(reader), 0);
}

#[test]
fn a_group_larger_than_what_is_staged_arrives() {
    let mut world = World::new(2, DATA);
    // Beyond what a receiver keeps aside, so that it is merged as it comes.
    import(&world, 0, 200, 100_000);
    world.settle();
    assert_eq!(world.same(ALL), ["200 20000000 200"]);
    let sound: String =
        world.devices[1].app.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[test]
fn what_was_downloaded_is_not_sent_back() {
    let mut world = World::new(2, DATA);
    import(&world, 0, 500, 1_000);
    world.settle();
    assert_eq!(world.same(ALL), ["500 500000 500"]);
    let sent = world.devices[1].sent_bytes;
    assert!(sent < 2_000, "{sent} bytes, with nothing of its own to tell");
    // One cell of a row that came from elsewhere is sent, and not the row.
    world.sql(1, "UPDATE data SET name = 'mine' WHERE id = 1");
    world.settle();
    let sent = world.devices[1].sent_bytes - sent;
    assert!(sent < 500, "{sent} bytes for one cell");
    assert_eq!(world.same("SELECT name FROM data WHERE name NOT LIKE 'row%'"), ["mine"]);
}

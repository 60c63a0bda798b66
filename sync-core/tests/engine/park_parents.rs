//! Rows that refer to rows.

use crate::changes::{
    Change, Peer, at, change, check_references, insert, int, natural, orders, parked, rows, surrogate, text,
    to,
};
use crate::device::Device;
use pocketsync_core::value::Value;

const MUSIC: &str = "CREATE TABLE artist(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE album(id INTEGER PRIMARY KEY, artist INTEGER REFERENCES artist(id), title TEXT);
    CREATE TABLE track(id INTEGER PRIMARY KEY, album INTEGER NOT NULL REFERENCES album(id), title TEXT)";

fn artist(n: u64) -> Change {
    insert("artist", &surrogate(1, n), at(10, 1), &[("id", int(1)), ("name", text(&format!("artist {n}")))])
}

fn album(n: u64, of: u64) -> Change {
    let cells = [("id", int(1)), ("artist", to(&surrogate(1, of))), ("title", text(&format!("album {n}")))];
    insert("album", &surrogate(1, n), at(10, 1), &cells)
}

fn track(n: u64, of: u64) -> Change {
    let cells = [("id", int(1)), ("album", to(&surrogate(1, of))), ("title", text(&format!("track {n}")))];
    insert("track", &surrogate(1, n), at(10, 1), &cells)
}

fn died(table: &str, n: u64, ms: u64) -> Change {
    change(table, &surrogate(1, n)).died(at(ms, 2))
}

const JOINED: &str =
    "SELECT track.title, album.title, artist.name FROM track JOIN album ON album.id = track.album
    LEFT JOIN artist ON artist.id = album.artist ORDER BY 1";

/// Every order of these changes, a group each, ends the same.
fn all_orders(schema: &str, changes: &[Change], query: &str, expected: &[&str], aside: &[&str]) {
    for order in orders(changes.len()) {
        let mut device = Device::new(schema);
        let mut peer = Peer::new(9);
        for &n in &order {
            peer.send(&mut device, &changes[n..=n]);
            check_references(&device);
        }
        assert_eq!(rows(&device, query), expected, "in the order {order:?}");
        assert_eq!(parked(&device), aside, "in the order {order:?}");
        // What nobody waits for any more is not looked for.
        let waiting = device.number("SELECT count(*) FROM __pocketsync_wait");
        assert_eq!(waiting > 0, !aside.is_empty());
    }
}

#[test]
fn a_child_waits_for_its_parent() {
    let changes = [artist(1), album(2, 1), track(3, 2), track(4, 2)];
    let expected = ["track 3|album 2|artist 1", "track 4|album 2|artist 1"];
    all_orders(MUSIC, &changes, JOINED, &expected, &[]);
}

#[test]
fn a_child_that_may_not_be_without_its_parent_brings_it_back() {
    let changes = [artist(1), album(2, 1), track(3, 2), died("artist", 1, 50)];
    let query = "SELECT title FROM album UNION ALL SELECT title FROM track UNION ALL SELECT name FROM artist";
    all_orders(MUSIC, &changes, query, &["album 2", "track 3", "artist 1"], &[]);
}

#[test]
fn a_child_comes_back_with_its_parent() {
    let schema = "CREATE TABLE room(name TEXT PRIMARY KEY NOT NULL);
        CREATE TABLE bed(id INTEGER PRIMARY KEY, room TEXT REFERENCES room)";
    let blue = natural([text("blue")]);
    let changes = [
        change("room", &blue).born(at(10, 1)),
        change("room", &blue).died(at(20, 1)),
        insert("bed", &surrogate(1, 1), at(15, 2), &[("id", int(1)), ("room", text("blue"))]),
    ];
    all_orders(schema, &changes, "SELECT room FROM bed", &["blue"], &[]);
    let again = [&changes[..], &[change("room", &blue).born(at(30, 3))]].concat();
    all_orders(schema, &again, "SELECT room FROM bed", &["blue"], &[]);
}

#[test]
fn rows_that_refer_to_each_other_show_each_other() {
    let schema = "CREATE TABLE person(id INTEGER PRIMARY KEY, spouse INTEGER NOT NULL REFERENCES person(id), name TEXT)";
    let person = |n: u64, spouse: u64, ms| {
        let cells = [("id", int(n as i64)), ("spouse", to(&surrogate(1, spouse))), ("name", text("x"))];
        insert("person", &surrogate(1, n), at(ms, 1), &cells)
    };
    let changes = [person(1, 2, 10), person(2, 3, 11), person(3, 1, 12), person(4, 4, 13)];
    let query = "SELECT id, spouse FROM person ORDER BY id";
    all_orders(schema, &changes, query, &["1|2", "2|3", "3|1", "4|4"], &[]);
    let dead = [&changes[..], &[died("person", 2, 50)]].concat();
    all_orders(schema, &dead, query, &["1|2", "2|3", "3|1", "4|4"], &[]);
}

#[test]
fn a_child_of_a_row_that_lost_its_key_shows_the_winner() {
    let twin =
        |n: u64, ms| insert("artist", &surrogate(1, n), at(ms, 1), &[("id", int(1)), ("name", text("twin"))]);
    let changes = [twin(1, 20), twin(2, 10), album(3, 1), album(4, 2)];
    let query = "SELECT album.title FROM album JOIN artist ON artist.id = album.artist ORDER BY 1";
    all_orders(MUSIC, &changes, query, &["album 3", "album 4"], &["artist|unique claim"]);
    let gone = [&changes[..], &[died("artist", 2, 50)]].concat();
    // Its album brings it back.
    all_orders(MUSIC, &gone, query, &["album 3", "album 4"], &["artist|unique claim"]);
}

#[test]
fn a_waiting_row_keeps_its_unique_key() {
    let schema = "CREATE TABLE box(id INTEGER PRIMARY KEY);
        CREATE TABLE item(id INTEGER PRIMARY KEY, box INT REFERENCES box, name TEXT UNIQUE)";
    let item = |n: u64, of: Value, ms| {
        insert(
            "item",
            &surrogate(1, n),
            at(ms, 1),
            &[("id", int(n as i64)), ("box", of), ("name", text("a"))],
        )
    };
    let changes = [item(2, to(&surrogate(1, 1)), 10), item(3, Value::Null, 20)];
    let aside = ["item|missing parent", "item|unique claim"];
    all_orders(schema, &changes, "SELECT id FROM item", &[], &aside);
}

#[test]
fn what_dangled_from_the_start_is_shown_and_stays_dangling() {
    let mut device = Device::new(MUSIC);
    let mut peer = Peer::new(1);
    let dangling = Value::Dangling(Box::new(int(1)));
    let cells = [("id", int(5)), ("artist", dangling.clone()), ("title", text("lost"))];
    peer.send(&mut device, &[insert("album", &surrogate(1, 9), at(10, 1), &cells)]);
    assert_eq!(rows(&device, "SELECT artist, title FROM album"), ["1|lost"]);
    // An artist takes that integer here; the album does not mean it.
    peer.send(&mut device, &[artist(1)]);
    assert_eq!(rows(&device, "SELECT id, name FROM artist"), ["1|artist 1"]);
    assert_eq!(
        peer.send(&mut device, &[change("album", &surrogate(1, 9)).set("artist", at(10, 1), dangling)]),
        None
    );
    // It goes, and the album stays.
    peer.send(&mut device, &[died("artist", 1, 50)]);
    assert_eq!(rows(&device, "SELECT artist, title FROM album"), ["1|lost"]);
}

#[test]
fn a_reference_follows_the_integer_of_its_row() {
    let mut device = Device::new(MUSIC);
    let mut peer = Peer::new(1);
    device.sql("INSERT INTO artist VALUES(1, 'ours')");
    peer.send(&mut device, &[artist(1), artist(2), album(3, 1), album(4, 2)]);
    let query =
        "SELECT album.title, artist.name FROM album JOIN artist ON artist.id = album.artist ORDER BY 1";
    assert_eq!(rows(&device, query), ["album 3|artist 1", "album 4|artist 2"]);
    let moved = change("artist", &surrogate(1, 1)).set("id", at(30, 1), int(77));
    let committed = peer.send(&mut device, &[moved]).unwrap();
    assert_eq!(rows(&device, query), ["album 3|artist 1", "album 4|artist 2"]);
    assert_eq!(rows(&device, "SELECT id FROM artist WHERE name = 'artist 1'"), ["77"]);
    assert_eq!(committed.shown.len(), 2, "the album looks different, too");
    check_references(&device);
}

#[test]
fn a_reference_to_another_unique_column_follows_it() {
    let schema = "CREATE TABLE land(id INTEGER PRIMARY KEY, code TEXT UNIQUE);
        CREATE TABLE town(id INTEGER PRIMARY KEY, land TEXT REFERENCES land(code), name TEXT)";
    let land = |n: u64, code: &str| {
        insert("land", &surrogate(1, n), at(10, 1), &[("id", int(n as i64)), ("code", text(code))])
    };
    let town = |n: u64, of: u64| {
        let cells = [("id", int(n as i64)), ("land", to(&surrogate(1, of))), ("name", text("x"))];
        insert("town", &surrogate(1, n), at(10, 1), &cells)
    };
    let code = |n: u64, code: &str| change("land", &surrogate(1, n)).set("code", at(20, 1), text(code));
    let mut device = Device::new(schema);
    let mut peer = Peer::new(1);
    peer.send(&mut device, &[land(1, "aa"), land(2, "bb"), town(3, 1), town(4, 2)]);
    peer.send(&mut device, &[code(1, "bb"), code(2, "aa")]);
    assert_eq!(rows(&device, "SELECT id, land FROM town ORDER BY id"), ["3|bb", "4|aa"]);
    check_references(&device);
}

#[test]
fn a_join_row_is_known_by_what_it_joins() {
    let schema = "CREATE TABLE post(id INTEGER PRIMARY KEY, t TEXT); CREATE TABLE tag(id INTEGER PRIMARY KEY, t TEXT);
        CREATE TABLE post_tag(post INT REFERENCES post, tag INT REFERENCES tag, at INT, PRIMARY KEY(post, tag))
        WITHOUT ROWID";
    let (post, tag) = (surrogate(1, 1), surrogate(2, 1));
    let joined = natural([to(&post), to(&tag)]);
    let changes = [
        insert("post", &post, at(10, 1), &[("id", int(3)), ("t", text("p"))]),
        insert("tag", &tag, at(10, 2), &[("id", int(4)), ("t", text("t"))]),
        insert("post_tag", &joined, at(20, 2), &[("at", int(1))]),
        change("post", &post).set("id", at(30, 1), int(33)),
    ];
    all_orders(schema, &changes, "SELECT * FROM post_tag", &["33|4|1"], &[]);
    let dead = [&changes[..], &[change("tag", &tag).died(at(40, 1))]].concat();
    all_orders(schema, &dead, "SELECT * FROM post_tag", &["33|4|1"], &[]);
}

#[test]
fn a_composite_reference_waits_for_its_row() {
    let schema = "CREATE TABLE cell(x INT NOT NULL, y INT NOT NULL, PRIMARY KEY(x, y));
        CREATE TABLE pin(id INTEGER PRIMARY KEY, x INT, y INT, FOREIGN KEY(x, y) REFERENCES cell(x, y))";
    let pin = |n: u64, x: Value, y: Value| {
        insert("pin", &surrogate(1, n), at(10, 1), &[("id", int(n as i64)), ("x", x), ("y", y)])
    };
    let changes = [
        pin(1, int(1), int(2)),
        pin(2, int(1), Value::Null),
        pin(3, int(9), int(9)),
        change("cell", &natural([int(1), int(2)])).born(at(20, 1)),
    ];
    all_orders(schema, &changes, "SELECT id FROM pin ORDER BY id", &["1", "2"], &["pin|missing parent"]);
}

#[test]
fn a_local_parent_brings_its_children_in() {
    let schema = "CREATE TABLE room(name TEXT PRIMARY KEY NOT NULL);
        CREATE TABLE bed(id INTEGER PRIMARY KEY, room TEXT REFERENCES room)";
    let mut device = Device::new(schema);
    let bed = insert("bed", &surrogate(1, 1), at(15, 2), &[("id", int(1)), ("room", text("blue"))]);
    Peer::new(1).send(&mut device, &[bed]);
    assert_eq!(parked(&device), ["bed|missing parent"]);
    device.sql("INSERT INTO room VALUES('blue')");
    device.fold();
    assert_eq!(rows(&device, "SELECT room FROM bed"), ["blue"]);
    assert_eq!(parked(&device), [""; 0]);
}

#[test]
fn children_that_the_application_left_without_a_parent_stay_as_they_are() {
    let mut device = Device::new(MUSIC);
    device
        .sql("INSERT INTO artist VALUES(1, 'a'), (2, 'b'); INSERT INTO album VALUES(5, 1, 'x'), (6, 2, 'y')");
    device.fold();
    let before = device.clock("album", 5).unwrap().1;
    device.sql("DELETE FROM artist WHERE id = 1");
    let seq = device.fold().unwrap();
    assert_eq!(rows(&device, "SELECT id, artist FROM album"), ["5|1", "6|2"]);
    let after = device.clock("album", 5).unwrap().1;
    let column = device.column("album", "artist");
    assert_eq!(after.column(column).1, seq, "that it dangles now is news for others");
    assert!(after.column(column).0 > before.column(column).0);
    assert!(after.shadowed);
    assert!(!device.clock("album", 6).unwrap().1.shadowed);
    // Another artist takes the integer; the album does not belong to it.
    Peer::new(1).send(&mut device, &[artist(1)]);
    assert!(device.clock("album", 5).unwrap().1.shadowed);
    assert_eq!(device.clock("album", 5).unwrap().1.seq(), seq);
}

#[test]
fn a_concurrent_child_of_a_parent_that_was_deleted_here_waits() {
    let mut device = Device::new(MUSIC);
    device.sql("INSERT INTO artist VALUES(1, 'a')");
    device.fold();
    let (id, _) = device.clock("artist", 1).unwrap();
    device.sql("DELETE FROM artist");
    let cells = [("id", int(5)), ("artist", to(&id)), ("title", text("late"))];
    let late = insert("album", &surrogate(1, 9), at(10, 1), &cells);
    Peer::new(1).send(&mut device, &[late]);
    assert_eq!(rows(&device, "SELECT * FROM album"), [""; 0]);
    assert_eq!(parked(&device), ["album|missing parent"]);
}

#[test]
fn a_reference_left_to_a_key_that_is_used_again_means_the_new_row() {
    let mut device = Device::new(MUSIC);
    device.sql("INSERT INTO artist VALUES(1, 'a'); INSERT INTO album VALUES(5, 1, 'x')");
    device.fold();
    let (old, _) = device.clock("artist", 1).unwrap();
    device.sql("DELETE FROM artist WHERE id = 1; INSERT INTO artist VALUES(1, 'b')");
    let seq = device.fold().unwrap();
    let (new, _) = device.clock("artist", 1).unwrap();
    assert_ne!(old, new);
    let clock = device.clock("album", 5).unwrap().1;
    assert_eq!(clock.column(device.column("album", "artist")).1, seq, "the album was given to another");
    assert!(!clock.shadowed);
}

#[test]
fn nobody_comes_under_a_key_that_a_join_row_names_in_vain() {
    let schema = "CREATE TABLE post(id INTEGER PRIMARY KEY, t TEXT);
        CREATE TABLE vote(post INT REFERENCES post, who TEXT NOT NULL, n INT, PRIMARY KEY(post, who)) WITHOUT ROWID";
    let mut device = Device::new(schema);
    device.sql("INSERT INTO post VALUES(3, 'p'); INSERT INTO vote VALUES(3, 'me', 1)");
    device.fold();
    device.sql("DELETE FROM post");
    device.fold();
    assert_eq!(rows(&device, "SELECT * FROM vote"), ["3|me|1"]);
    let found = device.clock("vote", &[int(3), text("me")][..]).unwrap().0;
    assert_eq!(found, natural([Value::Dangling(Box::new(int(3))), text("me")]));
    Peer::new(1).send(&mut device, &[insert("post", &surrogate(1, 1), at(1, 1), &[("id", int(3))])]);
    assert_eq!(rows(&device, "SELECT id FROM post"), ["1"]);
    assert_eq!(device.clock("vote", &[int(3), text("me")][..]).unwrap().0, found);
}

#[test]
fn a_stranger_makes_way_for_a_key_that_names_nothing() {
    let schema = "CREATE TABLE post(id INTEGER PRIMARY KEY, title);
        CREATE TABLE remark(id INTEGER PRIMARY KEY, post INT REFERENCES post);
        CREATE TABLE vote(post INT REFERENCES post, who TEXT NOT NULL, n INT, PRIMARY KEY(post, who)) WITHOUT ROWID";
    let mut device = Device::new(schema);
    device.sql("INSERT INTO post VALUES(3, 'stranger'); INSERT INTO remark(post) VALUES(3)");
    device.fold();
    let stranger = device.id("post", 3).unwrap();
    // Elsewhere, post 3 went and left its votes behind.
    let nothing = natural([Value::Dangling(Box::new(int(3))), text("me")]);
    Peer::new(1).send(&mut device, &[insert("vote", &nothing, at(10, 1), &[("n", int(1))])]);
    assert_eq!(rows(&device, "SELECT * FROM vote"), ["3|me|1"]);
    assert_eq!(device.clock("vote", &[int(3), text("me")][..]).unwrap().0, nothing);
    assert_eq!(rows(&device, "SELECT id FROM post WHERE id = 3"), [] as [&str; 0]);
    let joined = "SELECT title FROM remark JOIN post ON post.id = remark.post";
    assert_eq!(rows(&device, joined), ["stranger"], "those who refer to it follow");
    let integer = device.number("SELECT id FROM post");
    assert_eq!(device.id("post", integer), Some(stranger), "it stays the row that it is");
}

#[test]
fn a_row_that_dies_with_the_one_that_kept_it_out_has_no_children() {
    let mut device = Device::new(MUSIC);
    let mut peer = Peer::new(1);
    let twin =
        |n: u64, ms| insert("artist", &surrogate(1, n), at(ms, 1), &[("id", int(1)), ("name", text("twin"))]);
    peer.send(&mut device, &[twin(1, 10), twin(2, 20)]);
    peer.send(&mut device, &[died("artist", 1, 30), died("artist", 2, 30), album(3, 2)]);
    // But for this one, which brings it back.
    assert_eq!(rows(&device, "SELECT artist.name FROM album JOIN artist ON artist.id = artist"), ["twin"]);
    assert_eq!(parked(&device), [""; 0]);
}

#[test]
fn a_default_that_was_never_written_waits_for_the_row_that_it_names() {
    for (key, first) in [("TEXT PRIMARY KEY", natural([text("7")])), ("INTEGER PRIMARY KEY", surrogate(1, 7))]
    {
        let schema = format!(
            "CREATE TABLE kind(id {key}, name TEXT);
             CREATE TABLE thing(id INTEGER PRIMARY KEY, kind DEFAULT {} REFERENCES kind(id), name TEXT)",
            if key.starts_with("TEXT") { "'7'" } else { "7" }
        );
        // Written where the table had no such column yet.
        let thing = |n: u64| insert("thing", &surrogate(1, n), at(n, 1), &[("name", text("thing"))]);
        let mut cells = vec![("name", text("kind"))];
        if key.starts_with("INTEGER") {
            cells.push(("id", int(7)));
        }
        let kind = insert("kind", &first, at(9, 1), &cells);
        let joined = "SELECT thing.id, kind.name FROM thing JOIN kind ON kind.id = kind";
        for early in [true, false] {
            let mut device = Device::new(&schema);
            let mut peer = Peer::new(1);
            if early {
                peer.send(&mut device, &[thing(1)]);
                assert_eq!(parked(&device), ["thing|missing parent"], "{key}");
                peer.send(&mut device, std::slice::from_ref(&kind));
            } else {
                peer.send(&mut device, std::slice::from_ref(&kind));
                peer.send(&mut device, &[thing(1)]);
            }
            assert_eq!(rows(&device, joined), ["1|kind"], "{key}");
            assert_eq!(parked(&device), [""; 0]);
            check_references(&device);
        }
    }
}

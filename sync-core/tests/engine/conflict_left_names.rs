//! Conflicts with what was written before another program rebuilt a table: the file has taken a new
//! name since, and reads again what it had read.

use crate::conflict_support::{
    World, conflicts, identify, introduce, only_pull, pause, push_rows, session, text, title,
};
use crate::replica_support::{Device, scope};
use pocketsync_core::conflict::{MergeType, Rule, Strategy, Winner};
use pocketsync_core::store::sqlite::{Replica, ReplicaOptions};
use pocketsync_core::store::{MemoryStore, Store, StoreReply, StoreRequest};
use pocketsync_core::value::Value;

/// Another program rebuilds a table that is not the one with the conflicts.
fn rebuild(device: &Device) {
    let site = device.site();
    let sql = "BEGIN; CREATE TABLE fresh(id INTEGER PRIMARY KEY, note TEXT REFERENCES note(id), n INTEGER);
        INSERT INTO fresh SELECT id, note, n FROM item; DROP TABLE item; ALTER TABLE fresh RENAME TO item; COMMIT";
    device.app.execute_batch(sql).unwrap();
    assert_ne!(device.site(), site);
}

fn write(device: &Device, title: &str) {
    device.app.execute("UPDATE note SET title = ?1", [title]).unwrap();
    pause();
}

/// Hands out what the hub does not have, for a link that loses it.
fn offer(device: &Device, hub: &mut MemoryStore) {
    let mut replica = device.replica.clone();
    let after = introduce(&mut replica, hub).0;
    let peer = identify(hub).site;
    let request = StoreRequest::Extract { scope: scope(), peer, after, max_bytes: 1 << 20, not_after: None };
    let StoreReply::Extracted(extracted) = replica.run(request).unwrap() else { panic!() };
    assert!(!extracted.changeset.is_empty());
}

/// The names that were left and that the device keeps in mind.
fn names_in_mind(device: &Device) -> Vec<String> {
    device.rows("SELECT site || ' at ' || peer FROM __pocketsync_former")
}

#[test]
fn what_was_offered_under_the_name_before_and_lost_is_logged() {
    let mut world = World::new(&[]);
    write(&world.a, "mine");
    offer(&world.a, &mut world.hub);
    rebuild(&world.a);
    write(&world.b, "theirs");
    session(&world.b, &mut world.hub);
    world.settle();
    assert_eq!((title(&world.a.app), title(&world.b.app)), ("theirs".to_owned(), "theirs".to_owned()));
    let log = conflicts(&world.a);
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!((&log[0].here.what, &log[0].came.what), (&text("mine"), &text("theirs")));
    assert_eq!(log[0].winner, Winner::Came);
}

#[test]
fn what_it_won_over_is_logged_too() {
    let mut world = World::new(&[]);
    write(&world.b, "theirs");
    write(&world.a, "mine");
    offer(&world.a, &mut world.hub);
    rebuild(&world.a);
    session(&world.b, &mut world.hub);
    only_pull(&world.a, &mut world.hub);
    assert_eq!(conflicts(&world.a).len(), 1);
    // Once, however often it is told.
    rebuild(&world.a);
    only_pull(&world.a, &mut world.hub);
    assert_eq!(conflicts(&world.a).len(), 1);
    world.settle();
    assert_eq!((title(&world.a.app), title(&world.b.app)), ("mine".to_owned(), "mine".to_owned()));
    let log = conflicts(&world.a);
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!((&log[0].came.what, log[0].winner), (&text("theirs"), Winner::Here));
}

#[test]
fn what_was_offered_before_a_second_rebuild_is_no_less_our_own() {
    let mut world = World::new(&[]);
    write(&world.a, "mine");
    offer(&world.a, &mut world.hub);
    rebuild(&world.a);
    world.a.app.execute_batch("UPDATE note SET body = 'mine'").unwrap();
    offer(&world.a, &mut world.hub);
    rebuild(&world.a);
    pause();
    world.b.app.execute_batch("UPDATE note SET title = 'theirs', body = 'theirs'").unwrap();
    session(&world.b, &mut world.hub);
    world.settle();
    let log = conflicts(&world.a);
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log.iter().all(|entry| entry.here.what == text("mine")), "{log:?}");
}

#[test]
fn what_nobody_was_told_of_is_judged_by_the_rules() {
    for (strategy, shown) in
        [(Strategy::HubWins, "theirs"), (Strategy::ClientWins, "mine"), (Strategy::LastWriteWins, "mine")]
    {
        let mut world = World::new(&[("title", strategy)]);
        write(&world.b, "theirs");
        write(&world.a, "mine");
        rebuild(&world.a);
        session(&world.b, &mut world.hub);
        world.settle();
        world.settle();
        assert_eq!((title(&world.a.app), title(&world.b.app)), (shown.to_owned(), shown.to_owned()));
        assert_eq!(world.log().len(), 1, "{:?}", world.log());
    }
}

#[test]
fn what_was_known_is_no_conflict_for_being_read_again() {
    for is_offered in [true, false] {
        for strategy in [Strategy::LastWriteWins, Strategy::HubWins] {
            let mut world = World::new(&[("title", strategy)]);
            write(&world.b, "theirs");
            world.settle();
            write(&world.a, "mine");
            if is_offered {
                offer(&world.a, &mut world.hub);
            }
            rebuild(&world.a);
            only_pull(&world.a, &mut world.hub);
            world.settle();
            world.settle();
            assert_eq!((title(&world.a.app), title(&world.b.app)), ("mine".to_owned(), "mine".to_owned()));
            let logs = (conflicts(&world.a), conflicts(&world.b), world.log());
            assert_eq!(logs, (vec![], vec![], vec![]), "offered: {is_offered}");
        }
    }
}

#[test]
fn a_row_that_was_deleted_knowingly_is_no_conflict_for_being_read_again() {
    let mut world = World::new(&[]);
    write(&world.b, "theirs");
    world.settle();
    world.a.app.execute_batch("DELETE FROM note").unwrap();
    offer(&world.a, &mut world.hub);
    rebuild(&world.a);
    only_pull(&world.a, &mut world.hub);
    world.settle();
    assert_eq!(conflicts(&world.a), []);
    assert!(world.b.rows("SELECT title FROM note").is_empty());
}

#[test]
fn names_are_kept_in_mind_until_the_peer_has_it_all() {
    let mut world = World::new(&[]);
    rebuild(&world.a);
    assert!(names_in_mind(&world.a).is_empty(), "the hub had it all");
    world.settle();
    write(&world.a, "mine");
    offer(&world.a, &mut world.hub);
    rebuild(&world.a);
    assert_eq!(names_in_mind(&world.a).len(), 1);
    world.settle();
    world.settle();
    assert!(names_in_mind(&world.a).is_empty());
    write(&world.b, "knowingly");
    world.settle();
    assert_eq!((title(&world.a.app), conflicts(&world.a)), ("knowingly".to_owned(), vec![]));
}

#[test]
fn a_copy_from_before_a_rebuild_has_the_same_rows() {
    let mut world = World::new(&[]);
    world.a.app.execute_batch("INSERT INTO item(note, n) VALUES('x', 7)").unwrap();
    // Folded, so the row has its name.
    introduce(&mut world.a.replica.clone(), &mut world.hub);
    let copy = world.a.path.with_file_name("copy.db");
    world.a.app.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    rebuild(&world.a);
    world.settle();
    let mut restored = Device::untracked("");
    restored.app = pocketsync_core::rusqlite::Connection::open(&copy).unwrap();
    restored.replica = Replica::open(&copy, ReplicaOptions::default()).unwrap();
    restored.path = copy;
    session(&restored, &mut world.hub);
    world.settle();
    for device in [&world.a, &world.b, &restored] {
        assert_eq!(device.rows("SELECT '' || n FROM item"), ["7"]);
    }
}

#[test]
fn rows_that_nobody_was_told_of_arrive_with_what_refers_to_them() {
    let mut world = World::new(&[]);
    let insert =
        "INSERT INTO note VALUES('y', 'new', NULL); INSERT INTO item(note, n) VALUES('y', 1), ('x', 2)";
    world.a.app.execute_batch(insert).unwrap();
    rebuild(&world.a);
    world.a.app.execute_batch("UPDATE item SET n = n + 10; DELETE FROM item WHERE note = 'x'").unwrap();
    world.settle();
    world.settle();
    let rows = world.hub.rows(&scope());
    assert_eq!(rows["item"].values().map(|row| row["n"].clone()).collect::<Vec<_>>(), [Value::Integer(11)]);
    for device in [&world.a, &world.b] {
        assert_eq!(device.rows("SELECT note || n FROM item JOIN note ON note.id = note"), ["y11"]);
    }
}

#[test]
fn who_is_not_let_read_tells_what_was_lost_all_the_same() {
    let mut world = World::new(&[]);
    write(&world.a, "mine");
    offer(&world.a, &mut world.hub);
    rebuild(&world.a);
    push_rows(&world.a, &mut world.hub, usize::MAX);
    let rows = world.hub.rows(&scope());
    assert_eq!(
        rows["note"].values().map(|row| row["title"].clone()).collect::<Vec<_>>(),
        [Value::text("mine")]
    );
}

/// The hub keeps no value that lost, and judges nothing that comes under another name than the sender's.
#[test]
fn what_lost_is_read_before_the_winner_is_told() {
    let mut world = World::new(&[]);
    world.b.app.execute_batch("INSERT INTO note VALUES('y', 'old', 'old')").unwrap();
    world.settle();
    write(&world.b, "theirs");
    write(&world.a, "mine");
    offer(&world.a, &mut world.hub);
    rebuild(&world.a);
    session(&world.b, &mut world.hub);
    world.settle();
    world.settle();
    let log = conflicts(&world.a);
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(
        log.iter().all(|entry| entry.came.what == text("theirs") && entry.winner == Winner::Here),
        "{log:?}"
    );
    assert_eq!(world.b.rows("SELECT title FROM note"), ["mine", "mine"]);
}

#[test]
fn what_was_written_under_the_name_before_is_overwritten_knowingly() {
    let mut world = World::new(&[("title", Strategy::HubWins)]);
    rebuild(&world.a);
    write(&world.a, "again");
    for title in ["once more", "and again"] {
        world.settle();
        rebuild(&world.a);
        write(&world.a, title);
    }
    world.settle();
    world.settle();
    assert_eq!((title(&world.a.app), title(&world.b.app)), ("and again".to_owned(), "and again".to_owned()));
    assert_eq!(world.log(), vec![]);
}

#[test]
fn what_was_judged_is_not_judged_again_when_everything_is_told_again() {
    let mut world = World::new(&[]);
    write(&world.a, "mine");
    rebuild(&world.a);
    write(&world.b, "theirs");
    session(&world.b, &mut world.hub);
    world.settle();
    world.settle();
    let log = world.log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!((&log[0].here.what, &log[0].came.what), (&text("theirs"), &text("mine")));
}

#[test]
fn what_was_added_before_is_added_once_whoever_was_told_of_it() {
    let mut world = World::new(&[]);
    let mut rule = Rule::column("item", "n");
    rule.merge = Some(MergeType::Counter);
    world.a.replica.set_rule(&rule).unwrap();
    world.a.app.execute_batch("INSERT INTO item(note, n) VALUES('x', 10)").unwrap();
    world.settle();
    let add = |device: &Device| device.app.execute_batch("UPDATE item SET n = n + 1").unwrap();
    add(&world.a);
    world.settle();
    add(&world.a);
    offer(&world.a, &mut world.hub);
    add(&world.a);
    rebuild(&world.a);
    add(&world.a);
    add(&world.b);
    for _ in 0..3 {
        world.settle();
    }
    for device in [&world.a, &world.b] {
        assert_eq!(device.rows("SELECT '' || n FROM item"), ["15"]);
    }
}

//! Conflicts at a device in a file: what it logs, what it brings back, and what its hub hears of.

use crate::conflict_support::{
    World, conflicts, identify, introduce, only_pull, pause, push_rows, session, text, title,
};
use crate::replica_support::{Device, scope};
use pocketsync_core::conflict::{Strategy, Winner, Written};
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::sqlite::{Replica, ReplicaOptions};
use pocketsync_core::store::{Store, StoreReply, StoreRequest};
use pocketsync_core::value::Value;

#[test]
fn writes_of_files_are_judged_and_every_file_shows_the_same() {
    for (strategy, shown) in
        [(Strategy::LastWriteWins, "b"), (Strategy::HubWins, "a"), (Strategy::ClientWins, "b")]
    {
        let mut world = World::new(&[("title", strategy)]);
        world.a.app.execute_batch("UPDATE note SET title = 'a'").unwrap();
        pause();
        world.b.app.execute_batch("UPDATE note SET title = 'b'").unwrap();
        world.settle();
        assert_eq!((title(&world.a.app), title(&world.b.app)), (shown.to_owned(), shown.to_owned()));
        assert_eq!(world.log().len(), 1, "{:?}", world.log());
        let rows = world.hub.rows(&scope());
        let row = rows["note"].values().next().unwrap();
        assert_eq!(row["title"], Value::text(shown));
    }
}

#[test]
fn writes_that_know_of_each_other_are_no_conflict() {
    let mut world = World::new(&[("title", Strategy::HubWins)]);
    for round in 0..4 {
        world.a.app.execute("UPDATE note SET title = ?1", [format!("a{round}")]).unwrap();
        world.settle();
        world.b.app.execute("UPDATE note SET title = ?1", [format!("b{round}")]).unwrap();
        world.settle();
    }
    assert_eq!((title(&world.a.app), world.log()), ("b3".to_owned(), vec![]));
    assert_eq!((conflicts(&world.a), conflicts(&world.b)), (vec![], vec![]));
}

#[test]
fn what_is_written_with_a_contested_cell_is_no_less_informed() {
    let mut world = World::new(&[("title", Strategy::HubWins)]);
    world.a.app.execute_batch("INSERT INTO note VALUES('y', 'old', 'old')").unwrap();
    world.settle();
    let b = "UPDATE note SET title = 'b' WHERE id = 'x'; UPDATE note SET body = 'b' WHERE id = 'y'";
    world.b.app.execute_batch(b).unwrap();
    pause();
    world.a.app.execute_batch("UPDATE note SET body = 'a' WHERE id = 'y'").unwrap();
    session(&world.b, &mut world.hub);
    only_pull(&world.a, &mut world.hub);
    // Of `body` nobody here has seen what the hub has; of `title` everybody has. One statement has one time.
    for n in 2..4 {
        let both = format!(
            "UPDATE note SET title = CASE id WHEN 'x' THEN 'a{n}' ELSE title END,
                             body = CASE id WHEN 'y' THEN 'a{n}' ELSE body END"
        );
        world.a.app.execute_batch(&both).unwrap();
        only_pull(&world.a, &mut world.hub);
    }
    world.settle();
    let titles = |device: &Device| -> String {
        let sql = "SELECT group_concat(title || ' ' || body, ', ') FROM note ORDER BY id";
        device.app.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(titles(&world.b), "a3 old, old a3");
    assert_eq!(titles(&world.a), titles(&world.b));
    let contested: Vec<_> = world.log().into_iter().map(|entry| entry.column).collect();
    assert_eq!(contested, [Some("body".to_owned())]);
}

#[test]
fn a_contested_cell_keeps_the_time_at_which_it_was_written() {
    let mut world = World::new(&[]);
    let write = |device: &Device, column: &str, value: &str| {
        device.app.execute(&format!("UPDATE note SET {column} = ?1"), [value]).unwrap();
        pause();
    };
    write(&world.b, "title", "b");
    write(&world.a, "title", "a");
    session(&world.b, &mut world.hub);
    only_pull(&world.a, &mut world.hub);
    write(&world.a, "title", "a2");
    write(&world.b, "title", "b2");
    // Folded together with the older one.
    write(&world.a, "body", "later");
    world.settle();
    assert_eq!((title(&world.a.app), title(&world.b.app)), ("b2".to_owned(), "b2".to_owned()));
}

#[test]
fn what_a_file_lost_before_the_hub_had_it_is_logged_and_judged_all_the_same() {
    for (strategy, shown) in [(Strategy::ClientWins, "a"), (Strategy::LastWriteWins, "b")] {
        let mut world = World::new(&[("title", strategy)]);
        world.a.app.execute_batch("UPDATE note SET title = 'a'").unwrap();
        pause();
        world.b.app.execute_batch("UPDATE note SET title = 'b'").unwrap();
        session(&world.b, &mut world.hub);
        only_pull(&world.a, &mut world.hub);
        assert_eq!(title(&world.a.app), "b");
        let log = conflicts(&world.a);
        assert_eq!(log.len(), 1);
        assert_eq!(
            (&log[0].here.what, &log[0].came.what, log[0].winner),
            (&text("a"), &text("b"), Winner::Came)
        );
        world.settle();
        assert_eq!((title(&world.a.app), title(&world.b.app)), (shown.to_owned(), shown.to_owned()));
        assert_eq!(world.log().len(), 1);
    }
}

#[test]
fn a_write_over_a_winner_that_hid_another_value_does_not_know_of_it() {
    let mut world = World::new(&[("title", Strategy::HubWins)]);
    world.b.app.execute_batch("UPDATE note SET title = 'b', body = 'b'").unwrap();
    session(&world.b, &mut world.hub);
    pause();
    world.a.app.execute_batch("UPDATE note SET title = 'a'").unwrap();
    only_pull(&world.a, &mut world.hub);
    let body: String = world.a.app.query_row("SELECT body FROM note", [], |row| row.get(0)).unwrap();
    assert_eq!((title(&world.a.app), body), ("a".to_owned(), "b".to_owned()));
    assert_eq!(conflicts(&world.a)[0].winner, Winner::Here);
    world.a.app.execute_batch("UPDATE note SET title = 'again'").unwrap();
    world.settle();
    assert_eq!(title(&world.b.app), "b");
    assert_eq!(title(&world.a.app), "b");
}

/// What the hub has staged of a push is judged by what its last piece says.
#[test]
fn what_is_pushed_in_pieces_is_judged_even_if_the_last_one_is_empty() {
    let mut world = World::new(&[]);
    world.b.app.execute_batch("INSERT INTO note VALUES('y', 'old', 'old')").unwrap();
    session(&world.b, &mut world.hub);
    world.a.app.execute_batch("UPDATE note SET title = 'a'").unwrap();
    // Its own row is not the last of its log, and what is behind it the hub has.
    only_pull(&world.a, &mut world.hub);
    pause();
    world.b.app.execute_batch("UPDATE note SET title = 'b' WHERE id = 'x'").unwrap();
    session(&world.b, &mut world.hub);
    push_rows(&world.a, &mut world.hub, 1);
    assert_eq!(world.log(), vec![]);
    world.settle();
    assert_eq!(world.log().len(), 1, "{:?}", world.log());
}

#[test]
fn what_was_hidden_from_a_write_is_told_whichever_piece_it_is_in() {
    let mut world = World::new(&[("title", Strategy::HubWins)]);
    world.a.app.execute_batch("INSERT INTO note VALUES('y', 'old', 'old')").unwrap();
    world.settle();
    world.b.app.execute_batch("UPDATE note SET title = 'b', body = 'b' WHERE id = 'x'").unwrap();
    session(&world.b, &mut world.hub);
    pause();
    world.a.app.execute_batch("UPDATE note SET title = 'a' WHERE id = 'x'").unwrap();
    only_pull(&world.a, &mut world.hub);
    world.a.app.execute_batch("UPDATE note SET title = 'again' WHERE id = 'x'").unwrap();
    only_pull(&world.a, &mut world.hub);
    world.a.app.execute_batch("UPDATE note SET body = 'a' WHERE id = 'y'").unwrap();
    push_rows(&world.a, &mut world.hub, usize::MAX);
    let rows = world.hub.rows(&scope());
    let titles: Vec<&Value> = rows["note"].values().map(|row| &row["title"]).collect();
    assert_eq!(titles, [&Value::text("b"), &Value::text("old")]);
    assert_eq!(world.log().len(), 1, "{:?}", world.log());
}

#[test]
fn what_lost_is_brought_back_as_a_new_write() {
    let mut world = World::new(&[("title", Strategy::HubWins)]);
    world.a.app.execute_batch("UPDATE note SET title = 'a'").unwrap();
    pause();
    world.b.app.execute_batch("UPDATE note SET title = 'b'").unwrap();
    world.settle();
    // The hub's answer replaced what b wrote.
    let log = conflicts(&world.b);
    assert_eq!(
        (log.len(), log[0].rule.as_str(), log[0].losers()[0].what.clone()),
        (1, "hub_wins", text("b"))
    );
    assert_eq!(world.b.replica.status().unwrap().conflicts, 1);
    world.b.replica.restore_conflict(log[0].id).unwrap();
    world.settle();
    assert_eq!((title(&world.a.app), title(&world.b.app)), ("b".to_owned(), "b".to_owned()));
    assert_eq!(world.log().len(), 1, "restored knowingly");
    let missing = world.b.replica.restore_conflict(99).unwrap_err();
    assert!(missing.message.contains("no conflict 99"), "{missing}");
}

#[test]
fn a_row_that_a_delete_took_is_brought_back_whole() {
    let mut world = World::new(&[]);
    world.a.app.execute_batch("INSERT INTO item VALUES(7, 'x', 1)").unwrap();
    world.settle();
    world.a.app.execute_batch("UPDATE note SET title = 'a'; UPDATE item SET n = 2").unwrap();
    pause();
    world.b.app.execute_batch("DELETE FROM item; DELETE FROM note").unwrap();
    session(&world.b, &mut world.hub);
    only_pull(&world.a, &mut world.hub);
    let count = |app: &Connection| -> i64 {
        app.query_row("SELECT (SELECT count(*) FROM note) + (SELECT count(*) FROM item)", [], |row| {
            row.get(0)
        })
        .unwrap()
    };
    assert_eq!(count(&world.a.app), 0);
    let mut log = conflicts(&world.a);
    assert_eq!(log.iter().filter(|conflict| conflict.column.is_none()).count(), 2, "{log:?}");
    log.retain(|conflict| conflict.column.is_none());
    log.sort_by_key(|conflict| conflict.table != "note");
    for conflict in &log {
        assert_eq!((&conflict.came.what, conflict.rule.as_str()), (&Written::Deleted, "delete_wins"));
        world.a.replica.restore_conflict(conflict.id).unwrap();
    }
    world.settle();
    for app in [&world.a.app, &world.b.app] {
        assert_eq!((count(app), title(app)), (2, "a".to_owned()));
        let item: (String, i64) =
            app.query_row("SELECT note, n FROM item", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(item, ("x".to_owned(), 2));
    }
}

#[test]
fn the_log_of_a_file_is_bounded() {
    let mut world = World::new(&[("title", Strategy::HubWins)]);
    for round in 0..4 {
        world.a.app.execute("UPDATE note SET title = ?1", [format!("a{round}")]).unwrap();
        world.b.app.execute("UPDATE note SET title = ?1", [format!("b{round}")]).unwrap();
        world.settle();
    }
    assert_eq!(conflicts(&world.b).len(), 4);
    let World { a, b, mut hub } = world;
    let (path, app, _dir) = (b.path.clone(), b.app, b._dir);
    drop(b.replica);
    let mut options = ReplicaOptions::default();
    options.conflicts = pocketsync_core::conflict::ConflictLimits::new(1 << 40, 2);
    let b = Device { replica: Replica::open(&path, options).unwrap(), path, app, _dir };
    a.app.execute_batch("UPDATE note SET title = 'a'").unwrap();
    b.app.execute_batch("UPDATE note SET title = 'b'").unwrap();
    session(&a, &mut hub);
    session(&b, &mut hub);
    let log = conflicts(&b);
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].here.what, text("b"));
    assert_eq!(b.replica.status().unwrap().conflicts, 2);
}

/// What a push costs more, in bytes, for saying what its sender knew.
#[test]
fn saying_what_is_known_costs_a_few_bytes() {
    let mut world = World::new(&[]);
    for round in 0..200 {
        world.a.app.execute("UPDATE note SET title = ?1", [round]).unwrap();
        session(&world.a, &mut world.hub);
        session(&world.b, &mut world.hub);
    }
    world.b.app.execute_batch("UPDATE note SET body = 'b'").unwrap();
    let mut replica = world.b.replica.clone();
    let (after, _) = introduce(&mut replica, &mut world.hub);
    let peer = identify(&mut world.hub).site;
    let request = StoreRequest::Extract { scope: scope(), peer, after, max_bytes: 1 << 20, not_after: None };
    let StoreReply::Extracted(extracted) = replica.run(request).unwrap() else { panic!() };
    let bytes = extracted.seen.to_bytes();
    assert!((3..=6).contains(&bytes.len()), "{} bytes: {:?}", bytes.len(), extracted.seen);
}

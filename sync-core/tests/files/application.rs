//! The application goes on writing, from its own threads, while files are in sync.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::world::World;
use pocketsync_core::rusqlite::{Connection, ErrorCode, TransactionBehavior};

const ACCOUNTS: &str = "CREATE TABLE account(name TEXT PRIMARY KEY, amount INT NOT NULL, padding TEXT);
    CREATE TABLE transfer(id INTEGER PRIMARY KEY, amount INT, slip TEXT)";

/// Every transaction keeps the sum at zero, and writes down what it moved.
fn balanced(app: &Connection) {
    let query = "SELECT coalesce((SELECT sum(amount) FROM account), 0), coalesce((SELECT sum(amount) FROM transfer), 0),
        coalesce((SELECT amount FROM account WHERE name = 'till'), 0)";
    let (sum, moved, till): (i64, i64, i64) =
        app.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!((sum, till), (0, -moved), "half a transaction is shown");
}

fn transfer(app: &mut Connection, n: i64) {
    let tx = app.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    // The till is in every transaction, so that its row leaves its place in the log each time.
    tx.execute("UPDATE account SET amount = amount - ?1 WHERE name = 'till'", [n]).unwrap();
    if n % 3 == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    tx.execute("UPDATE account SET amount = amount + ?1 WHERE name = 'box ' || (?1 % 7)", [n]).unwrap();
    // Large enough that a few transactions do not fit into one piece.
    tx.execute("INSERT INTO transfer(amount, slip) VALUES(?1, hex(randomblob(3000)))", [n]).unwrap();
    tx.commit().unwrap();
}

fn accounts(world: &World) {
    let boxes: String = (0..7).map(|n| format!(", ('box {n}', 0, hex(randomblob(200)))")).collect();
    world.sql(0, &format!("INSERT INTO account VALUES('till', 0, ''){boxes}"));
}

#[test]
fn no_half_transaction_is_shown_while_an_application_writes() {
    let (wal, rollback) = ("WAL", "DELETE");
    for mode in [wal, rollback] {
        let mut world = World::empty();
        // Transactions are cut into pieces, and pieces into frames.
        world.max_frame_bytes = 256;
        world.install(ACCOUNTS, mode);
        world.install(ACCOUNTS, mode);
        world.invariant = Some(balanced);
        accounts(&world);
        world.settle();
        let path = world.devices[0].path.clone();
        let done = AtomicBool::new(false);
        let mut looks = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut app = Connection::open(&path).unwrap();
                app.busy_timeout(Duration::from_secs(20)).unwrap();
                app.execute_batch("PRAGMA synchronous = OFF").unwrap();
                for n in 1..=150 {
                    transfer(&mut app, n);
                    if n % 4 == 0 {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
                done.store(true, Ordering::Release);
            });
            for round in 0.. {
                if done.load(Ordering::Acquire) {
                    break;
                }
                // Now and then one of them has been away, and catches up.
                for n in 0..2 {
                    if round % 40 == 20 * n {
                        world.go_offline(n);
                    } else if round % 40 == 20 * n + 5 {
                        world.devices[n].online = true;
                    }
                }
                world.connect_all();
                world.look();
                for _ in 0..60 {
                    world.step();
                }
                if world.devices[1].caught_up {
                    balanced(&world.devices[1].app);
                    looks += 1;
                }
            }
        });
        world.devices.iter_mut().for_each(|device| device.online = true);
        world.settle();
        assert!(looks > 0, "{mode}: it was caught up in between");
        assert_eq!(
            world.same("SELECT count(*) || ' ' || sum(amount) FROM transfer"),
            ["150 11325"],
            "{mode}"
        );
        assert_eq!(world.same("SELECT name || amount FROM account ORDER BY name").len(), 8);
        balanced(&world.devices[1].app);
    }
}

#[test]
fn a_reader_that_turns_writer_begins_again_and_loses_nothing() {
    let mut world = World::new(2, ACCOUNTS);
    accounts(&world);
    world.settle();
    // The application looks, the engine commits a change of the other device, the application writes.
    let app = Connection::open(&world.devices[0].path).unwrap();
    app.busy_timeout(Duration::from_secs(5)).unwrap();
    let till = |app: &Connection| {
        app.query_row("SELECT amount FROM account WHERE name = 'till'", [], |row| row.get::<_, i64>(0))
    };
    app.execute_batch("BEGIN").unwrap();
    assert_eq!(till(&app).unwrap(), 0);
    world.sql(1, "UPDATE account SET amount = 100 WHERE name = 'till'");
    world.settle();
    assert_eq!(till(&app).unwrap(), 0, "its snapshot stays");
    let raise = "UPDATE account SET amount = amount + 1 WHERE name = 'till'";
    let error = app.execute(raise, []).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    // What the documentation says: roll back, and begin with IMMEDIATE.
    app.execute_batch(&format!("ROLLBACK; BEGIN IMMEDIATE; {raise}")).unwrap();
    // Now it is the engine that waits, and the session that comes again.
    world.sql(1, "UPDATE account SET amount = 7 WHERE name = 'box 1'");
    app.execute_batch("COMMIT").unwrap();
    world.settle();
    assert_eq!(
        world.same("SELECT name || amount FROM account WHERE amount <> 0 ORDER BY name"),
        ["box 17", "till101"]
    );
}

#[test]
fn a_file_that_is_locked_for_long_costs_a_session_and_nothing_else() {
    let mut world = World::new(2, ACCOUNTS);
    accounts(&world);
    world.settle();
    let app = Connection::open(&world.devices[1].path).unwrap();
    app.execute_batch("BEGIN IMMEDIATE; UPDATE account SET amount = 5 WHERE name = 'box 2'").unwrap();
    world.sql(0, "UPDATE account SET amount = 3 WHERE name = 'box 3'");
    world.look();
    while world.step() {}
    let end = world.devices[1].ends.last().expect("the engine keeps out of the way");
    assert!(end.code() == "busy" && end.is_retryable(), "{end}");
    app.execute_batch("COMMIT").unwrap();
    world.settle();
    assert_eq!(
        world.same("SELECT name || amount FROM account WHERE amount <> 0 ORDER BY name"),
        ["box 25", "box 33"]
    );
}

#[test]
fn files_with_a_rollback_journal_sync_with_files_in_wal_mode() {
    let mut world = World::empty();
    let modes = ["DELETE", "WAL", "TRUNCATE", "PERSIST"];
    for (n, mode) in modes.into_iter().enumerate() {
        world.install(ACCOUNTS, mode);
        world.sql(n, &format!("INSERT INTO account VALUES('by {mode}', {n}, NULL)"));
    }
    world.settle();
    let all = "SELECT name || amount FROM account ORDER BY name";
    assert_eq!(world.same(all), ["by DELETE0", "by PERSIST3", "by TRUNCATE2", "by WAL1"]);
    for n in 0..modes.len() {
        world.sql(n, &format!("UPDATE account SET amount = amount + 10 WHERE amount = {}", (n + 1) % 4));
    }
    world.kill(0);
    world.settle();
    assert_eq!(world.same(all), ["by DELETE10", "by PERSIST13", "by TRUNCATE12", "by WAL11"]);
    for (n, mode) in modes.into_iter().enumerate() {
        let now: String =
            world.devices[n].app.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        // TRUNCATE and PERSIST are a connection's own setting; the file knows WAL or not.
        assert_eq!(now == "wal", mode == "WAL", "the engine lets the mode be");
    }
}

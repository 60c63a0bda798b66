//! Other programs write, as processes of their own.

use std::process::Command;

use crate::tracking_support::{File, short};

const SCHEMA: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT UNIQUE, body);
    CREATE TABLE tag(name TEXT PRIMARY KEY COLLATE NOCASE, color) WITHOUT ROWID;";

const WRITES: &str = "INSERT INTO note(title) VALUES('a'), ('b');
    UPDATE note SET body = 1.0 WHERE id = 1;
    REPLACE INTO note(title) VALUES('b');
    INSERT INTO tag VALUES('x', 1);
    UPDATE tag SET name = 'X';
    DELETE FROM note WHERE id = 1;";

const CAPTURED: [&str; 9] = [
    "insert 1",
    "insert 2",
    "update 1 100",
    "touch 2",
    "insert 3",
    "insert 'x'",
    "delete 'x'",
    "insert 'X'",
    "delete 1",
];

/// Runs a program where it is installed.
fn run(command: &mut Command) -> bool {
    match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("{command:?} is not installed; nothing was tested");
            false
        }
        output => {
            let output = output.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            true
        }
    }
}

#[test]
fn the_sqlite3_shell() {
    let file = File::tracked(SCHEMA);
    if run(Command::new("sqlite3").arg("-bail").arg(&file.path).arg(WRITES)) {
        assert_eq!(short(&file.journal()), CAPTURED);
    }
}

#[test]
fn python() {
    let file = File::tracked(SCHEMA);
    let script =
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()";
    if run(Command::new("python3").args(["-c", script]).arg(&file.path).arg(WRITES)) {
        assert_eq!(short(&file.journal()), CAPTURED);
    }
}

#[test]
fn rusqlite() {
    let file = File::tracked(SCHEMA);
    file.app.execute_batch(WRITES).unwrap();
    assert_eq!(short(&file.journal()), CAPTURED);
}

#[test]
fn a_writer_that_is_killed_leaves_row_and_entry_or_neither() {
    let file = File::tracked(SCHEMA);
    let script = "import sqlite3, sys, os, signal
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute(\"insert into note(title) values('kept')\")
c.execute('begin'); c.execute(\"insert into note(title) values('lost')\")
os.kill(os.getpid(), signal.SIGKILL)";
    let mut command = Command::new("python3");
    match command.args(["-c", script]).arg(&file.path).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        output => assert!(!output.unwrap().status.success()),
    }
    assert_eq!(short(&file.journal()), ["insert 1"]);
    let titles: String =
        file.app.query_row("SELECT group_concat(title) FROM note", [], |row| row.get(0)).unwrap();
    assert_eq!(titles, "kept");
}

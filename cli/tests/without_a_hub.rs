//! Bundles that are carried, and two files of one machine: real files and processes.

mod processes;

use std::path::{Path, PathBuf};

use pocketsync::rusqlite::Connection;
use processes::{expect, stderr, stdout, text};
use serde_json::Value;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(files: &[&str]) -> Self {
        let desk = Desk { folder: tempfile::tempdir().unwrap() };
        for name in files {
            desk.sql(name, "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)");
            expect(0, ["track", text(&desk.path(name))]);
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sql(&self, name: &str, sql: &str) {
        Connection::open(self.path(name)).unwrap().execute_batch(sql).unwrap();
    }

    fn titles(&self, name: &str) -> Vec<String> {
        let file = Connection::open(self.path(name)).unwrap();
        let mut statement = file.prepare("SELECT title FROM note ORDER BY title").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn export(&self, file: &str, bundle: &str, more: &[&str]) -> Value {
        let (file, bundle) = (self.path(file), self.path(bundle));
        let all =
            ["export", text(&file), "--to", text(&bundle), "--json"].into_iter().chain(more.iter().copied());
        json(&stdout(&expect(0, all)))
    }

    fn import(&self, file: &str, bundle: &str) -> Value {
        json(&stdout(&expect(
            0,
            ["import", text(&self.path(file)), "--from", text(&self.path(bundle)), "--json"],
        )))
    }

    fn refused(&self, file: &str, bundle: &str) -> String {
        stderr(&expect(2, ["import", text(&self.path(file)), "--from", text(&self.path(bundle))]))
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn files_in(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).filter(|name| !name.contains(".db")).collect()
}

#[test]
fn a_bundle_goes_there_and_an_answer_comes_back() {
    let desk = Desk::new(&["boat.db", "office.db"]);
    desk.sql("boat.db", "INSERT INTO note(title) VALUES('from the boat'), ('cod')");
    desk.sql("office.db", "INSERT INTO note(title) VALUES('from the office')");
    let there = desk.export("boat.db", "stick", &[]);
    assert_eq!((&there["rows"], &there["recipient"]), (&Value::from(2), &Value::Null), "{there}");
    let (office, stick) = (desk.path("office.db"), desk.path("stick"));
    let said = stdout(&expect(0, ["import", text(&office), "--from", text(&stick)]));
    assert!(said.starts_with("merged: 2 rows, 2 rows changed here\n"), "{said}");
    let again = desk.import("office.db", "stick");
    assert_eq!((&again["already_here"], &again["changed_rows"]), (&Value::Bool(true), &Value::from(0)));
    // The import said how to answer; the beginning of a name that was met is enough.
    let boat = there["sender"].as_str().unwrap();
    assert!(said.contains(&format!("--for {boat}")), "{said}");
    let back = desk.export("office.db", "answer", &["--for", &boat[..13]]);
    assert_eq!((&back["rows"], &back["recipient"]), (&Value::from(1), &Value::from(boat)), "{back}");
    let imported = desk.import("boat.db", "answer");
    assert_eq!(imported["changed_rows"], 1);
    expect(0, ["diff", text(&desk.path("boat.db")), text(&office)]);
    // What has arrived is known now.
    let office = back["sender"].as_str().unwrap();
    assert_eq!(desk.export("boat.db", "next", &["--for", office])["rows"], 0);
    assert_eq!(files_in(desk.folder.path()).len(), 3, "no unfinished bundle is left");
}

#[test]
fn bundles_that_build_on_each_other_are_taken_in_their_order() {
    let desk = Desk::new(&["a.db", "b.db"]);
    desk.sql("a.db", "INSERT INTO note(title) VALUES('first')");
    desk.export("a.db", "week1", &[]);
    desk.sql("a.db", "INSERT INTO note(title) VALUES('second')");
    let week1 = desk.path("week1");
    assert_eq!(desk.export("a.db", "week2", &["--since", text(&week1)])["rows"], 1);
    let refused = desk.refused("b.db", "week2");
    assert!(refused.contains("begins at position") && refused.contains("hint: export"), "{refused}");
    desk.import("b.db", "week1");
    desk.import("b.db", "week2");
    assert_eq!(desk.titles("b.db"), ["first", "second"]);
}

#[test]
fn what_is_no_good_is_refused_with_the_way_out() {
    let desk = Desk::new(&["a.db", "b.db"]);
    desk.sql("a.db", "INSERT INTO note(title) VALUES('a note')");
    desk.export("a.db", "stick", &[]);
    let whole = std::fs::read(desk.path("stick")).unwrap();
    std::fs::write(desk.path("cut"), &whole[..whole.len() - 10]).unwrap();
    let mut wrong = whole.clone();
    wrong[whole.len() / 2] ^= 1;
    std::fs::write(desk.path("wrong"), wrong).unwrap();
    for (bundle, says, hint) in [
        ("cut", "cut off", "copy it again"),
        ("wrong", "damaged", "copy it again"),
        ("a.db", "no bundle", ""),
        ("missing", "No such file", ""),
    ] {
        let refused = desk.refused("b.db", bundle);
        assert!(refused.contains(says) && refused.contains(hint), "{bundle}: {refused}");
    }
    assert!(desk.refused("a.db", "stick").contains("by this replica itself"));
    let (b, stick) = (desk.path("b.db"), desk.path("stick"));
    let other = expect(2, ["import", text(&b), "--from", text(&stick), "--scope", "letters"]);
    assert!(stderr(&other).contains("of the scope main, not letters"), "{}", stderr(&other));
    assert!(desk.titles("b.db").is_empty());

    let a = desk.path("a.db");
    let there = stderr(&expect(2, ["export", text(&a), "--to", text(&stick)]));
    assert!(there.contains("is there already") && there.contains("--force"), "{there}");
    expect(0, ["export", text(&a), "--to", text(&stick), "--force"]);
    let nobody = stderr(&expect(2, ["export", text(&a), "--to", text(&desk.path("x")), "--for", "nobody"]));
    assert!(nobody.contains("pocketsync status"), "{nobody}");
    let nowhere = desk.path("no/such/folder/bundle");
    expect(2, ["export", text(&a), "--to", text(&nowhere)]);
    assert!(!desk.path("x").exists());
    let plain = desk.path("plain.db");
    Connection::open(&plain).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
    assert!(
        stderr(&expect(2, ["import", text(&plain), "--from", text(&stick)])).contains("pocketsync track")
    );
}

#[test]
fn a_restored_file_is_told_so_and_loses_nothing() {
    let desk = Desk::new(&["a.db", "b.db"]);
    desk.sql("a.db", "INSERT INTO note(title) VALUES('old')");
    desk.export("a.db", "first", &[]);
    std::fs::copy(desk.path("a.db"), desk.path("backup.db")).unwrap();
    desk.sql("a.db", "INSERT INTO note(title) VALUES('after the backup')");
    desk.export("a.db", "second", &[]);
    desk.import("b.db", "second");
    std::fs::copy(desk.path("backup.db"), desk.path("a.db")).unwrap();
    desk.sql("a.db", "INSERT INTO note(title) VALUES('after the restore')");
    desk.export("a.db", "third", &[]);
    let refused = desk.refused("b.db", "third");
    assert!(refused.contains("restored from a backup") && refused.contains("hint"), "{refused}");
    desk.export("b.db", "fourth", &[]);
    let (a, fourth) = (desk.path("a.db"), desk.path("fourth"));
    let told = expect(0, ["import", text(&a), "--from", text(&fourth)]);
    assert!(stderr(&told).contains("under the new name"), "{}", stderr(&told));
    desk.export("a.db", "fifth", &[]);
    desk.import("b.db", "fifth");
    for file in ["a.db", "b.db"] {
        assert_eq!(desk.titles(file), ["after the backup", "after the restore", "old"]);
    }
}

#[test]
fn two_files_of_one_machine_sync_without_a_hub() {
    let desk = Desk::new(&["a.db", "b.db"]);
    desk.sql("a.db", "INSERT INTO note(title) VALUES('of a'), ('more of a')");
    desk.sql("b.db", "INSERT INTO note(title) VALUES('of b')");
    let (a, b) = (desk.path("a.db"), desk.path("b.db"));
    let report = json(&stdout(&expect(0, ["sync", text(&a), "--peer", text(&b), "--json"])));
    assert_eq!(report["in_sync"], true);
    assert_eq!(
        (&report["changed_rows"], &report["changed_rows_in_peer"]),
        (&Value::from(1), &Value::from(2))
    );
    expect(0, ["diff", text(&a), text(&b)]);
    let said = stdout(&expect(0, ["sync", text(&b), "--peer", text(&a)]));
    assert!(said.contains("0 rows changed here, 0 rows in"), "{said}");

    assert!(stderr(&expect(2, ["sync", text(&a), "--peer", text(&a)])).contains("one file"));
    let copy = desk.path("copy.db");
    std::fs::copy(&a, &copy).unwrap();
    let copies = stderr(&expect(2, ["sync", text(&a), "--peer", text(&copy)]));
    assert!(copies.contains("copies of one file") && copies.contains("hint"), "{copies}");
    // Neither without another side, nor with two.
    expect(2, ["sync", text(&a)]);
    expect(2, ["sync", text(&a), "--peer", text(&b), "--hub", "ws://127.0.0.1:1", "--scope", "s"]);
}

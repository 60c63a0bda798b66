//! Devices that may not write everything, and devices that say to be others.

mod contents;
mod processes;

use std::path::{Path, PathBuf};

use pocketsync::rusqlite::Connection;
use processes::{Hub, expect, run, stderr, stdout, text};

/// A hub with a file of tokens, and devices with their own.
struct Setting {
    folder: tempfile::TempDir,
    hub: Hub,
}

impl Setting {
    fn new(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokens.toml"), "").unwrap();
        let (data, tokens) = (folder.path().join("hub"), folder.path().join("tokens.toml"));
        let options = ["--tokens", text(&tokens)];
        let options: Vec<&str> = options.iter().chain(more).copied().collect();
        let hub = Hub::start(&data, "127.0.0.1:0", &options);
        Setting { folder, hub }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn token(&self, name: &str, more: &[&str]) {
        let tokens = self.at("tokens.toml");
        let new = ["token", "new", "--file", text(&tokens), "--name", name, "--scope", "notes"];
        let output = expect(0, new.into_iter().chain(more.iter().copied()));
        std::fs::write(self.at(&format!("{name}.token")), stdout(&output)).unwrap();
        // The hub looks at the file every second.
        std::thread::sleep(std::time::Duration::from_millis(1_500));
    }

    fn device(&self, name: &str) -> PathBuf {
        let file = self.at(&format!("{name}.db"));
        Connection::open(&file)
            .unwrap()
            .execute_batch(
                "PRAGMA journal_mode = WAL; CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT);
                 CREATE TABLE comment(id TEXT PRIMARY KEY, body TEXT)",
            )
            .unwrap();
        expect(0, ["track", text(&file)]);
        file
    }

    fn sync(&self, file: &Path, token: &str, more: &[&str]) -> std::process::Output {
        let token = self.at(&format!("{token}.token"));
        let sync =
            ["sync", text(file), "--hub", &self.hub.url, "--scope", "notes", "--token-file", text(&token)];
        run(sync.into_iter().chain(more.iter().copied()))
    }
}

fn sql(file: &Path, statements: &str) {
    contents::open(file).execute_batch(statements).unwrap();
}

fn titles(file: &Path) -> Vec<String> {
    let conn = contents::open(file);
    let mut query =
        conn.prepare("SELECT title FROM note UNION ALL SELECT body FROM comment ORDER BY 1").unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_a_token_may_not_write_is_parked_and_can_be_tried_again() {
    let setting = Setting::new(&[]);
    setting.token("owner", &["--read", "--write"]);
    setting.token("guest", &["--read", "--write-table", "comment"]);
    let (owner, guest) = (setting.device("owner"), setting.device("guest"));
    sql(&owner, "INSERT INTO note VALUES('x', 'of the owner')");
    assert!(setting.sync(&owner, "owner", &[]).status.success());
    assert!(setting.sync(&guest, "guest", &[]).status.success());

    sql(&guest, "UPDATE note SET title = 'of the guest'; INSERT INTO comment VALUES('c', 'hello')");
    let output = setting.sync(&guest, "guest", &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("1 row is parked"), "{}", stdout(&output));
    assert!(setting.sync(&owner, "owner", &[]).status.success());
    for file in [&owner, &guest] {
        assert_eq!(titles(file), ["hello", "of the owner"]);
    }
    let listed = stdout(&expect(1, ["parked", text(&guest)]));
    for words in ["note: not allowed", "this device may not write", "title = 'of the guest'"] {
        assert!(listed.contains(words), "{words}: {listed}");
    }
    assert!(stdout(&expect(1, ["status", text(&guest)])).contains("not allowed"));
    expect(0, ["parked", text(&owner)]);

    // With the right it is written once more, on demand.
    setting.token("editor", &["--identity", "guest", "--read", "--write"]);
    assert!(setting.sync(&guest, "editor", &[]).status.success());
    assert_eq!(titles(&guest), ["hello", "of the owner"]);
    expect(0, ["parked", text(&guest), "--retry"]);
    assert!(setting.sync(&guest, "editor", &[]).status.success());
    assert!(setting.sync(&owner, "owner", &[]).status.success());
    assert_eq!(titles(&owner), ["hello", "of the guest"]);

    // Or forgotten.
    sql(&guest, "INSERT INTO note VALUES('y', 'again')");
    assert!(setting.sync(&guest, "guest", &[]).status.success());
    let report: serde_json::Value =
        serde_json::from_str(&stdout(&expect(1, ["parked", text(&guest), "--json"]))).unwrap();
    assert_eq!(report["parked"][0]["reason"], "not allowed");
    let handle = report["parked"][0]["handle"].as_str().unwrap();
    let output = expect(0, ["parked", text(&guest), "--discard", handle]);
    assert!(stdout(&output).contains("forgotten"), "{}", stdout(&output));
    assert_eq!(titles(&guest), ["hello", "of the guest"]);
}

#[test]
fn a_site_belongs_to_the_identity_that_came_first() {
    let setting = Setting::new(&[]);
    setting.token("alice", &["--read", "--write"]);
    setting.token("bob", &["--read", "--write"]);
    let file = setting.device("shared");
    sql(&file, "INSERT INTO note VALUES('x', 'of alice')");
    assert!(setting.sync(&file, "alice", &[]).status.success());
    sql(&file, "INSERT INTO note VALUES('y', 'never sent')");
    let output = setting.sync(&file, "bob", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--new-site"), "{}", stderr(&output));
    assert_eq!(titles(&file), ["never sent", "of alice"], "everything is kept");
    let output = setting.sync(&file, "bob", &["--new-site"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let other = setting.device("other");
    assert!(setting.sync(&other, "alice", &[]).status.success());
    assert_eq!(titles(&other), ["never sent", "of alice"]);
}

#[test]
fn a_scope_holds_as_much_as_it_may() {
    let setting = Setting::new(&["--quota", "64K", "--max-row", "1M"]);
    setting.token("alice", &["--read", "--write"]);
    let file = setting.device("large");
    sql(&file, "INSERT INTO note VALUES('x', 'small')");
    assert!(setting.sync(&file, "alice", &[]).status.success());
    sql(&file, "INSERT INTO comment VALUES('c', printf('%.*c', 100000, 'x'))");
    let output = setting.sync(&file, "alice", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--quota"), "{}", stderr(&output));
    sql(&file, "DELETE FROM comment");
    let output = setting.sync(&file, "alice", &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    sql(&file, "INSERT INTO comment VALUES('d', printf('%.*c', 2000000, 'x'))");
    let output = setting.sync(&file, "alice", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("rows of up to 1048576"), "{}", stderr(&output));
}

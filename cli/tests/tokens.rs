//! A hub that lets in by a file of tokens, while that file changes.

mod contents;
mod guards;
mod processes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use guards::signed;
use pocketsync::rusqlite::Connection;
use processes::{Hub, expect, run, sidecar_with, stderr, stdout, text, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

fn device(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(name);
    let conn = Connection::open(&file).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)")
        .unwrap();
    expect(0, ["track", text(&file)]);
    file
}

fn write(file: &Path, title: &str) {
    contents::open(file).execute("INSERT INTO note(title) VALUES (?1)", [title]).unwrap();
}

fn notes(file: &Path) -> Vec<String> {
    let conn = contents::open(file);
    let mut query = conn.prepare("SELECT title FROM note ORDER BY title").unwrap();
    let titles = query.query_map([], |row| row.get(0)).unwrap();
    titles.map(Result::unwrap).collect()
}

/// Makes a token and puts it where a device reads it.
fn new_token(tokens: &Path, name: &str, into: &Path, more: &[&str]) {
    let new = ["token", "new", "--file", text(tokens), "--name", name];
    let output = expect(0, new.into_iter().chain(more.iter().copied()));
    std::fs::write(into, stdout(&output)).unwrap();
}

#[test]
fn a_token_is_made_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.toml");
    let file = text(&tokens);
    let new = |name, more: &[&'static str]| {
        let arguments = ["token", "new", "--file", file, "--name", name];
        run(arguments.into_iter().chain(more.iter().copied()))
    };
    let output = new("phone", &["--scope", "notes", "--scope", "team-*", "--read", "--write"]);
    let token = stdout(&output).trim_end().to_owned();
    assert!(output.status.success() && token.len() > 60, "{}", stderr(&output));
    let written = std::fs::read_to_string(&tokens).unwrap();
    assert!(!written.contains(&token), "{written}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&tokens).unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(&tokens, format!("# our devices\n{written}")).unwrap();
    assert!(new("screen", &["--scope", "*", "--read", "--expires", "30d"]).status.success());

    for (wrong, says) in [
        (new("phone", &["--scope", "*", "--read"]), "already"),
        (new("other", &["--scope", "*"]), "--read"),
        (new("other", &["--read"]), "--scope"),
        (new("other", &["--scope", "*", "--read", "--expires", "soon"]), "30d"),
        (run(["token", "revoke", "--file", file, "nobody"]), "no token `nobody`"),
        (run(["token", "list", "--file", "/nowhere"]), "/nowhere"),
    ] {
        assert_eq!(wrong.status.code(), Some(2));
        assert!(stderr(&wrong).contains(says), "{}", stderr(&wrong));
    }

    let listed = stdout(&expect(0, ["token", "list", "--file", file]));
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines[1].starts_with("phone") && lines[1].contains("notes, team-*  read, write  never"));
    assert!(lines[2].starts_with("screen") && lines[2].contains('Z'), "{listed}");

    expect(0, ["token", "revoke", "--file", file, "phone"]);
    let left = std::fs::read_to_string(&tokens).unwrap();
    assert!(!left.contains("phone") && left.contains("screen"), "{left}");
    let json = stdout(&expect(0, ["token", "list", "--file", file, "--json"]));
    let listed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["identity"]), (&"screen".into(), &"screen".into()));
    assert_eq!(listed[0]["scopes"], serde_json::json!(["*"]));
    assert_eq!([&listed[0]["read"], &listed[0]["write"]], [true, false]);
    let output =
        new("guest", &["--scope", "notes", "--write-table", "comment", "--no-relay", "--identity", "bob"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let listed = stdout(&expect(0, ["token", "list", "--file", file]));
    assert!(listed.contains("write comment, its own only"), "{listed}");
    expect(0, ["token", "revoke", "--file", file, "guest"]);
    expect(0, ["token", "revoke", "--file", file, "screen"]);
    assert!(stdout(&expect(0, ["token", "list", "--file", file])).contains("nobody gets in"));
}

#[test]
fn who_makes_tokens_at_the_same_time_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.toml");
    std::thread::scope(|threads| {
        for n in 0..8 {
            let tokens = &tokens;
            threads.spawn(move || {
                let name = format!("device-{n}");
                let new = ["token", "new", "--file", text(tokens), "--name", &name, "--scope", "*", "--read"];
                expect(0, new);
            });
        }
    });
    let listed = stdout(&expect(0, ["token", "list", "--file", text(&tokens)]));
    assert_eq!(listed.lines().count(), 9, "{listed}");
}

#[test]
fn a_token_says_where_and_what_and_is_followed_while_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let tokens = at("tokens.toml");
    new_token(&tokens, "phone", &at("phone.token"), &["--scope", "notes", "--read", "--write"]);
    new_token(&tokens, "screen", &at("screen.token"), &["--scope", "*", "--read"]);
    let hub = Hub::start(&at("hub"), "127.0.0.1:0", &["--tokens", text(&tokens)]);
    let [phone, screen] = ["phone.db", "screen.db"].map(|name| device(folder.path(), name));

    let phone_token = at("phone.token");
    let once = |scope, token: &[&'static str]| {
        let sync = ["sync", text(&phone), "--hub", &hub.url, "--scope", scope, "--timeout", "10"];
        run(sync.into_iter().chain(token.iter().copied()))
    };
    let output = once("notes", &["--token", "pocketsync_made_up"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("not known here"), "{}", stderr(&output));

    let mut sidecars = vec![
        sidecar_with(&phone, &hub.url, "notes", &["--token-file", text(&phone_token)]),
        // The other one over HTTP.
        sidecar_with(
            &screen,
            &hub.url.replace("ws", "http"),
            "notes",
            &["--token-file", text(&at("screen.token"))],
        ),
    ];
    for sidecar in &sidecars {
        wait_until("in sync", PATIENCE, || sidecar.log().contains("in sync with"));
    }
    write(&phone, "one");
    wait_until("the screen shows it", PATIENCE, || notes(&screen) == ["one"]);

    // A file that makes no sense changes nothing.
    let good = std::fs::read_to_string(&tokens).unwrap();
    std::fs::write(&tokens, format!("{good}\n[[token]]\nname = \"half")).unwrap();
    wait_until("the hub warns", PATIENCE, || hub.process.log().contains("stay as they were"));
    write(&phone, "two");
    wait_until("the screen shows it", PATIENCE, || notes(&screen) == ["one", "two"]);
    std::fs::write(&tokens, &good).unwrap();

    // Revoked, the phone is out and the screen is not.
    expect(0, ["token", "revoke", "--file", text(&tokens), "phone"]);
    wait_until("the phone is out", PATIENCE, || sidecars[0].log().contains("offline, trying again"));
    assert!(!sidecars[1].log().contains("offline"), "{}", sidecars[1].log());
    write(&phone, "three");

    // With a new token in its file it goes on, and nothing is lost.
    new_token(
        &tokens,
        "phone-2",
        &phone_token,
        &["--identity", "phone", "--scope", "notes", "--read", "--write", "--expires", "1h"],
    );
    wait_until("the screen shows it", PATIENCE, || notes(&screen) == ["one", "three", "two"]);

    // Who may only read does not write.
    write(&screen, "graffiti");
    wait_until("the screen is told", PATIENCE, || sidecars[1].log().contains("may not make"));
    wait_until("it is as before", PATIENCE, || notes(&screen) == ["one", "three", "two"]);
    assert_eq!(notes(&phone), ["one", "three", "two"]);
    for sidecar in &mut sidecars {
        assert!(sidecar.runs(), "{}", sidecar.log());
        assert!(sidecar.terminate("-TERM").success());
    }
    let sync = ["sync", text(&phone), "--hub", &hub.url, "--scope", "other", "--token-file"];
    let output = expect(2, sync.into_iter().chain([text(&phone_token)]));
    assert!(stderr(&output).contains("not for this scope"), "{}", stderr(&output));
}

#[test]
fn signed_tokens_expire_in_the_middle_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let secret = "5a".repeat(32);
    std::fs::write(at("secret"), format!("{secret}\n")).unwrap();
    let hub = ["--jwt-secret-file", text(&at("secret")), "--jwt-audience", "hub"].map(str::to_owned);
    let hub = Hub::start(&at("hub"), "127.0.0.1:0", &hub.each_ref().map(String::as_str));
    let files = ["a.db", "b.db"].map(|name| device(folder.path(), name));
    let urls = [hub.url.clone(), hub.url.replace("ws", "http")];
    let token = at("token");
    let renew = || std::fs::write(&token, signed(&secret, "notes", 4)).unwrap();
    renew();
    let more = ["--token-file", text(&token)];
    let sidecars = [0, 1].map(|n| sidecar_with(&files[n], &urls[n], "notes", &more));
    for n in 0..6 {
        write(&files[n % 2], &format!("note {n}"));
        std::thread::sleep(Duration::from_millis(2_000));
        if n % 2 == 1 {
            renew();
        }
    }
    std::fs::write(&token, signed(&secret, "notes", 3_600)).unwrap();
    let all: Vec<String> = (0..6).map(|n| format!("note {n}")).collect();
    wait_until("both have all", PATIENCE, || files.iter().all(|file| notes(file) == all));
    for sidecar in &sidecars {
        assert!(sidecar.log().contains("the token has expired"), "{}", sidecar.log());
    }
    let wrong = signed(&"5b".repeat(32), "notes", 3_600);
    let sync = ["sync", text(&files[0]), "--hub", &hub.url, "--scope", "notes", "--token", &wrong];
    drop(sidecars);
    assert!(stderr(&expect(2, sync)).contains("signature"));
}

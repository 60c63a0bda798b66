//! What the commands say, and how they exit.

mod processes;

use std::path::Path;

use processes::{Hub, expect, pocketsync, run, sidecar, stderr, stdout, text, wait_until};
use std::time::Duration;

use pocketsync::rusqlite::Connection;
use pocketsync::{Replica, ReplicaOptions};

fn database(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);
    INSERT INTO note(title) VALUES ('a'), ('b');";

#[test]
fn help_teaches_and_documents_the_exit_codes() {
    let help = stdout(&expect(0, ["--help"]));
    for needed in ["pocketsync demo", "Exit codes", "RUST_LOG", "NO_COLOR"] {
        assert!(help.contains(needed), "{needed} is missing in:\n{help}");
    }
    let commands = [
        "hub",
        "track",
        "untrack",
        "migrate",
        "sync",
        "status",
        "parked",
        "diff",
        "conflicts",
        "rules",
        "token",
        "demo",
    ];
    for command in commands {
        let help = stdout(&expect(0, [command, "--help"]));
        assert!(help.contains("Example"), "{command} has no example:\n{help}");
        assert!(help.lines().all(|line| line.len() <= 100), "{command}:\n{help}");
    }
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_was_meant() {
    let output = expect(2, ["synk"]);
    assert!(stderr(&output).contains("sync"), "{}", stderr(&output));
    expect(2, ["sync", "app.db"]);
    let output = expect(2, ["sync", "app.db", "--hub", "localhost:9320", "--scope", "s"]);
    assert!(stderr(&output).contains("ws://localhost:9320"), "{}", stderr(&output));
    let output = expect(2, ["sync", "app.db", "--hub", "ws://localhost:9320", "--scope", ""]);
    assert!(stderr(&output).contains("scope"), "{}", stderr(&output));
}

#[test]
fn a_hub_for_others_needs_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let output = expect(2, ["hub", "--listen", listen, "--data", text(&data)]);
        assert!(stderr(&output).contains("--token-file"), "{}", stderr(&output));
        assert!(!data.exists(), "it refused before it made anything");
    }
    let token = folder.path().join("token");
    std::fs::write(&token, "secret\n").unwrap();
    let mut hub = Hub::start(&data, "0.0.0.0:0", &["--token-file", text(&token)]);
    assert!(hub.process.terminate("-TERM").success());
    std::fs::write(&token, " \n").unwrap();
    let output = expect(2, ["hub", "--data", text(&data), "--token-file", text(&token)]);
    assert!(stderr(&output).contains("empty"), "{}", stderr(&output));
}

#[test]
fn two_hubs_get_in_each_others_way_and_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = Hub::start(&data, "127.0.0.1:0", &[]);
    let output = expect(2, ["hub", "--listen", hub.address(), "--data", text(&folder.path().join("other"))]);
    assert!(stderr(&output).contains("in use"), "{}", stderr(&output));
    let output = expect(2, ["hub", "--listen", "127.0.0.1:0", "--data", text(&data)]);
    assert!(stderr(&output).contains("another hub"), "{}", stderr(&output));
}

#[test]
fn both_signals_end_hub_and_sidecar_in_order() {
    for signal in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.db");
        database(&file, NOTES);
        expect(0, ["track", text(&file)]);
        let mut hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
        let mut watching = sidecar(&file, &hub.url, "notes");
        wait_until("the sidecar is in sync", Duration::from_secs(20), || {
            watching.log().contains("in sync with")
        });
        assert!(hub.process.terminate(signal).success());
        wait_until("the sidecar notices", Duration::from_secs(20), || {
            watching.log().contains("offline, trying again")
        });
        assert!(watching.terminate(signal).success(), "{}", watching.log());
    }
}

#[test]
fn a_file_goes_from_untracked_to_synced_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.db", "b.db"].map(|name| folder.path().join(name));
    database(&a, NOTES);
    database(&b, "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);");
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);

    let output = expect(2, ["sync", text(&a), "--hub", &hub.url, "--scope", "s"]);
    assert!(stderr(&output).contains("pocketsync track"), "{}", stderr(&output));
    let output = expect(1, ["status", text(&a)]);
    assert!(stdout(&output).contains("not tracked"));

    let output = expect(0, ["track", text(&a)]);
    assert!(stdout(&output).contains("note"), "{}", stdout(&output));
    expect(0, ["track", text(&a)]);
    expect(0, ["track", text(&b), "note"]);
    let output = expect(2, ["track", text(&a), "nots"]);
    assert!(stderr(&output).contains("note"), "{}", stderr(&output));

    for file in [&a, &b] {
        let output = expect(0, ["sync", text(file), "--hub", &hub.url, "--scope", "s"]);
        assert!(stdout(&output).starts_with("in sync: "), "{}", stdout(&output));
    }
    expect(0, ["diff", text(&a), text(&b)]);
    expect(0, ["status", text(&a)]);

    database(&a, "UPDATE note SET title = 'changed' WHERE id = 1; INSERT INTO note(title) VALUES ('c');");
    let output = expect(1, ["diff", text(&a), text(&b)]);
    assert!(stdout(&output).contains("changed"), "{}", stdout(&output));
    let report: serde_json::Value =
        serde_json::from_str(&stdout(&expect(1, ["status", text(&a), "--json"]))).unwrap();
    assert_eq!(report["tables"][0]["rows"], 3);
    assert!(report["pending_changes"].as_u64().unwrap() > 0, "{report}");
    let output = expect(2, ["untrack", text(&a)]);
    assert!(stderr(&output).contains("--force"), "{}", stderr(&output));

    expect(0, ["sync", text(&a), "--hub", &hub.url, "--scope", "s"]);
    let output = expect(0, ["sync", text(&b), "--hub", &hub.url, "--scope", "s", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&report["in_sync"], &report["changed_rows"]), (&true.into(), &2.into()), "{report}");
    expect(0, ["diff", text(&a), text(&b)]);

    for file in [&a, &b] {
        expect(0, ["untrack", text(file)]);
        let conn = Connection::open(file).unwrap();
        let traces: i64 = conn
            .query_row("SELECT count(*) FROM sqlite_master WHERE name LIKE '%pocketsync%'", (), |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(traces, 0);
        let rows: i64 = conn.query_row("SELECT count(*) FROM note", (), |row| row.get(0)).unwrap();
        assert_eq!(rows, 3);
    }
}

#[test]
fn tokens_come_from_argument_file_or_environment_and_a_wrong_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    database(&file, NOTES);
    expect(0, ["track", text(&file)]);
    let token = folder.path().join("token");
    std::fs::write(&token, "secret\n").unwrap();
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &["--token-file", text(&token)]);
    let sync = ["sync", text(&file), "--hub", &hub.url, "--scope", "s"];

    for more in [&[][..], &["--token", "wrong"][..]] {
        let output = expect(2, sync.iter().chain(more).copied());
        let said = stderr(&output);
        assert!(said.contains("token") && said.contains("hint:"), "{said}");
    }
    expect(0, sync.iter().chain(&["--token", "secret"]).copied());
    expect(0, sync.iter().chain(&["--token-file", text(&token)]).copied());
    let output = pocketsync().args(sync).env("POCKETSYNC_TOKEN", "secret").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_hub_with_a_certificate_is_reached_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(at("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(at("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let (cert, key, file) = (at("cert.pem"), at("key.pem"), at("app.db"));
    database(&file, NOTES);
    expect(0, ["track", text(&file)]);
    let hub = Hub::start(&at("hub"), "127.0.0.1:0", &["--tls-cert", text(&cert), "--tls-key", text(&key)]);
    assert!(hub.url.starts_with("wss://"), "{}", hub.url);
    let sync = ["sync", text(&file), "--hub", &hub.url, "--scope", "s", "--timeout", "1"];
    expect(0, sync.iter().chain(&["--ca", text(&cert)]).copied());

    // The system does not trust it, or has nothing that it trusts.
    let output = run(sync);
    let said = stderr(&output);
    assert!(!output.status.success() && said.contains("certificate"), "{said}");
    let plain = hub.url.replace("wss://", "ws://");
    let output = run(["sync", text(&file), "--hub", &plain, "--scope", "s", "--timeout", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let output =
        expect(2, ["hub", "--data", text(&at("other")), "--tls-cert", text(&key), "--tls-key", text(&key)]);
    assert!(stderr(&output).contains("no certificate"), "{}", stderr(&output));
}

#[test]
fn without_a_hub_sync_gives_up_in_time_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    database(&file, NOTES);
    expect(0, ["track", text(&file)]);
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("ws://{free}");
    let output = expect(1, ["sync", text(&file), "--hub", &url, "--scope", "s", "--timeout", "1"]);
    assert!(stderr(&output).contains("not in sync"), "{}", stderr(&output));
}

#[test]
fn what_is_no_database_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    for command in ["track", "untrack", "status"] {
        let output = expect(2, [command, text(&file)]);
        assert!(stderr(&output).contains("no such file"), "{}", stderr(&output));
    }
    assert!(!file.exists(), "looking makes no file");
    std::fs::write(&file, "this is not a database, however long it is\n".repeat(100)).unwrap();
    for command in ["track", "untrack", "status"] {
        let output = expect(2, [command, text(&file)]);
        assert!(stderr(&output).contains("not a"), "{}", stderr(&output));
    }
    expect(2, ["diff", text(&file), text(&file)]);
    // No hint names a function of the library.
    assert!(!stderr(&expect(2, ["status", text(&file)])).contains("on_connect"));
    for command in ["track", "untrack", "status"] {
        let output = expect(2, [command, text(folder.path())]);
        assert!(stderr(&output).contains("not a file"), "{}", stderr(&output));
    }
}

#[test]
fn a_file_without_tables_is_not_tracked_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.db");
    std::fs::write(&file, "").unwrap();
    let output = expect(2, ["track", text(&file)]);
    assert!(stderr(&output).contains("no tables"), "{}", stderr(&output));
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 0, "nothing was written");
}

#[test]
fn a_second_engine_is_refused_and_status_looks_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    database(&file, NOTES);
    expect(0, ["track", text(&file)]);
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
    let mut watching = sidecar(&file, &hub.url, "s");
    wait_until("the sidecar is in sync", Duration::from_secs(20), || watching.log().contains("in sync with"));
    let once = ["sync", text(&file), "--hub", &hub.url, "--scope", "s"];
    let again = ["sync", text(&file), "--hub", &hub.url, "--scope", "s", "--watch"];
    for arguments in [&once[..], &again] {
        let said = stderr(&expect(2, arguments.iter().copied()));
        assert!(said.contains("already kept in sync by") && said.contains("hint:"), "{said}");
    }
    expect(0, ["status", text(&file)]);
    assert!(watching.runs(), "the first one is not disturbed");
}

#[test]
fn a_sidecar_beside_an_engine_in_the_application_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    database(&file, NOTES);
    expect(0, ["track", text(&file)]);
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
    let mut options = ReplicaOptions::default();
    options.program = Some("notes app".to_owned());
    let embedded = Replica::open(&file, options).unwrap();
    let arguments = ["sync", text(&file), "--hub", &hub.url, "--scope", "s"];
    let said = stderr(&expect(2, arguments));
    let holder = format!("already kept in sync by notes app, process {}", std::process::id());
    assert!(said.contains(&holder) && said.contains("hint:"), "{said}");
    let status = stdout(&expect(1, ["status", text(&file)]));
    assert!(status.contains("2 changes wait"), "looking needs no engine: {status}");
    drop(embedded);
    expect(0, arguments);
}

#[test]
fn the_demo_ends_with_everything_the_same_and_is_plain_without_a_terminal() {
    let output = expect(0, ["demo"]);
    let said = stdout(&output);
    assert!(said.contains("hold the same"), "{said}");
    assert!(!said.contains('\u{1b}'), "colour codes in a file:\n{said}");
    let folder = said.lines().find(|line| line.contains("/pocketsync-demo-"));
    assert!(folder.is_none_or(|line| !Path::new(line.trim()).exists()), "the folder is gone");
}

#[test]
fn the_demo_only_reads_the_users_own_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("music.db");
    database(&file, include_str!("data/music.sql"));
    let before = std::fs::read(&file).unwrap();
    let output = run(["demo", "--db", text(&file), "--keep"]);
    let said = stdout(&output);
    assert!(output.status.success() && said.contains("hold the same"), "{said}{}", stderr(&output));
    assert_eq!(std::fs::read(&file).unwrap(), before, "the original was written");
    let kept =
        said.lines().find_map(|line| line.strip_prefix("The databases are in ")).expect("where they are");
    assert!(Path::new(kept).join("phone.db").is_file());
    std::fs::remove_dir_all(kept).unwrap();
    expect(2, ["demo", "--db", text(&folder.path().join("missing.db"))]);
}

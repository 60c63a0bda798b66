//! A hub that does its own TLS and admits by signed tokens, as one that strangers can reach: its certificate is
//! renewed and tokens expire while devices sync over wss:// and https://.

mod guards;
mod processes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use guards::{Guards, certificate, put};
use pocketsync::rusqlite::Connection;
use processes::{Hub, expect, sidecar_with, stderr, text, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

fn device(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(name);
    Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)")
        .unwrap();
    expect(0, ["track", text(&file)]);
    file
}

fn write(file: &Path, title: &str) {
    let conn = Connection::open(file).unwrap();
    conn.busy_timeout(PATIENCE).unwrap();
    conn.execute("INSERT INTO note(title) VALUES (?1)", [title]).unwrap();
}

fn notes(file: &Path) -> Vec<String> {
    let conn = Connection::open(file).unwrap();
    conn.busy_timeout(PATIENCE).unwrap();
    let mut select = conn.prepare("SELECT title FROM note ORDER BY title").unwrap();
    select.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn certificates_are_renewed_and_tokens_expire_while_devices_sync() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let guards = Guards::make(folder.path(), "notes");
    let hub = Hub::start(&at("hub"), "127.0.0.1:0", &guards.of_hub());
    assert!(hub.url.starts_with("wss://"), "{}", hub.url);
    let https = format!("https://{}", hub.address());

    // Devices trust both certificates from the beginning, as they would an authority that issued both.
    let first = std::fs::read_to_string(&guards.certificate).unwrap();
    let (second, second_key) = certificate();
    let (ca, old_ca) = (at("ca.pem"), at("old.pem"));
    put(&ca, &format!("{first}{second}"));
    put(&old_ca, &first);
    guards.renew(4);
    let files = ["a.db", "b.db", "c.db", "d.db"].map(|name| device(folder.path(), name));
    let more = guards.of_device(&ca);
    let urls = [&hub.url, &https, &hub.url, &https];
    let mut sidecars: Vec<_> =
        files.iter().zip(urls).map(|(file, url)| sidecar_with(file, url, "notes", &more)).collect();

    for n in 0..8 {
        write(&files[n % 4], &format!("note {n}"));
        std::thread::sleep(Duration::from_millis(1_200));
        match n {
            2 => put(&guards.certificate, "no certificate"),
            3 => {
                assert!(hub.process.log().contains("from before stays in use"), "{}", hub.process.log());
                put(&guards.key, &second_key);
                put(&guards.certificate, &second);
            }
            5 => sidecars[2].kill(),
            6 => sidecars[2] = sidecar_with(&files[2], &hub.url, "notes", &more),
            _ => {}
        }
        // The last moments of a token belong to no other: for a while devices have none that is good.
        if n % 3 == 2 {
            guards.renew(if n > 6 { 3_600 } else { 4 });
        }
    }
    guards.renew(3_600);
    let all: Vec<String> = (0..8).map(|n| format!("note {n}")).collect();
    wait_until("all have all", PATIENCE, || files.iter().all(|file| notes(file) == all));
    assert!(sidecars.iter().any(|sidecar| sidecar.log().contains("the token has expired")));
    assert!(hub.process.log().contains("a new certificate is in use"), "{}", hub.process.log());
    for sidecar in &mut sidecars {
        assert!(sidecar.terminate("-TERM").success());
    }

    // Who trusts the old certificate alone is not served any more, and is told why.
    let sync = |url: &str, trusted: &Path, code| {
        let sync = ["sync", text(&files[0]), "--hub", url, "--scope", "notes", "--timeout", "2"];
        stderr(&expect(code, sync.into_iter().chain(guards.of_device(trusted))))
    };
    let said = sync(&hub.url, &old_ca, 1);
    assert!(said.to_lowercase().contains("certificate"), "{said}");
    sync(&https, &ca, 0);
    // Names of other hosts are not covered.
    let said = sync(&hub.url.replace("127.0.0.1", "localhost"), &ca, 1);
    assert!(said.to_lowercase().contains("certificate"), "{said}");
}

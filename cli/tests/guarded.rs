//! A hub that does its own TLS and admits by signed tokens, as one that strangers can reach: its certificate is
//! renewed and tokens expire while devices sync over wss:// and https://.

mod processes;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pocketsync::rusqlite::Connection;
use processes::{Hub, expect, sidecar_with, stderr, text, wait_until};
use ring::hmac;

const PATIENCE: Duration = Duration::from_secs(60);

/// A certificate for this machine, and its key, as they are put into files.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

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

/// A token of somebody who knows the secret, good until `left` from now, for clocks a minute apart.
fn signed(secret: &str, left: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let claims = serde_json::json!({
        "sub": "alice", "exp": now + left - 60, "scopes": ["notes"], "rights": ["read", "write"],
    });
    let message = [r#"{"alg":"HS256","typ":"JWT"}"#.to_owned(), claims.to_string()]
        .map(|part| BASE64_URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

#[test]
fn certificates_are_renewed_and_tokens_expire_while_devices_sync() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let secret = "5a".repeat(32);
    std::fs::write(at("secret"), &secret).unwrap();
    let (first, first_key) = certificate();
    put(&at("hub.pem"), &first);
    put(&at("hub.key"), &first_key);
    let (cert, key, file) = (at("hub.pem"), at("hub.key"), at("secret"));
    let guarded = ["--tls-cert", text(&cert), "--tls-key", text(&key), "--jwt-secret-file", text(&file)];
    let hub = Hub::start(&at("hub"), "127.0.0.1:0", &guarded);
    assert!(hub.url.starts_with("wss://"), "{}", hub.url);
    let https = format!("https://{}", hub.address());

    // Devices trust both certificates from the beginning, as they would an authority that issued both.
    let (second, second_key) = certificate();
    let (ca, old_ca, token) = (at("ca.pem"), at("old.pem"), at("token"));
    put(&ca, &format!("{first}{second}"));
    put(&old_ca, &first);
    put(&token, &signed(&secret, 4));
    let files = ["a.db", "b.db", "c.db", "d.db"].map(|name| device(folder.path(), name));
    let more = ["--token-file", text(&token), "--ca", text(&ca)];
    let urls = [&hub.url, &https, &hub.url, &https];
    let mut sidecars: Vec<_> =
        files.iter().zip(urls).map(|(file, url)| sidecar_with(file, url, "notes", &more)).collect();

    for n in 0..8 {
        write(&files[n % 4], &format!("note {n}"));
        std::thread::sleep(Duration::from_millis(1_200));
        match n {
            2 => put(&cert, "no certificate"),
            3 => {
                assert!(hub.process.log().contains("from before stays in use"), "{}", hub.process.log());
                put(&key, &second_key);
                put(&cert, &second);
            }
            5 => sidecars[2].kill(),
            6 => sidecars[2] = sidecar_with(&files[2], &hub.url, "notes", &more),
            _ => {}
        }
        // The last moments of a token belong to no other: for a while devices have none that is good.
        if n % 3 == 2 {
            put(&token, &signed(&secret, if n > 6 { 3_600 } else { 4 }));
        }
    }
    put(&token, &signed(&secret, 3_600));
    let all: Vec<String> = (0..8).map(|n| format!("note {n}")).collect();
    wait_until("all have all", PATIENCE, || files.iter().all(|file| notes(file) == all));
    assert!(sidecars.iter().any(|sidecar| sidecar.log().contains("the token has expired")));
    assert!(hub.process.log().contains("a new certificate is in use"), "{}", hub.process.log());
    for sidecar in &mut sidecars {
        assert!(sidecar.terminate("-TERM").success());
    }

    // Who trusts the old certificate alone is not served any more, and is told why.
    let sync = ["sync", text(&files[0]), "--hub", &hub.url, "--scope", "notes", "--token-file", text(&token)];
    let output = expect(1, sync.into_iter().chain(["--ca", text(&old_ca), "--timeout", "2"]));
    assert!(stderr(&output).to_lowercase().contains("certificate"), "{}", stderr(&output));
    let sync = ["sync", text(&files[0]), "--hub", &https, "--scope", "notes", "--token-file", text(&token)];
    expect(0, sync.into_iter().chain(["--ca", text(&ca)]));
    // Names of other hosts are not covered.
    let elsewhere = hub.url.replace("127.0.0.1", "localhost");
    let sync =
        ["sync", text(&files[0]), "--hub", &elsewhere, "--scope", "notes", "--token-file", text(&token)];
    let output = expect(1, sync.into_iter().chain(["--ca", text(&ca), "--timeout", "2"]));
    assert!(stderr(&output).to_lowercase().contains("certificate"), "{}", stderr(&output));
}

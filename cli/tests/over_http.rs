//! Devices over HTTP beside one over a WebSocket, on one port; and a hub that is killed while it holds
//! their polls.

mod contents;
mod processes;
mod setting;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pocketsync::rusqlite::Connection;
use processes::{Hub, expect, run, sidecar, stderr, stdout, text, wait_until};

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

fn has(file: &Path, title: &str) -> bool {
    let count: i64 = contents::open(file)
        .query_row("SELECT count(*) FROM note WHERE title = ?1", [title], |row| row.get(0))
        .unwrap();
    count == 1
}

/// One request by hand.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn http_and_websocket_devices_meet_and_survive_the_hubs_end() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a.db", "b.db", "c.db"].map(|name| device(folder.path(), name));
    let data = folder.path().join("hub");
    let mut hub = Hub::start(&data, "127.0.0.1:0", &[]);
    let address = hub.address().to_owned();
    let http = format!("http://{address}/sync");
    let urls = [&http, &http, &hub.url];
    let mut sidecars: Vec<_> =
        files.iter().zip(urls).map(|(file, url)| sidecar(file, url, "notes")).collect();
    for sidecar in &sidecars {
        wait_until("all are in sync", PATIENCE, || sidecar.log().contains("in sync with"));
    }

    for (writer, file) in files.iter().enumerate() {
        write(file, &format!("from {writer}"));
    }
    wait_until("all have all", PATIENCE, || {
        files.iter().all(|file| (0..3).all(|writer| has(file, &format!("from {writer}"))))
    });

    // Both devices' polls are held now.
    std::thread::sleep(Duration::from_millis(1_500));
    hub.process.kill();
    write(&files[0], "without a hub");
    write(&files[2], "without a hub either");
    std::thread::sleep(Duration::from_millis(500));
    let hub = Hub::start(&data, &address, &[]);
    wait_until("all have what was written meanwhile", PATIENCE, || {
        files.iter().all(|file| has(file, "without a hub") && has(file, "without a hub either"))
    });

    let health = get(hub.address(), "/health");
    assert!(health.starts_with("HTTP/1.1 200 ") && health.contains(r#"{"status":"ok"}"#), "{health}");
    assert!(health.to_lowercase().contains("cache-control: no-store"), "{health}");
    let metrics = get(hub.address(), "/metrics");
    for line in ["pocketsync_sessions 3", "pocketsync_http_links 2", "pocketsync_rows_received_total 2"] {
        assert!(metrics.lines().any(|got| got.trim() == line), "{line} is missing in\n{metrics}");
    }
    for sidecar in &mut sidecars {
        assert!(sidecar.runs(), "{}", sidecar.log());
        assert!(sidecar.terminate("-TERM").success());
    }
    for file in &files[1..] {
        expect(0, ["diff", text(&files[0]), text(file)]);
    }
}

#[test]
fn a_write_reaches_the_other_device_at_once_over_http() {
    const WRITES: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.db", "b.db"].map(|name| device(folder.path(), name));
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
    let url = format!("http://{}", hub.address());
    let sidecars = [&a, &b].map(|file| sidecar(file, &url, "live"));
    for sidecar in &sidecars {
        wait_until("both are in sync", PATIENCE, || sidecar.log().contains("in sync with"));
    }
    let (writer, reader) = (contents::open(&a), contents::open(&b));
    let mut arrived = reader.prepare("SELECT count(*) FROM note WHERE title = ?1").unwrap();
    let mut times: Vec<Duration> = (0..WRITES)
        .map(|n| {
            let title = format!("note {n}");
            writer.execute("INSERT INTO note(title) VALUES (?1)", [&title]).unwrap();
            let committed = Instant::now();
            while arrived.query_row([&title], |row| row.get::<_, i64>(0)).unwrap() == 0 {
                assert!(committed.elapsed() < PATIENCE, "write {n} did not arrive");
                std::thread::sleep(Duration::from_micros(500));
            }
            let took = committed.elapsed();
            std::thread::sleep(Duration::from_millis(20));
            took
        })
        .collect();
    times.sort();
    let (median, slow) = (times[WRITES / 2], times[WRITES * 95 / 100]);
    println!("commit to visible over HTTP: median {median:?}, 95th percentile {slow:?}");
    assert!(median < Duration::from_millis(150), "median {median:?}, 95th percentile {slow:?}");
}

/// A proxy of the kind that knows no upgrades: it takes the header out, as such proxies do.
fn deaf_proxy(hub: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(hub).unwrap());
            let (mut back_from, mut back_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ended = std::io::copy(&mut back_from, &mut back_to);
                let _gone = back_to.shutdown(std::net::Shutdown::Both);
            });
            std::thread::spawn(move || {
                let (mut client, mut server) = (client, server);
                let mut buffer = [0; 64 << 10];
                while let Ok(read @ 1..) = client.read(&mut buffer) {
                    let mut bytes = buffer[..read].to_vec();
                    if bytes.starts_with(b"GET ") {
                        let head = String::from_utf8(bytes).unwrap();
                        let kept = head.split("\r\n").filter(|line| !line.starts_with("Upgrade:"));
                        bytes = kept.collect::<Vec<_>>().join("\r\n").into_bytes();
                    }
                    if server.write_all(&bytes).is_err() {
                        break;
                    }
                }
                let _gone = server.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    address
}

#[test]
fn behind_a_proxy_without_websockets_sync_goes_on_over_http_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = device(folder.path(), "a.db");
    write(&file, "through the proxy");
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
    let proxy = format!("ws://{}", deaf_proxy(hub.address().parse().unwrap()));
    let sync = ["sync", text(&file), "--hub", &proxy, "--scope", "s", "--timeout", "3"];
    let output = expect(0, sync);
    assert!(stdout(&output).contains("in sync"), "{}", stdout(&output));
    let said = stderr(&output);
    assert!(said.contains("going on over HTTP") && said.contains("426"), "{said}");

    let output = run(sync.into_iter().chain(["--transport", "ws"]));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(!stderr(&output).contains("over HTTP"), "{}", stderr(&output));

    let output = run(sync.into_iter().chain(["--transport", "http"]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains("over HTTP"), "{}", stderr(&output));
}

#[test]
fn a_token_that_is_refused_over_http_ends_sync_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = device(folder.path(), "a.db");
    let token = folder.path().join("token");
    std::fs::write(&token, "right").unwrap();
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &["--token-file", text(&token)]);
    let url = format!("http://{}", hub.address());
    let sync = ["sync", text(&file), "--hub", &url, "--scope", "s", "--timeout", "5"];
    let output = run(sync.into_iter().chain(["--token", "wrong"]));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--token-file"), "{}", stderr(&output));
    let output = run(sync.into_iter().chain(["--token", "right"]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn curl_reads_health_and_metrics_and_what_is_wrong() {
    let what = "curl against a hub";
    if !setting::has("curl", what) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
    let url = format!("http://{}", hub.address());
    let curl = |arguments: &[&str]| {
        let output =
            Command::new("curl").args(["-sS", "-i", "--max-time", "20"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(curl(&[&format!("{url}/health")]).contains("200 OK"));
    assert!(curl(&[&format!("{url}/metrics")]).contains("# TYPE pocketsync_sessions gauge"));
    assert!(curl(&[&url]).contains("This is a PocketSync hub"));
    let link = "Pocketsync-Link: 00112233445566778899aabbccddeeff";
    let first = ["-X", "POST", "-H", link, "-H", "Pocketsync-Up: 0", "-H", "Pocketsync-Down: 0"];
    // A first exchange without a frame opens a link, and the hub has nothing to say yet.
    let opened = curl(&[&first[..], &[&url]].concat()).to_lowercase();
    assert!(opened.contains("200 ok") && opened.contains("pocketsync-up: 0"), "{opened}");
    assert!(opened.contains("cache-control: no-store"), "{opened}");
    // Noise in the place of a frame: the session says what is wrong, and curl reads it.
    let noise = "\0\0\0\u{2}\u{1}\u{9}";
    let body = folder.path().join("noise");
    std::fs::write(&body, noise).unwrap();
    let body = format!("@{}", text(&body));
    let kind = "Content-Type: application/vnd.pocketsync.frames.v1";
    let more = ["-H", "Pocketsync-Wait: 5000", "-H", kind, "--data-binary", &body, &url];
    let refused = curl(&[&first[..], &more].concat());
    assert!(refused.contains("400 Bad Request") && refused.contains(r#""code":"bad_message""#), "{refused}");
    let unknown =
        curl(&["-X", "POST", "-H", link, "-H", "Pocketsync-Up: 7", "-H", "Pocketsync-Down: 9", &url]);
    assert!(unknown.contains(r#""code""#), "{unknown}");
}

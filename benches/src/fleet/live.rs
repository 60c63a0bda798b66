//! Many live devices of one scope on one hub: how long a write of one takes to reach all the others.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::BoxStream;
use pocketsync::driver::{Client, ClientOptions, LocalStore, Summary};
use pocketsync::id::{Scope, SiteId};
use pocketsync::lineage::Stamp;
use pocketsync::runtime::TokioRuntime;
use pocketsync::store::{Store, StoreError, StoreReply, StoreRequest};
use pocketsync::testkit::MemoryReplica;
use pocketsync::value::Value;
use pocketsync::ws::{TokioConnector, WsUrl};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::HubProcess;
use crate::Result;
use crate::compare::Figure;
use crate::shape::mix;
use crate::stats::Spread;

/// The hidden command that is many devices.
pub const LISTENERS_COMMAND: &str = "listening-devices";

/// The wall clock that devices write by; any will do that is not in the future.
const NOON_MS: u64 = 1_700_000_000_000;

/// So long without a sign is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long nothing is written while the cost of being there is measured.
const REST: Duration = Duration::from_secs(10);

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// Devices that listen.
    pub devices: usize,
    /// Writes of the one that writes.
    pub writes: usize,
    /// The time from one write to the next, in milliseconds.
    pub every_ms: u64,
}

/// What the devices measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heard {
    /// How long it took until all were in sync at first, in seconds.
    joined: f64,
    /// Milliseconds from a write until a device had it, of each device and write, ascending.
    latencies: Vec<f32>,
    /// Milliseconds from a write until all devices had it, ascending.
    all: Vec<f32>,
}

/// A replica that notes when it was told of each row.
#[derive(Clone)]
struct Listener {
    replica: MemoryReplica,
    heard: Arc<Mutex<Vec<(u64, Instant)>>>,
}

impl Store for Listener {
    fn run(&mut self, request: StoreRequest) -> std::result::Result<StoreReply, StoreError> {
        let mut rows = Vec::new();
        if let StoreRequest::Apply { chunks, .. } = &request {
            let tables = chunks.iter().flat_map(|chunk| &chunk.changeset.tables);
            let cells = tables.flat_map(|table| &table.rows).flat_map(|row| &row.cells);
            rows.extend(cells.filter_map(|cell| match cell.value {
                Value::Integer(number) => u64::try_from(number).ok(),
                _ => None,
            }));
        }
        let reply = self.replica.run(request)?;
        let now = Instant::now();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend(rows.into_iter().map(|row| (row, now)));
        Ok(reply)
    }
}

impl LocalStore for Listener {
    fn changed(&mut self) -> std::result::Result<bool, StoreError> {
        self.replica.changed()
    }

    fn committed(&self) -> BoxStream<'static, ()> {
        self.replica.committed()
    }

    fn summary(&mut self) -> std::result::Result<Summary, StoreError> {
        self.replica.summary()
    }

    fn suspend(&self) {
        self.replica.suspend();
    }

    fn resume(&self) {
        self.replica.resume();
    }
}

fn device(url: &WsUrl, n: usize) -> Result<(Client, Listener)> {
    let scope = Scope::new("live")?;
    let mut site = [9; 16];
    site[..8].copy_from_slice(&mix(n as u64).to_be_bytes());
    let replica = MemoryReplica::new(scope.clone(), SiteId::from_bytes(site), Stamp(mix(n as u64) | 1));
    let listener = Listener { replica, heard: Arc::default() };
    let connector = Arc::new(TokioConnector::new(url.clone()));
    let runtime = Arc::new(TokioRuntime::current());
    let (client, driver) = Client::new(listener.clone(), scope, connector, runtime, ClientOptions::default());
    tokio::spawn(driver);
    Ok((client, listener))
}

/// Is all the devices, one of which writes. Says on standard output when they are all there, and ends by saying
/// what it measured.
///
/// # Errors
/// When a device does not get in, or a write does not arrive everywhere.
pub async fn listen(url: &WsUrl, live: Live) -> Result<Heard> {
    let begin = Instant::now();
    let mut devices = Vec::with_capacity(live.devices);
    for batch in (0..live.devices).collect::<Vec<_>>().chunks(50) {
        let new: Vec<_> = batch.iter().map(|&n| device(url, n)).collect::<Result<_>>()?;
        for synced in futures::future::join_all(new.iter().map(|(client, _)| client.sync_now())).await {
            synced?;
        }
        devices.extend(new);
    }
    let (writer, written) = device(url, live.devices)?;
    writer.sync_now().await?;
    let joined = begin.elapsed().as_secs_f64();
    println!("all there");

    tokio::time::sleep(REST).await;
    let mut sent = Vec::with_capacity(live.writes);
    for n in 0..live.writes {
        let begin = Instant::now();
        written.replica.write(NOON_MS + n as u64, |tx| {
            tx.insert("t", &[("n", Value::Integer(n as i64)), ("text", Value::text("a line of a chat"))]);
        });
        sent.push(begin);
        written.replica.notify_committed();
        tokio::time::sleep(Duration::from_millis(live.every_ms)).await;
    }
    let end = Instant::now() + PATIENCE;
    let count = |listener: &Listener| listener.heard.lock().unwrap_or_else(PoisonError::into_inner).len();
    while devices.iter().any(|(_, listener)| count(listener) < live.writes) {
        if Instant::now() > end {
            return Err("a write did not arrive everywhere".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let mut latencies = Vec::with_capacity(live.devices * live.writes);
    let mut all = vec![0f32; live.writes];
    for (_, listener) in &devices {
        let mut heard = listener.heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        heard.sort();
        if !heard.iter().map(|(n, _)| *n).eq(0..live.writes as u64) {
            return Err("a device heard of a write twice, or of another".into());
        }
        for (n, at) in heard {
            let ms = (at - sent[n as usize]).as_secs_f32() * 1e3;
            latencies.push(ms);
            all[n as usize] = all[n as usize].max(ms);
        }
    }
    latencies.sort_by(f32::total_cmp);
    all.sort_by(f32::total_cmp);
    Ok(Heard { joined, latencies, all })
}

impl Live {
    /// Starts a hub and the devices, each side in a process of its own.
    ///
    /// # Errors
    /// When something fails, or a write does not arrive everywhere.
    pub async fn run(&self, program: &Path, dir: &Path) -> Result<Vec<Figure>> {
        use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
        let hub = HubProcess::start(program, dir).await?;
        let empty = hub.process.resident_bytes().unwrap_or(0);
        let mut child = Command::new(program)
            .args([LISTENERS_COMMAND, &hub.url.to_string()])
            .args([self.devices as u64, self.writes as u64, self.every_ms].map(|number| number.to_string()))
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("no way to hear the devices")?);
        stdout.read_line(&mut String::new()).await?;
        let cpu = || hub.process.cpu_seconds().unwrap_or(0.0);
        let (begin, worked) = (Instant::now(), cpu());
        tokio::time::sleep(REST.mul_f64(0.8)).await;
        let resting = (cpu() - worked) / begin.elapsed().as_secs_f64();
        let memory = hub.process.resident_bytes().unwrap_or(0).saturating_sub(empty);
        let worked = cpu();
        let mut answer = String::new();
        stdout.read_to_string(&mut answer).await?;
        let fan_out = cpu() - worked;
        if !child.wait().await?.success() {
            return Err("the devices failed".into());
        }
        hub.end().await?;
        let heard: Heard = serde_json::from_str(&answer)?;
        Ok(self.figures(&heard, resting, memory, fan_out))
    }

    fn figures(&self, heard: &Heard, resting: f64, memory: u64, fan_out: f64) -> Vec<Figure> {
        let devices = self.devices as f64;
        let of = |what: &str| format!("{} live devices, one writes: {what}", self.devices);
        let once = |value: f64| Spread { median: value, low: value, high: value };
        let at = |sorted: &[f32], part: f64| {
            let last = sorted.len().saturating_sub(1);
            f64::from(sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(f32::NAN))
        };
        let mut figures = vec![Figure::plain(of("until all were there"), "s", once(heard.joined))];
        for (name, part) in [("half", 0.5), ("90 of 100", 0.9), ("99 of 100", 0.99), ("all", 1.0)] {
            figures.push(Figure::plain(
                of(&format!("write to applied elsewhere, {name} within")),
                "ms",
                once(at(&heard.latencies, part)),
            ));
        }
        figures.push(Figure::plain(of("write to applied on every device"), "ms", once(at(&heard.all, 0.5))));
        figures.push(Figure::plain(
            of("memory of the hub a device"),
            "kB",
            once(memory as f64 / 1e3 / (devices + 1.0)),
        ));
        figures.push(Figure::plain(
            of("processor time of the hub a device and second, at rest"),
            "µs",
            once(resting * 1e6 / (devices + 1.0)),
        ));
        figures.push(Figure::plain(
            of("processor time of the hub a write and device"),
            "µs",
            once(fan_out * 1e6 / (devices * self.writes as f64)),
        ));
        figures
    }
}

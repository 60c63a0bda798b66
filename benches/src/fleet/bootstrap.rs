//! A new device gets a large database, in a process of its own, beside a plain insert of the same rows.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use pocketsync::ws::WsUrl;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::{Device, Fleet, HubProcess, reconnect};
use crate::Result;
use crate::compare::{Bound, Figure};
use crate::contender::{Pragmas, SqliteFile, Write};
use crate::meter::{Process, measure};
use crate::shape::Shape;
use crate::stats::Spread;

/// The hidden command that is a new device.
pub const BOOTSTRAP_COMMAND: &str = "bootstrap-device";

/// How many rows the plain insert holds in memory at a time.
const BATCH: usize = 10_000;

/// What a new device measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Bootstrap {
    /// From opening the file to holding everything, in seconds.
    pub wall: f64,
    /// Processor time of the whole device in that, in seconds.
    pub cpu: f64,
    /// The most memory that the process had, in bytes, without that of its beginning.
    pub peak_bytes: u64,
    /// Bytes on the wire, both ways.
    pub wire_bytes: u64,
    /// What the table holds.
    pub digest: String,
}

fn once(value: f64) -> Spread {
    Spread { median: value, low: value, high: value }
}

/// Is a new device in `dir` that gets everything of the scope.
///
/// # Errors
/// When that fails.
pub async fn bootstrap_device(dir: &Path, shape: Shape, url: &WsUrl) -> Result<Bootstrap> {
    let process = Process::this();
    process.forget_peak();
    let resident = process.resident_bytes().unwrap_or(0);
    let (begin, worked) = (Instant::now(), process.cpu_seconds().unwrap_or(0.0));
    let device = Device::create(dir, "new.db", shape)?;
    let online = device.connect(url, "bench")?;
    online.client.sync_now().await?;
    let wall = begin.elapsed().as_secs_f64();
    let cpu = process.cpu_seconds().unwrap_or(0.0) - worked;
    let peak_bytes = process.peak_bytes().unwrap_or(0).saturating_sub(resident);
    let wire_bytes = online.bytes();
    online.end().await?;
    Ok(Bootstrap { wall, cpu, peak_bytes, wire_bytes, digest: device.file.digest()? })
}

/// Inserts the same rows into a file that nobody tracks; answers the time, without that of making up the
/// rows.
fn insert_plainly(dir: &Path, shape: Shape, rows: usize) -> Result<(f64, f64)> {
    let file = SqliteFile::create(dir, "plain.db", shape, Pragmas::Tuned)?;
    let (mut wall, mut cpu) = (0.0, 0.0);
    file.conn.execute_batch("BEGIN")?;
    for from in (0..rows).step_by(BATCH) {
        let write = Write::Insert((from..rows.min(from + BATCH)).map(|n| shape.row(n)).collect());
        let (lap, ()) = measure(|| file.write(&write, false))?;
        (wall, cpu) = (wall + lap.wall, cpu + lap.cpu);
    }
    let (lap, ()) = measure(|| file.conn.execute_batch("COMMIT"))?;
    Ok((wall + lap.wall, cpu + lap.cpu))
}

/// Runs in another process what [`bootstrap_device`] is.
pub(crate) async fn in_own_process(
    program: &Path,
    dir: &Path,
    shape: Shape,
    url: &WsUrl,
) -> Result<Bootstrap> {
    let output = Command::new(program)
        .arg(BOOTSTRAP_COMMAND)
        .arg(dir)
        .args([shape.name(), &url.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .await?;
    if !output.status.success() {
        return Err(format!("the new device failed: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Fills a hub from one device, and lets another one get all of it; then that one misses changes.
pub(super) async fn run(fleet: &Fleet, program: &Path, dir: &Path, shape: Shape) -> Result<Vec<Figure>> {
    let (plain_wall, plain_cpu) = insert_plainly(dir, shape, fleet.rows)?;
    let hub = HubProcess::start(program, dir).await?;
    let writer = Device::create(dir, "writer.db", shape)?;
    for from in (0..fleet.rows).step_by(BATCH) {
        writer.insert(shape, from, fleet.rows.min(from + BATCH))?;
    }
    let online = writer.connect(&hub.url, "bench")?;
    let begin = Instant::now();
    online.client.sync_now().await?;
    let upload = begin.elapsed().as_secs_f64();
    let filled_peak = hub.process.peak_bytes().unwrap_or(0);

    hub.process.forget_peak();
    let worked = hub.process.cpu_seconds().unwrap_or(0.0);
    let device = in_own_process(program, dir, shape, &hub.url).await?;
    let hub_cpu = hub.process.cpu_seconds().unwrap_or(0.0) - worked;
    let serving_peak = hub.process.peak_bytes().unwrap_or(0);
    if device.digest != writer.file.digest()? {
        return Err(format!("the new device holds another table: {}", device.digest).into());
    }
    let rows = fleet.rows as f64;
    let of = |what: &str| format!("{}: {} rows, {what}", shape.title(), fleet.rows);
    let mut figures = vec![
        Figure::new(
            of("bootstrap, to plain inserts"),
            "",
            Bound::AtMost(3.0),
            once(device.wall / plain_wall),
        ),
        Figure::plain(
            of("bootstrap, processor time of the device to plain inserts"),
            "",
            once(device.cpu / plain_cpu),
        ),
        Figure::plain(
            of("bootstrap, processor time of the hub to plain inserts"),
            "",
            once(hub_cpu / plain_cpu),
        ),
        Figure::plain(of("bootstrap"), "s", once(device.wall)),
        Figure::plain(of("bootstrap, on the wire"), "bytes/row", once(device.wire_bytes as f64 / rows)),
        Figure::new(
            of("bootstrap, peak memory of the device"),
            "MB",
            Bound::AtMost(150.0),
            once(device.peak_bytes as f64 / 1e6),
        ),
        Figure::new(
            of("bootstrap, peak memory of the hub"),
            "MB",
            Bound::AtMost(150.0),
            once(serving_peak as f64 / 1e6),
        ),
        Figure::new(of("first upload to the hub"), "rows/s", Bound::AtLeast(100e3), once(rows / upload)),
        Figure::plain(of("first upload, peak memory of the hub"), "MB", once(filled_peak as f64 / 1e6)),
    ];
    figures.extend(reconnect::figures(fleet, &writer, &online, dir, shape, &hub).await?);
    online.end().await?;
    hub.end().await?;
    Ok(figures)
}

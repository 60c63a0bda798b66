//! A device comes back after it missed some changes of a large database.

use std::path::Path;
use std::time::Instant;

use super::device::Online;
use super::{Device, Fleet, HubProcess};
use crate::Result;
use crate::compare::Figure;
use crate::contender::Write;
use crate::shape::{Shape, Width, mix};
use crate::stats::Spread;

/// How often each size is measured.
const TIMES: usize = 5;

/// What coming back took.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Reconnect {
    /// From connecting to holding everything, in seconds.
    pub wall: f64,
    /// Bytes on the wire, both ways.
    pub bytes: u64,
}

/// Changes `count` rows at one side, spread over all of `rows`.
pub(crate) fn miss(writer: &Device, shape: Shape, rows: usize, count: usize, round: u64) -> Result<()> {
    let row = |n: usize| (mix(n as u64 ^ round << 32) % rows as u64) as usize;
    let updates = (0..count).map(|n| shape.update(row(n), Width::One, 1 + round)).collect();
    writer.file.write(&Write::Update(Width::One, updates), true)
}

/// Connects, waits for everything, and leaves.
pub(crate) async fn come_back(device: &Device, hub: &HubProcess) -> Result<Reconnect> {
    let begin = Instant::now();
    let online = device.connect(&hub.url, "bench")?;
    online.client.sync_now().await?;
    let reconnect = Reconnect { wall: begin.elapsed().as_secs_f64(), bytes: online.bytes() };
    online.end().await?;
    Ok(reconnect)
}

/// The same for some sizes, in figures.
pub(super) async fn figures(
    fleet: &Fleet,
    writer: &Device,
    connected: &Online,
    dir: &Path,
    shape: Shape,
    hub: &HubProcess,
) -> Result<Vec<Figure>> {
    let device = Device::create(dir, "back.db", shape)?;
    come_back(&device, hub).await?;
    let mut figures = Vec::new();
    let mut round = 0;
    for missed in fleet.missed {
        let mut times = Vec::new();
        for _ in 0..TIMES {
            round += 1;
            miss(writer, shape, fleet.rows, missed, round)?;
            connected.client.sync_now().await?;
            times.push(come_back(&device, hub).await?);
        }
        if device.file.digest()? != writer.file.digest()? {
            return Err("who came back holds another table".into());
        }
        let of = |what: &str| {
            format!("{}: {} rows, reconnect after {missed} changes{what}", shape.title(), fleet.rows)
        };
        let spread = |part: fn(&Reconnect) -> f64| Spread::of(times.iter().map(part));
        figures.extend(spread(|it| it.wall * 1e3).map(|it| Figure::plain(of(""), "ms", it)));
        figures
            .extend(spread(|it| it.bytes as f64).map(|it| Figure::plain(of(", on the wire"), "bytes", it)));
    }
    Ok(figures)
}

//! Bootstraps and pushes through a hub in a process of its own.

use std::path::Path;

use super::{Law, sizes};
use crate::Result;
use crate::fleet::{Device, HubProcess, fresh_device, push_from_many};
use crate::shape::Shape;

/// How often each size is measured.
const TIMES: usize = 3;

/// A new device of more and more rows.
pub(super) async fn bootstrap(program: &Path, scratch: &Path, rows: usize) -> Result<Vec<Law>> {
    let size = "rows";
    let mut laws = [
        Law::new("bootstrap over a hub, processor time of the device", size, "s", 1.1),
        Law::new("bootstrap over a hub, wall", size, "s", 1.1),
        Law::new("bootstrap over a hub, peak memory of the device", size, "MB", 0.5),
        Law::new("bootstrap over a hub, peak memory of the hub", size, "MB", 0.5),
    ];
    for rows in sizes(rows) {
        let dir = tempfile::tempdir_in(scratch)?;
        let hub = HubProcess::start(program, dir.path()).await?;
        let writer = Device::create(dir.path(), "writer.db", Shape::Integer)?;
        writer.insert(Shape::Integer, 0, rows)?;
        let online = writer.connect(&hub.url, "bench")?;
        online.client.sync_now().await?;
        let mut found: [Vec<f64>; 4] = Default::default();
        for time in 0..TIMES {
            let dir = dir.path().join(time.to_string());
            std::fs::create_dir(&dir)?;
            hub.process.forget_peak();
            let device = fresh_device(program, &dir, Shape::Integer, &hub.url).await?;
            if device.digest != writer.file.digest()? {
                return Err("the new device holds another table".into());
            }
            let hub_peak = hub.process.peak_bytes().unwrap_or(0) as f64 / 1e6;
            let parts = [device.cpu, device.wall, device.peak_bytes as f64 / 1e6, hub_peak];
            for (all, part) in found.iter_mut().zip(parts) {
                all.push(part);
            }
        }
        for (law, all) in laws.iter_mut().zip(found) {
            law.push(rows, all);
        }
        online.end().await?;
        hub.end().await?;
    }
    Ok(laws.into())
}

/// Pushes of more and more devices, in as many scopes or in one.
pub(super) async fn pushes(program: &Path, scratch: &Path, rows: usize) -> Result<Vec<Law>> {
    let mut scopes =
        Law::new("processor time of the hub a push of 10 rows", "devices, each its own scope", "µs", 0.2);
    // Every push goes out to every other device: linear would be a fan-out that costs as much as the push.
    let mut sessions =
        Law::new("processor time of the hub a push of 10 rows", "devices, all in one scope", "µs", 1.0);
    let pushes = (rows / 1000).clamp(5, 100);
    for devices in [1, 4, 16, 48].into_iter().filter(|devices| devices * 20 <= rows.max(80)) {
        for law in [&mut scopes, &mut sessions] {
            let in_one = law.at_most > 0.5;
            let mut costs = Vec::new();
            for _ in 0..TIMES {
                let dir = tempfile::tempdir_in(scratch)?;
                let hub = HubProcess::start(program, dir.path()).await?;
                let before = hub.process.cpu_seconds().unwrap_or(0.0);
                let scopes = if in_one { 1 } else { devices };
                push_from_many(program, &hub.url, devices, scopes, pushes).await?;
                let spent = hub.process.cpu_seconds().unwrap_or(0.0) - before;
                // Time is counted in ticks: less than one is not nothing.
                costs.push(spent.max(0.01) * 1e6 / (devices * pushes) as f64);
                hub.end().await?;
            }
            law.push(devices, costs);
        }
    }
    Ok(vec![scopes, sessions])
}

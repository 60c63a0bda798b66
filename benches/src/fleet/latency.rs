//! How long a write takes to be seen on another device, both of them live.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt;

use super::{Device, Fleet, HubProcess};
use crate::Result;
use crate::compare::{Bound, Figure};
use crate::contender::Write;
use crate::shape::Shape;
use crate::stats::Spread;

/// So long without a sign is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes on one device, one after the other, and waits for each to be visible on the other.
pub(super) async fn run(fleet: &Fleet, program: &Path, dir: &Path) -> Result<Vec<Figure>> {
    let shape = Shape::Integer;
    let hub = HubProcess::start(program, dir).await?;
    let (a, b) = (Device::create(dir, "a.db", shape)?, Device::create(dir, "b.db", shape)?);
    let (on_a, on_b) = (a.connect(&hub.url, "bench")?, b.connect(&hub.url, "bench")?);
    on_a.client.sync_now().await?;
    on_b.client.sync_now().await?;
    let mut applied = b.replica.applied();
    let mut seconds = Vec::new();
    for n in 0..fleet.writes {
        let write = Write::Insert(vec![shape.row(n)]);
        let begin = Instant::now();
        a.file.write(&write, false)?;
        a.replica.notify_committed();
        tokio::time::timeout(PATIENCE, applied.next()).await?;
        seconds.push(begin.elapsed().as_secs_f64());
        let seen: i64 = b.file.conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?;
        if seen != n as i64 + 1 {
            return Err(format!("{seen} rows are visible, not {}", n + 1).into());
        }
    }
    on_a.end().await?;
    on_b.end().await?;
    hub.end().await?;
    seconds.sort_by(f64::total_cmp);
    let mut figures = Vec::new();
    figures.extend(
        Spread::of(seconds.iter().map(|it| it * 1e3))
            .map(|it| Figure::new("write on A to visible on B, both live", "ms", Bound::AtMost(5.0), it)),
    );
    figures.extend(
        Spread::of(seconds.get(seconds.len() * 99 / 100).map(|it| it * 1e3))
            .map(|it| Figure::plain("write on A to visible on B, slower than 99 of 100", "ms", it)),
    );
    Ok(figures)
}

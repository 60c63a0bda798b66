//! Many devices push small groups at the same time.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use pocketsync::driver::{Client, ClientOptions};
use pocketsync::id::{Scope, SiteId};
use pocketsync::lineage::Stamp;
use pocketsync::runtime::TokioRuntime;
use pocketsync::testkit::MemoryReplica;
use pocketsync::value::Value;
use pocketsync::ws::{TokioConnector, WsUrl};
use tokio::process::Command;

use super::{Fleet, HubProcess};
use crate::Result;
use crate::compare::{Bound, Figure};
use crate::shape::mix;
use crate::stats::Spread;

/// The hidden command that is many devices.
pub const PUSHERS_COMMAND: &str = "push-devices";

/// Rows of a group.
const GROUP_ROWS: u64 = 10;

/// How often the whole is measured, each time on a new hub.
const TIMES: usize = 3;

/// The wall clock that devices write by; any will do that is not in the future.
const NOON_MS: u64 = 1_700_000_000_000;

/// Is `devices` devices in `scopes` logical databases, whose stores are in memory, so that the hub does most
/// of the work; answers how long it took until all of their groups were acknowledged, in seconds.
///
/// # Errors
/// When a device stops before that.
pub async fn push_devices(url: &WsUrl, devices: usize, scopes: usize, pushes: usize) -> Result<f64> {
    let mut clients = Vec::new();
    for n in 0..devices {
        let scope = Scope::new(format!("scope-{}", n % scopes))?;
        let mut site = [7; 16];
        site[..8].copy_from_slice(&mix(n as u64).to_be_bytes());
        let replica = MemoryReplica::new(scope.clone(), SiteId::from_bytes(site), Stamp(mix(n as u64) | 1));
        let connector = Arc::new(TokioConnector::new(url.clone()));
        let runtime = Arc::new(TokioRuntime::current());
        let (client, driver) =
            Client::new(replica.clone(), scope, connector, runtime, ClientOptions::default());
        tokio::spawn(driver);
        client.sync_now().await?;
        clients.push((n, client, replica));
    }
    let begin = Instant::now();
    let work = clients.into_iter().map(|(n, client, replica)| {
        tokio::spawn(async move {
            for push in 0..pushes as u64 {
                replica.write(NOON_MS + push, |tx| {
                    for row in 0..GROUP_ROWS {
                        let number = (n as u64) << 40 | push << 8 | row;
                        let text = format!("row {row} of group {push} of device {n}");
                        tx.insert(
                            "t",
                            &[("title", Value::text(&text)), ("rank", Value::Integer(number as i64))],
                        );
                    }
                });
                replica.notify_committed();
                client.sync_now().await?;
            }
            Ok::<_, pocketsync::SyncError>(())
        })
    });
    for outcome in futures::future::join_all(work).await {
        outcome??;
    }
    Ok(begin.elapsed().as_secs_f64())
}

/// Runs in another process what [`push_devices`] is.
pub(crate) async fn in_own_process(
    program: &Path,
    url: &WsUrl,
    devices: usize,
    scopes: usize,
    pushes: usize,
) -> Result<f64> {
    let output = Command::new(program)
        .args([PUSHERS_COMMAND, &url.to_string()])
        .args([devices, scopes, pushes].map(|number| number.to_string()))
        .stderr(Stdio::inherit())
        .output()
        .await?;
    if !output.status.success() {
        return Err(format!("the pushing devices failed: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Pushes of many devices, each to a scope of its own: what a hub for many users sees.
pub(super) async fn run(fleet: &Fleet, program: &Path, dir: &Path) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    // In one scope every push goes out to all others, and the devices would be what is measured.
    let few = fleet.devices.div_ceil(4);
    let kinds = [("each its own scope", fleet.devices, fleet.devices), ("one scope", few, 1)];
    for (what, devices, scopes) in kinds {
        let (mut rates, mut cpus) = (Vec::new(), Vec::new());
        for time in 0..TIMES {
            let dir = dir.join(format!("{scopes}-{time}"));
            std::fs::create_dir(&dir)?;
            let hub = HubProcess::start(program, &dir).await?;
            let worked = hub.process.cpu_seconds().unwrap_or(0.0);
            let seconds = in_own_process(program, &hub.url, devices, scopes, fleet.pushes).await?;
            let groups = (devices * fleet.pushes) as f64;
            rates.push(groups / seconds);
            cpus.push((hub.process.cpu_seconds().unwrap_or(0.0) - worked) * 1e6 / groups);
            hub.end().await?;
        }
        let of = |what_more: &str| format!("hub, {devices} devices, {what}: {what_more}");
        let rate = Spread::of(rates);
        figures.extend(
            rate.map(|it| Figure::new(of("groups of 10 rows"), "pushes/s", Bound::AtLeast(2000.0), it)),
        );
        figures.extend(Spread::of(cpus).map(|it| Figure::plain(of("processor time a push"), "µs", it)));
    }
    Ok(figures)
}

//! Clients that mean no good, over real sockets: the hub stays up and small, they get nothing, and honest devices hardly
//! notice.

mod attacks;
#[path = "../processes/mod.rs"]
mod processes;
mod stage;

use std::future::Future;
use std::time::Duration;

use stage::Stage;

/// How much longer than alone honest devices may wait for each other, in the middle. They should stay under two; a
/// test on a busy machine allows more.
const FACTOR: u32 = 8;
const SLACK: Duration = Duration::from_millis(250);

/// What the hub may need besides what it needs alone: two of the largest messages, and a little for each connection.
const MAX_MORE_MEMORY: u64 = 400 << 20;

fn middle(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 95 / 100])
}

/// Runs an attack, and times honest devices meanwhile, 20 times at least.
async fn during(stage: &Stage, attack: impl Future<Output = ()>) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut is_over = false;
    tokio::pin!(attack);
    while !is_over || times.len() < 20 {
        let probe = async {
            let time = stage.probe().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            time
        };
        tokio::pin!(probe);
        loop {
            tokio::select! {
                () = &mut attack, if !is_over => is_over = true,
                time = &mut probe => {
                    times.push(time);
                    break;
                }
            }
        }
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_clients_get_nothing_and_honest_devices_hardly_notice() {
    let mut stage = Stage::new().await;
    let sites = || stage.honest.each_ref().map(|device| device.replica.status().unwrap().site.unwrap());
    let sites = sites();
    let (alone, _) = middle(during(&stage, tokio::time::sleep(Duration::from_secs(2))).await);
    let (before, _) = stage.memory();
    println!("alone: {alone:?} in the middle, {} MiB", before >> 20);
    macro_rules! suffer {
        ($($name:literal: $attack:expr,)*) => {$(
            let (time, late) = middle(during(&stage, $attack).await);
            let (memory, most) = stage.memory();
            println!("{:>20}: {time:>10.1?} {late:>10.1?}  {:>4} MiB, {:>4} at most", $name, memory >> 20, most >> 20);
            assert!(time < alone * FACTOR + SLACK, "{}: {time:?}, and {alone:?} alone", $name);
            assert!(stage.hub.process.runs(), "{}", $name);
        )*};
    }
    suffer! {
        "bad tokens": attacks::bad_tokens(&stage),
        "forged sites": attacks::forged_sites(&stage, sites[0]),
        "lies": attacks::lies(&stage),
        "oversize": attacks::oversize(&stage),
        "garbage": attacks::garbage(&stage),
        "replay": attacks::replay(&stage),
        "half-open": attacks::half_open(&stage),
        "1,000 say nothing": attacks::silence(&stage),
        "bombs": attacks::bombs(&stage),
        "flood": attacks::flood(&stage),
    }
    let (_, most) = stage.memory();
    assert!(most < before + MAX_MORE_MEMORY, "{} MiB, and {} alone", most >> 20, before >> 20);
    for (device, site) in stage.honest.iter().zip(sites) {
        let status = device.client.status();
        assert_eq!((status.failures, status.last_error), (0, None), "its session was never lost");
        assert_eq!(
            device.replica.status().unwrap().site,
            Some(site),
            "nobody made it take itself for restored"
        );
    }
    // What mallory may write is there, and nothing else of it.
    assert!(stage.intruders() <= 500, "only the flood, which it may write");
    assert!(stage.hub.process.terminate("-TERM").success());
}

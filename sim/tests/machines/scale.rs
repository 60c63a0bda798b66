//! How large a fleet may be. Run by hand, in release:
//! `cargo test --release -p pocketsync-sim --test machines scale -- --ignored --nocapture thousand`.

use std::time::{Duration, Instant};

use crate::support::{FieldTeam, must_converge};

fn measure(devices: u32, limit: Duration) {
    let team = FieldTeam { devices, team: 25, days: 2, writes_a_day: 15 };
    let story = team.tell(1);
    let began = Instant::now();
    let (outcome, seen) = must_converge(&story);
    let took = began.elapsed();
    let measures = &outcome.measures;
    let bytes: u64 = measures.traffic.values().map(|traffic| traffic.up + traffic.down).sum();
    println!(
        "{devices} devices, {} h simulated in {:.1} s; {} transactions, {} rows at most, {} MB over links, \
         converged {} ms after the last write; {}",
        measures.simulated_ms / 3_600_000,
        took.as_secs_f64(),
        measures.transactions,
        seen.max_rows,
        bytes / 1_000_000,
        measures.converged_after_ms.unwrap_or_default(),
        peak_memory(),
    );
    println!("{:?}", measures.traffic);
    assert!(took < limit, "took {took:?}");
}

/// The most memory that the process ever had, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "memory unknown".to_owned(), |peak| format!("at most {} of memory", peak.trim()))
}

#[test]
#[ignore = "takes a minute, and means something in release only"]
fn a_thousand_devices_converge_in_a_minute() {
    measure(1_000, Duration::from_secs(60));
}

#[test]
#[ignore = "takes ten minutes and gigabytes, and means something in release only"]
fn ten_thousand_devices_converge_in_ten_minutes() {
    measure(10_000, Duration::from_secs(600));
}

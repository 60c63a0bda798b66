//! A stopwatch for measurements of rows.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // Real time is measured.

use std::time::{Duration, Instant};

/// The processor time of this thread, where the system tells it.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

/// Does the work, and prints how many rows a second it did.
pub(crate) fn measured(what: &str, rows: i64, work: impl FnOnce()) {
    let (begin, worked) = (Instant::now(), processor_time());
    work();
    let per_second = |time: Duration| rows as f64 / time.as_secs_f64();
    let wall = per_second(begin.elapsed());
    match processor_time().zip(worked).map(|(now, before)| per_second(now - before)) {
        Some(processor) => println!("{what:<28} {wall:>9.0} rows/s, {processor:>9.0} by processor time"),
        None => println!("{what:<28} {wall:>9.0} rows/s"),
    }
}

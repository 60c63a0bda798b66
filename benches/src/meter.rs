//! Time and memory, as the system counts them.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What some work took, in seconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Lap {
    /// By the clock on the wall.
    pub wall: f64,
    /// Of the processor, in the thread that did it: what other programs do in the meantime is not
    /// in it.
    pub cpu: f64,
}

impl std::ops::Add for Lap {
    type Output = Lap;

    fn add(self, other: Lap) -> Lap {
        Lap { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Does the work and says what it took.
///
/// # Errors
/// What the work failed with.
pub fn measure<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(Lap, T), E> {
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let value = work()?;
    Ok((Lap { wall: begin.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu }, value))
}

/// What the system says of a process. Nothing, where there is no `/proc`.
#[derive(Clone, Debug)]
pub struct Process(PathBuf);

impl Process {
    /// This one.
    pub fn this() -> Process {
        Process("/proc/self".into())
    }

    /// Another one that is running.
    pub fn with_id(id: u32) -> Process {
        Process(format!("/proc/{id}").into())
    }

    fn status_bytes(&self, field: &str) -> Option<u64> {
        let text = std::fs::read_to_string(self.0.join("status")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    }

    /// The most memory it ever had, in bytes, since it began or [`forget_peak`](Self::forget_peak).
    pub fn peak_bytes(&self) -> Option<u64> {
        self.status_bytes("VmHWM")
    }

    /// The memory it has now, in bytes.
    pub fn resident_bytes(&self) -> Option<u64> {
        self.status_bytes("VmRSS")
    }

    /// Counts the peak from now on. Without effect where that is not allowed.
    pub fn forget_peak(&self) {
        let _kept = std::fs::write(self.0.join("clear_refs"), "5");
    }

    /// The processor time of all its threads so far, in seconds; in ticks of ten milliseconds.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let text = std::fs::read_to_string(self.0.join("stat")).ok()?;
        // The name of the program is in parentheses, and may hold anything.
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some((ticks(11)? + ticks(12)?) / 100.0)
    }
}

/// The bytes of a database on the disk, what stands beside it included.
pub fn disk_bytes(database: &Path) -> u64 {
    let sizes = ["", "-wal", "-journal"].map(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |about| about.len())
    });
    sizes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time_and_sleep_does_not() {
        let (slept, ()) = measure(|| {
            std::thread::sleep(std::time::Duration::from_millis(30));
            Ok::<_, ()>(())
        })
        .unwrap();
        assert!(slept.wall >= 0.03 && slept.cpu < 0.03, "{slept:?}");
        let (worked, sum) =
            measure(|| Ok::<_, ()>((0..3_000_000u64).fold(0, |a, b| a ^ crate::shape::mix(b)))).unwrap();
        assert!(worked.cpu > 0.0 && sum != 0, "{worked:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_is_seen() {
        let this = Process::this();
        let before = this.peak_bytes().unwrap();
        let block = vec![1u8; 64 << 20];
        assert!(this.peak_bytes().unwrap() > before.max(this.resident_bytes().unwrap() - (32 << 20)));
        assert!(block.iter().all(|&byte| byte == 1) && this.cpu_seconds().is_some());
    }
}

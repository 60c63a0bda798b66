//! How much memory the program takes.

/// The most memory that this process has had in use at a time, in bytes; `None` where the system
/// does not tell (it does on Linux).
///
/// ```
/// if let Some(bytes) = pocketsync_sim::run::peak_rss_bytes() {
///     assert!(bytes > 100_000);
/// }
/// ```
pub fn peak_rss_bytes() -> Option<u64> {
    in_status(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn in_status(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::in_status;

    #[test]
    fn the_high_water_mark_is_read_in_bytes() {
        assert_eq!(in_status("Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t 7 kB\n"), Some(2 << 20));
        assert_eq!(in_status("Name:\tx\n"), None);
    }
}

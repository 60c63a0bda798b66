//! How much the hub takes.

use std::time::Duration;

use pocketsync::driver::{HubOptions, RateLimit};
use pocketsync::http::HttpHubOptions;
use pocketsync::hub::HubConfig;
use pocketsync::store::HubStoreOptions;

/// How much the hub takes. Sizes are in bytes, with K, M or G for powers of 1024.
#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct HubLimits {
    /// Connections at a time, over WebSocket and HTTP each
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    max_connections: usize,
    /// Sessions of one scope
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    max_sessions_per_scope: usize,
    /// Sessions of one identity, where devices have tokens of their own
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    max_sessions_per_identity: usize,
    /// The largest frame; larger messages are cut into several
    #[arg(long, value_name = "SIZE", default_value = "1M", value_parser = size)]
    max_frame: u64,
    /// The largest row
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = size)]
    max_row: u64,
    /// Rows a second that one identity may bring in the long run; no limit if it is left out
    #[arg(long, value_name = "COUNT")]
    rows_per_second: Option<u32>,
    /// Rows that it may bring at once after a quiet time
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, requires = "rows_per_second")]
    rows_burst: u32,
    /// What the rows of one scope may take; no limit if it is left out
    #[arg(long, value_name = "SIZE", value_parser = size)]
    quota: Option<u64>,
    /// What the hub's file may take; no limit if it is left out
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_file: Option<u64>,
    /// How long a client may take to say who it is
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    handshake_timeout: u64,
    /// How long a client may be silent, asked whether it is there
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    idle_timeout: u64,
}

impl HubLimits {
    pub(crate) fn store(&self) -> HubStoreOptions {
        let mut options = HubStoreOptions::default();
        options.max_scope_bytes = self.quota;
        options.max_bytes = self.max_file;
        options
    }

    pub(crate) fn hub(&self) -> HubOptions {
        let mut config = HubConfig::default();
        config.max_connections = self.max_connections;
        config.max_sessions_per_scope = self.max_sessions_per_scope;
        config.max_sessions_per_identity = self.max_sessions_per_identity;
        let session = &mut config.session;
        session.max_row_bytes = bytes(self.max_row);
        session.handshake_timeout = Duration::from_secs(self.handshake_timeout);
        session.dead_after = Duration::from_secs(self.idle_timeout);
        session.ping_after = session.ping_after.min(session.dead_after / 3);
        let options = HubOptions::default().with_hub(config);
        match self.rows_per_second {
            Some(rows_per_second) => options.with_rate(RateLimit { rows_per_second, burst: self.rows_burst }),
            None => options,
        }
    }

    pub(crate) fn http(&self) -> HttpHubOptions {
        let mut options = HttpHubOptions::default();
        options.max_links = self.max_connections;
        options.max_frame_bytes = bytes(self.max_frame);
        options.idle_timeout = Duration::from_secs(self.idle_timeout);
        options
    }
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn size(text: &str) -> Result<u64, String> {
    const WANTED: &str = "write it as 65536, 64K, 16M or 2G";
    let (digits, shift) = match text.char_indices().last().ok_or(WANTED)? {
        (at, 'K' | 'k') => (&text[..at], 10),
        (at, 'M' | 'm') => (&text[..at], 20),
        (at, 'G' | 'g') => (&text[..at], 30),
        _ => (text, 0),
    };
    let count: u64 = digits.parse().map_err(|_| WANTED)?;
    count.checked_mul(1 << shift).filter(|size| *size > 0).ok_or_else(|| WANTED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_a_unit_or_none() {
        assert_eq!(size("300"), Ok(300));
        assert_eq!(size("64K"), Ok(65_536));
        assert_eq!(size("2g"), Ok(2 << 30));
        for wrong in ["", "K", "0", "-1M", "1.5M", "1T", "99999999999999999999", "20000000000G", "3é"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}

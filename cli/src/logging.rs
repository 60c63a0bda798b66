//! Logs go to stderr, so that stdout carries only what was asked for.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging: warnings, more with each `-v`, or whatever `RUST_LOG` says.
pub(crate) fn start(verbosity: u8) {
    let level = match verbosity {
        0 => "warn",
        1 => "info,pocketsync=info",
        2 => "info,pocketsync=debug,pocketsync_core=debug,pocketsync_ws=debug,pocketsync_cli=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !plain)
        .init();
}

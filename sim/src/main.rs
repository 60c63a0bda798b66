//! The `pocketsync-sim` program: attacks PocketSync in simulated worlds, and reports.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}

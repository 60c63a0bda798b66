//! The commands.

mod ended;
mod given;
mod list;
mod output;
mod replay;
mod report;
mod run;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use ended::Result;

/// Attacks PocketSync in simulated worlds: many offline devices, bad networks, crashes, wrong clocks.
///
/// A scenario says what the world is like; with a seed it becomes a story in which every write and every fault is
/// spelled out. Oracles, one a promise, watch what comes of it. The same scenario and seed do the same on every run.
#[derive(Parser)]
#[command(
    name = "pocketsync-sim",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(after_help = "\
Begin here:
  pocketsync-sim list                                what is shipped, and what it attacks
  pocketsync-sim run office                          20 seeds of one scenario

Study:
  pocketsync-sim run office flaky.toml --seeds 0..200 --out out
  pocketsync-sim report out                          one HTML page, and tables for a notebook
  pocketsync-sim replay office --seed 17             the story of one run, told

Exit codes:
  0    every promise was kept
  1    a promise was broken
  2    wrong usage, a scenario that makes no sense, or the world itself failed
  130  ended early by Ctrl-C; what there is was written")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Replay(replay::Args),
    List(list::Args),
    Report(report::Args),
}

/// Does what the command line says.
pub(crate) fn main() -> ExitCode {
    let done: Result = match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Replay(args) => replay::run(args),
        Command::List(args) => list::run(args),
        Command::Report(args) => report::run(args),
    };
    match done {
        Ok(ended) => ended.into(),
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

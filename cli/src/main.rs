//! The `pocketsync` program: a hub, a sync sidecar for any SQLite file, and tools.

mod admission;
mod bundles;
mod certificate;
mod conflicts;
mod connector;
mod demo;
mod diff;
mod failure;
mod hub;
mod limits;
mod logging;
mod meter;
mod migrate;
mod output;
mod parked;
mod progress;
mod replica;
mod rules;
mod signals;
mod status;
mod sync;
mod table;
mod tls;
mod token;
mod tokens;
mod track;
mod two_files;
mod untrack;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::{Context, Result};

/// Keeps SQLite files the same across devices, offline included.
///
/// Every device has an ordinary SQLite file, which its application writes with ordinary SQL. PocketSync tracks what
/// changed, ships it through a hub, merges, and tells everyone in real time.
#[derive(Parser)]
#[command(
    name = "pocketsync",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(after_help = "\
Begin here:
  pocketsync demo                         a hub and three devices, conflicts and all, in two seconds

Sync a file:
  pocketsync hub --data ./hub             somewhere; listens on 127.0.0.1:9320
  pocketsync track app.db                 on each device, once
  pocketsync sync app.db --hub ws://127.0.0.1:9320 --scope notes --watch

Without a hub:
  pocketsync sync app.db --peer copy.db   two files on this machine
  pocketsync export app.db --to out.bundle, then elsewhere: pocketsync import app.db --from out.bundle

Exit codes:
  0  done
  1  the answer is no: the files differ, or are not in sync
  2  wrong usage, or something is in the way
  130, 143  ended early by Ctrl-C, by SIGTERM

Logs go to stderr: -v for more, or RUST_LOG=pocketsync=debug. NO_COLOR=1 turns colour off.")]
struct Cli {
    /// Says more on stderr; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Hub(hub::Args),
    Track(track::Args),
    Untrack(untrack::Args),
    Migrate(migrate::Args),
    Sync(sync::Args),
    Export(bundles::ExportArgs),
    Import(bundles::ImportArgs),
    Status(status::Args),
    Parked(parked::Args),
    Diff(diff::Args),
    Conflicts(conflicts::Args),
    Rules(rules::Args),
    Token(tokens::Args),
    Demo(demo::Args),
}

impl Command {
    fn run(self) -> Result {
        match self {
            Command::Hub(args) => hub::run(args),
            Command::Track(args) => track::run(args),
            Command::Untrack(args) => untrack::run(args),
            Command::Migrate(args) => migrate::run(args),
            Command::Sync(args) => sync::run(args),
            Command::Export(args) => bundles::export(args),
            Command::Import(args) => bundles::import(args),
            Command::Status(args) => status::run(args),
            Command::Parked(args) => parked::run(args),
            Command::Diff(args) => diff::run(args),
            Command::Conflicts(args) => conflicts::run(args),
            Command::Rules(args) => rules::run(args),
            Command::Token(args) => tokens::run(args),
            Command::Demo(args) => demo::run(args),
        }
    }
}

/// Runs a future on threads of its own making.
fn asynchronous(work: impl Future<Output = Result>) -> Result {
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    threads.context("cannot start threads")?.block_on(work)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(cli.verbose);
    match cli.command.run() {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

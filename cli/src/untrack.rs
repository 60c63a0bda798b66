//! `pocketsync untrack`.

use std::path::PathBuf;

use crate::failure::{Context, Failure, Outcome, Result};
use crate::output::{count, print};
use crate::replica;

/// Takes every trace of PocketSync out of a file
///
/// The tables keep their rows. What was not sent to anyone yet stays in this file only, and rows that are parked
/// are lost: without --force it refuses as long as there are such.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  pocketsync untrack app.db")]
pub(crate) struct Args {
    /// The SQLite file
    file: PathBuf,
    /// Even with unsent changes or parked rows
    #[arg(long)]
    force: bool,
}

/// Untracks.
pub(crate) fn run(args: Args) -> Result {
    let replica = replica::open(&args.file)?;
    let status = replica.status().context("cannot read the state of the file")?;
    if status.format == 0 {
        print(&format!("{} is not tracked\n", args.file.display()))?;
        return Ok(Outcome::Done);
    }
    if !args.force && status.parked > 0 {
        let parked = count(status.parked, "row is", "rows are");
        return Err(Failure::new(format!("{parked} parked in {}, and would be lost", args.file.display()))
            .hint("`pocketsync status` lists them; --force untracks all the same"));
    }
    if !args.force && status.pending_changes > 0 && !status.peers.is_empty() {
        let pending = count(status.pending_changes, "change was", "changes were");
        return Err(Failure::new(format!("{pending} not sent from {} yet", args.file.display()))
            .hint("`pocketsync sync` sends them; --force untracks all the same"));
    }
    replica.untrack().context("cannot untrack")?;
    print(&format!("{} is an ordinary database again\n", args.file.display()))?;
    Ok(Outcome::Done)
}

//! `pocketsync parked`.

use std::path::PathBuf;

use pocketsync::ReplicaOptions;
use pocketsync::store::sqlite::{Parked, ParkedReason, Replica};
use serde::Serialize;

use crate::failure::{Context, Failure, Outcome, Result};
use crate::output::{FAINT, STRONG, count, print, print_json, styled};
use crate::replica;

/// The fewest digits of a handle that name a row.
const MIN_HANDLE: usize = 4;

/// Lists the rows that are held and cannot be shown, and the changes that the hub did not take
///
/// Nothing of a parked row is lost: other devices are told of it, and it is shown as soon as what is in its way is
/// gone. Each is listed with the reason, in words, and with its values. Most need nothing: a row whose parent has not
/// arrived waits for it, and what refers to a row that lost its UNIQUE key shows the one that has it. Rename or delete
/// the row that is in the way, or change the schema, and the parked one comes by itself.
///
/// A change that is "not allowed" was made here, and the hub did not take it, because the device's token does not
/// give it the right. The row is as the others have it, and the change is kept here: get the right and --retry, which
/// writes it once more, or --discard it.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync parked app.db
  pocketsync parked app.db --json | jq -r '.parked[].sentence'
  pocketsync parked app.db --discard 3f9c    deletes this one row, on every device

Exit codes:
  0  nothing is parked (any more)
  1  something is
  2  the file cannot be read, or the row is not to be discarded")]
pub(crate) struct Args {
    /// The SQLite file
    file: PathBuf,
    /// As JSON, on one line
    #[arg(long)]
    json: bool,
    /// Tries first to show them all, and writes once more what was not allowed
    #[arg(long, conflicts_with = "discard")]
    retry: bool,
    /// Deletes a row for good, on every device, or forgets a change that was not allowed: the handle that is listed, or how
    /// it begins
    #[arg(long, value_name = "HANDLE")]
    discard: Option<String>,
}

/// Lists, retries or discards.
pub(crate) fn run(args: Args) -> Result {
    if args.retry {
        let replica = replica::open_tracked(&args.file)?;
        let shown = replica.retry_parked().context("cannot try again")?;
        if !args.json {
            print(&format!("{} now\n", count(shown, "row is shown", "rows are shown")))?;
        }
    }
    if let Some(handle) = &args.discard {
        discard(&args, handle)?;
    }
    let parked = Replica::inspect_parked(&args.file, ReplicaOptions::default())?;
    if args.json {
        print_json(&Report { parked: parked.iter().map(ParkedReport::of).collect() })?;
    } else if !parked.is_empty() || !args.retry && args.discard.is_none() {
        print(&told(&parked))?;
    }
    Ok(if parked.is_empty() { Outcome::Done } else { Outcome::No })
}

fn discard(args: &Args, handle: &str) -> Result<()> {
    let replica = replica::open_tracked(&args.file)?;
    let parked = replica.parked().context("cannot read the parked rows")?;
    let wanted = handle.to_ascii_lowercase();
    let named: Vec<&Parked> = parked.iter().filter(|row| row.handle.starts_with(&wanted)).collect();
    let list = format!("pocketsync parked {}", args.file.display());
    let row = match named[..] {
        [row] if wanted.len() >= MIN_HANDLE => row,
        [] => return Err(Failure::new(format!("no parked row has the handle {handle}")).hint(list)),
        _ => {
            let message = format!(
                "{handle} is too short: {}",
                count(named.len() as u64, "row begins so", "rows begin so")
            );
            return Err(Failure::new(message).hint(list));
        }
    };
    let told = if row.reason == ParkedReason::NotAllowed {
        replica.discard_refused(&row.table, &row.row).context("not discarded")?;
        "is forgotten; nobody else has heard of it"
    } else {
        replica.discard_parked(&row.table, &row.row).context("not discarded")?;
        "is deleted, here and on every device that this one syncs with"
    };
    if !args.json {
        print(&format!("{} of {} {told}\n", row.handle, row.table))?;
    }
    Ok(())
}

fn told(parked: &[Parked]) -> String {
    if parked.is_empty() {
        return "nothing is parked\n".to_owned();
    }
    let mut lines = vec![format!("{} parked", count(parked.len() as u64, "row is", "rows are"))];
    for row in parked {
        lines.push(String::new());
        let head = format!("{}: {}", row.table, row.reason.as_str());
        lines.push(format!("{}  {}", styled(FAINT, &row.handle), styled(STRONG, &head)));
        lines.push(format!("  {}", line(&row.sentence)));
        let values: Vec<String> = row
            .values
            .iter()
            .map(|(column, value)| format!("{column} = {}", shown(&value.to_string())))
            .collect();
        if !values.is_empty() {
            lines.push(format!("  {}", line(&values.join(", "))));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Without what would break the line.
fn line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// A value of a length that fits.
fn shown(value: &str) -> String {
    if value.chars().count() <= 40 {
        return value.to_owned();
    }
    value.chars().take(39).chain(['…']).collect()
}

#[derive(Serialize)]
struct Report {
    parked: Vec<ParkedReport>,
}

#[derive(Serialize)]
struct ParkedReport {
    handle: String,
    table: String,
    row: String,
    key: Vec<String>,
    reason: &'static str,
    sentence: String,
    since_ms: Option<u64>,
    values: std::collections::BTreeMap<String, String>,
}

impl ParkedReport {
    fn of(row: &Parked) -> Self {
        ParkedReport {
            handle: row.handle.clone(),
            table: row.table.clone(),
            row: row.row.to_string(),
            key: row.key.iter().map(ToString::to_string).collect(),
            reason: row.reason.as_str(),
            sentence: row.sentence.clone(),
            since_ms: row.since_ms,
            values: row.values.iter().map(|(column, value)| (column.clone(), value.to_string())).collect(),
        }
    }
}

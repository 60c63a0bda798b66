//! `pocketsync status`.

use std::path::PathBuf;

use pocketsync::ReplicaStatus;
use pocketsync::store::sqlite::IdentityKind;
use serde::Serialize;

use crate::failure::{Outcome, Result};
use crate::output::{FAINT, ODD, count, grouped, print, print_json, styled};
use crate::replica;
use crate::table::{Cell, Table};
use crate::track::told_apart_by;

/// Says where a file stands
///
/// Which tables are tracked, how many changes wait to be sent, which rows are parked (held, but not shown: a
/// constraint, an unknown column), and whom the file was synced with. Works beside a running sidecar.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync status app.db
  pocketsync status app.db --json | jq .pending_changes

Exit codes:
  0  nothing waits, nothing is parked
  1  something does, or the file is not tracked
  2  the file cannot be read")]
pub(crate) struct Args {
    /// The SQLite file
    file: PathBuf,
    /// As JSON, on one line
    #[arg(long)]
    json: bool,
}

/// Looks, and tells.
pub(crate) fn run(args: Args) -> Result {
    let status = replica::inspect(&args.file)?;
    if args.json {
        print_json(&Report::of(&status))?;
    } else {
        print(&told(&status))?;
    }
    let is_quiet = status.format > 0 && status.pending_changes == 0 && status.parked == 0;
    Ok(if is_quiet { Outcome::Done } else { Outcome::No })
}

fn told(status: &ReplicaStatus) -> String {
    let mut lines = Vec::new();
    let Some(site) = status.site else {
        let path = status.path.display();
        return format!("{path} is not tracked; begin with: pocketsync track {path}\n");
    };
    lines.push(format!(
        "{}  {}",
        status.path.display(),
        styled(FAINT, &format!("site {site}, format {}", status.format))
    ));
    lines.push(String::new());
    let mut table = Table::new(["table", "rows", "rows are told apart by"]);
    for tracked in &status.tables {
        let note = match (tracked.missing, tracked.suspect) {
            (true, _) => "gone from the schema; its rows were not deleted elsewhere",
            (false, true) => "found without its triggers; compared as peers tell what they have",
            (false, false) => told_apart_by(tracked.identity),
        };
        table.row(vec![Cell::text(&tracked.name), Cell::number(grouped(tracked.rows)), Cell::text(note)]);
    }
    lines.extend(table.lines());
    if !status.untracked.is_empty() {
        lines.push(styled(FAINT, &format!("not tracked: {}", status.untracked.join(", "))));
    }
    lines.push(String::new());
    lines.push(match status.pending_changes {
        0 => "nothing waits to be sent".to_owned(),
        n => format!("{} to be sent", count(n, "change waits", "changes wait")),
    });
    if status.parked > 0 {
        lines.push(styled(ODD, &format!("{} parked:", count(status.parked, "row is", "rows are"))));
        let mut table = Table::new(["table", "why", "row"]);
        for parked in &status.parked_rows {
            let why = match &parked.detail {
                Some(detail) => format!("{}: {detail}", parked.reason),
                None => parked.reason.clone(),
            };
            let row = format!("{:?}", parked.row);
            table.row(vec![
                Cell::text(&parked.table),
                Cell::text(why).at_most(80),
                Cell::text(row).at_most(60),
            ]);
        }
        lines.extend(table.lines().into_iter().map(|line| format!("  {line}")));
    }
    for warning in &status.schema_warnings {
        lines.push(format!("{} {warning}", styled(ODD, "note:")));
    }
    if status.conflicts > 0 {
        let conflicts = count(status.conflicts, "conflict is", "conflicts are");
        lines.push(format!("{conflicts} in the log: pocketsync conflicts {}", status.path.display()));
    }
    for peer in &status.peers {
        let catching_up = if peer.catching_up { ", in the middle of catching up" } else { "" };
        lines.push(styled(
            FAINT,
            &format!(
                "synced with {}: it has us up to {}, we have it up to {}{catching_up}",
                peer.site, peer.acked.seq, peer.held.seq
            ),
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[derive(Serialize)]
struct Report {
    path: String,
    tracked: bool,
    format: i64,
    site: Option<String>,
    position: u64,
    tables: Vec<TableReport>,
    untracked: Vec<String>,
    journal: u64,
    pending_changes: u64,
    parked: u64,
    parked_rows: Vec<ParkedReport>,
    schema_warnings: Vec<String>,
    conflicts: u64,
    peers: Vec<PeerReport>,
}

#[derive(Serialize)]
struct TableReport {
    name: String,
    identity: &'static str,
    rows: u64,
    suspect: bool,
    missing: bool,
}

#[derive(Serialize)]
struct ParkedReport {
    table: String,
    row: String,
    reason: String,
    detail: Option<String>,
}

#[derive(Serialize)]
struct PeerReport {
    site: String,
    held: u64,
    acked: u64,
    catching_up: bool,
}

impl Report {
    fn of(status: &ReplicaStatus) -> Self {
        let tables = status.tables.iter().map(|table| TableReport {
            name: table.name.clone(),
            identity: match table.identity {
                IdentityKind::Natural => "natural",
                IdentityKind::Surrogate => "surrogate",
            },
            rows: table.rows,
            suspect: table.suspect,
            missing: table.missing,
        });
        let parked = status.parked_rows.iter().map(|parked| ParkedReport {
            table: parked.table.clone(),
            row: format!("{:?}", parked.row),
            reason: parked.reason.clone(),
            detail: parked.detail.clone(),
        });
        let peers = status.peers.iter().map(|peer| PeerReport {
            site: peer.site.to_string(),
            held: peer.held.seq,
            acked: peer.acked.seq,
            catching_up: peer.catching_up,
        });
        Report {
            path: status.path.display().to_string(),
            tracked: status.format > 0,
            format: status.format,
            site: status.site.map(|site| site.to_string()),
            position: status.position.seq,
            tables: tables.collect(),
            untracked: status.untracked.clone(),
            journal: status.journal,
            pending_changes: status.pending_changes,
            parked: status.parked,
            parked_rows: parked.collect(),
            schema_warnings: status.schema_warnings.iter().map(ToString::to_string).collect(),
            conflicts: status.conflicts,
            peers: peers.collect(),
        }
    }
}

//! `pocketsync conflicts`.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Subcommand;
use pocketsync::conflict::{ConflictFilter, LoggedConflict, Winner, Write, Written};
use pocketsync::{HubStore, Replica, ReplicaOptions};
use serde::Serialize;

use crate::failure::{Context, Failure, Outcome, Result};
use crate::output::{FAINT, ODD, count, print, print_json, styled};
use crate::replica;
use crate::table::{Cell, Table};

/// Lists conflicts, and brings back what lost one
///
/// A conflict is two writes of one thing whose writers did not know of each other. FILE is a device's database, or
/// a hub's own file, which has those of everybody. Works beside a running sidecar or hub; to restore needs the file
/// for itself for a moment.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Examples:
  pocketsync conflicts app.db
  pocketsync conflicts app.db --table note --since 7d
  pocketsync conflicts hub/hub.db --json | jq '.[].came'
  pocketsync conflicts restore app.db 12

Exit codes:
  0  done
  2  the file cannot be read, or there is no such conflict")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The SQLite file of a device, or of a hub
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// As JSON, on one line
    #[arg(long)]
    json: bool,
    /// Of this table only
    #[arg(long)]
    table: Option<String>,
    /// Not older than this: 90s, 15m, 12h, 7d
    #[arg(long, value_parser = age)]
    since: Option<Duration>,
    /// Only those that wait for a person
    #[arg(long)]
    open: bool,
    /// At most so many, the newest first
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Brings back what lost a conflict, as a new write on this device
    #[command(after_help = "\
Example:
  pocketsync conflicts restore app.db 12")]
    Restore {
        /// The SQLite file of a device
        file: PathBuf,
        /// The number that the list shows
        id: u64,
    },
}

fn age(text: &str) -> std::result::Result<Duration, String> {
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("a number and s, m, h or d: 12h".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a number and s, m, h or d: 12h".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

/// Lists, or restores.
pub(crate) fn run(args: Args) -> Result {
    if let Some(Command::Restore { file, id }) = args.command {
        replica::open_tracked(&file)?.restore_conflict(id).context("cannot restore")?;
        print(&format!("restored what lost conflict {id}; it goes out with the next sync\n"))?;
        return Ok(Outcome::Done);
    }
    let file = args.file.ok_or_else(|| Failure::new("no file was named"))?;
    let mut filter = ConflictFilter::default();
    filter.table = args.table;
    filter.open = args.open;
    filter.limit = Some(args.limit);
    filter.since_ms = args.since.map(|age| {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        u64::try_from(now.saturating_sub(age).as_millis()).unwrap_or(u64::MAX)
    });
    let logs = read(&file, &filter)?;
    if args.json {
        let all = logs.iter();
        let reports =
            all.flat_map(|(scope, log)| log.iter().map(|logged| Report::of(scope.as_deref(), logged)));
        print_json(&reports.collect::<Vec<_>>())?;
    } else {
        print(&told(&logs))?;
    }
    Ok(Outcome::Done)
}

/// The conflicts of a file; by scope, where it is a hub's.
type Logs = Vec<(Option<String>, Vec<LoggedConflict>)>;

fn read(file: &Path, filter: &ConflictFilter) -> Result<Logs> {
    if file.is_file()
        && let Ok(scopes) = HubStore::inspect_conflicts(file, filter)
    {
        return Ok(scopes.into_iter().map(|(scope, log)| (Some(scope.as_str().to_owned()), log)).collect());
    }
    Ok(vec![(None, Replica::inspect_conflicts(file, ReplicaOptions::default(), filter)?)])
}

fn told(logs: &Logs) -> String {
    let mut lines = Vec::new();
    for (scope, log) in logs {
        if let Some(scope) = scope {
            lines.push(format!("scope {scope}"));
        }
        if log.is_empty() {
            lines.push(styled(FAINT, "no conflicts"));
            continue;
        }
        let mut table = Table::new(["id", "row", "column", "was there", "came", "won", "rule"]);
        for logged in log {
            let won = match logged.winner {
                Winner::Here => "what was there",
                Winner::Came => "what came",
                _ => "something of both",
            };
            let rule = if logged.open { format!("{} (open)", logged.rule) } else { logged.rule.clone() };
            let rule = Cell::text(rule);
            table.row(vec![
                Cell::number(logged.id.to_string()),
                Cell::text(format!("{} {}", logged.table, logged.row)).at_most(40),
                Cell::text(logged.column.as_deref().unwrap_or("(the row)")),
                Cell::text(words(&logged.here)).at_most(30),
                Cell::text(words(&logged.came)).at_most(30),
                Cell::text(won),
                if logged.open { rule.styled(ODD) } else { rule },
            ]);
        }
        lines.extend(table.lines());
        lines.push(styled(FAINT, &count(log.len() as u64, "conflict", "conflicts")));
    }
    if lines.is_empty() {
        lines.push(styled(FAINT, "no conflicts"));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn words(write: &Write) -> String {
    match &write.what {
        Written::Value(value) => value.to_string(),
        Written::Row(row) => {
            let cells: Vec<String> = row.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            cells.join(", ")
        }
        Written::Deleted => "deleted".to_owned(),
        _ => String::new(),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    logged_ms: u64,
    table: &'a str,
    row: String,
    column: Option<&'a str>,
    here: Side,
    came: Side,
    winner: &'static str,
    rule: &'a str,
    open: bool,
}

/// Values are SQL literals, so that text and numbers are told apart.
#[derive(Serialize)]
struct Side {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<std::collections::BTreeMap<String, String>>,
    deleted: bool,
    site: String,
    at_ms: u64,
}

impl Side {
    fn of(write: &Write) -> Self {
        let mut side = Side {
            value: None,
            row: None,
            deleted: matches!(write.what, Written::Deleted),
            site: write.site.to_string(),
            at_ms: write.hlc.ms(),
        };
        match &write.what {
            Written::Value(value) => side.value = Some(value.to_string()),
            Written::Row(row) => {
                side.row = Some(row.iter().map(|(name, value)| (name.clone(), value.to_string())).collect());
            }
            _ => {}
        }
        side
    }
}

impl<'a> Report<'a> {
    fn of(scope: Option<&'a str>, logged: &'a LoggedConflict) -> Self {
        Report {
            id: logged.id,
            scope,
            logged_ms: logged.logged_ms,
            table: &logged.table,
            row: logged.row.to_string(),
            column: logged.column.as_deref(),
            here: Side::of(&logged.here),
            came: Side::of(&logged.came),
            winner: logged.winner.as_str(),
            rule: &logged.rule,
            open: logged.open,
        }
    }
}

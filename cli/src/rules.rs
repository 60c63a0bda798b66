//! `pocketsync rules`.

use std::path::PathBuf;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use pocketsync::conflict::{MergeType, OnDelete, Rule, Rules, Strategy};
use serde::Serialize;

use crate::failure::{Context, Failure, Outcome, Result};
use crate::output::{FAINT, ODD, print, print_json, styled};
use crate::replica;
use crate::table::{Cell, Table};

/// Lists and sets what is to be done about conflicts
///
/// Rules are for a table, or for a column of it. They are synced like any row, so one device sets them for all, and
/// the hub goes by them. Without a rule the later write wins, and a deletion wins over a change.
///
/// A column may also merge, so that concurrent writes are no conflict: a counter adds up what everybody added.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Examples:
  pocketsync rules app.db
  pocketsync rules set app.db note client_wins
  pocketsync rules set app.db note.title hub_wins
  pocketsync rules set app.db note.votes counter
  pocketsync rules set app.db note --on-delete last_writer_wins
  pocketsync rules unset app.db note.title")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The SQLite file
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// As JSON, on one line
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Sets a rule; what is not named stays as it is
    #[command(after_help = "\
Who wins between two writes of a cell, for a table or a column:
  last_write_wins  the later one (the default)
  hub_wins         what reached the hub first
  client_wins      what reached the hub last
  resolver         what the hub's own code says

How a column merges, in place of one write winning:
  counter          a number: what every device added, or took away, adds up
  max, min         the largest, the smallest value that was written
  set              a JSON array: what was added, without what was removed by who had seen it
  lww              none of these (the default)

Examples:
  pocketsync rules set app.db note.title hub_wins
  pocketsync rules set app.db note.votes counter")]
    Set {
        /// The SQLite file
        file: PathBuf,
        /// The table, or one of its columns
        #[arg(value_name = "TABLE[.COLUMN]")]
        of: String,
        /// Who wins between two writes of a cell, or how the column merges
        #[arg(required_unless_present = "on_delete", hide_possible_values = true, value_parser = PossibleValuesParser::new(
            ["last_write_wins", "hub_wins", "client_wins", "resolver", "counter", "max", "min", "set", "lww"]))]
        word: Option<String>,
        /// Who wins between a deletion and a change; for whole tables
        #[arg(long, value_parser = PossibleValuesParser::new(["delete_wins", "last_writer_wins"]))]
        on_delete: Option<String>,
    },
    /// Takes a rule back
    #[command(after_help = "\
Example:
  pocketsync rules unset app.db note.title")]
    Unset {
        /// The SQLite file
        file: PathBuf,
        /// The table, or one of its columns
        #[arg(value_name = "TABLE[.COLUMN]")]
        of: String,
    },
}

/// Lists, sets, or takes back.
pub(crate) fn run(args: Args) -> Result {
    match args.command {
        Some(Command::Set { file, of, word, on_delete }) => {
            let replica = replica::open_tracked(&file)?;
            let known = replica.rules().context("cannot read the rules")?;
            let mut rule = found(&known, &of);
            match word.as_deref() {
                None => {}
                Some("lww") => rule.merge = None,
                Some(word) => match MergeType::named(word) {
                    Some(merge) => rule.merge = Some(merge),
                    None => rule.strategy = Strategy::named(word),
                },
            }
            if let Some(word) = on_delete {
                rule.on_delete = OnDelete::named(&word);
            }
            replica.set_rule(&rule).context("cannot set the rule")?;
            print(&format!("set for {of}; it goes out with the next sync\n"))?;
        }
        Some(Command::Unset { file, of }) => {
            let (table, column) = parts(&of);
            let done = replica::open_tracked(&file)?.unset_rule(table, column);
            let done = done.context("cannot take the rule back")?;
            print(&if done {
                format!("{of} has no rule any more\n")
            } else {
                format!("{of} has no rule\n")
            })?;
        }
        None => {
            let file = args.file.ok_or_else(|| Failure::new("no file was named"))?;
            let options = pocketsync::ReplicaOptions::default;
            let rules = pocketsync::Replica::inspect_rules(&file, options())?;
            let inapplicable = pocketsync::Replica::inspect_inapplicable_rules(&file, options())?;
            if args.json {
                print_json(&rules.iter().map(Report::of).collect::<Vec<_>>())?;
            } else {
                print(&told(&rules, &inapplicable))?;
            }
        }
    }
    Ok(Outcome::Done)
}

fn parts(of: &str) -> (&str, Option<&str>) {
    of.rsplit_once('.').map_or((of, None), |(table, column)| (table, Some(column)))
}

/// The rule that there is, or a new one.
fn found(rules: &Rules, of: &str) -> Rule {
    let (table, column) = parts(of);
    let same = |rule: &&Rule| {
        rule.table.eq_ignore_ascii_case(table)
            && rule.column.as_deref().unwrap_or_default().eq_ignore_ascii_case(column.unwrap_or_default())
    };
    rules.iter().find(same).cloned().unwrap_or_else(|| match column {
        Some(column) => Rule::column(table, column),
        None => Rule::table(table),
    })
}

fn told(rules: &Rules, inapplicable: &[String]) -> String {
    if rules.is_empty() {
        return styled(FAINT, "no rules: the later write wins, and a deletion wins over a change\n");
    }
    let mut table = Table::new(["table", "column", "two writes", "a deletion and a change", "merge", ""]);
    for rule in rules.iter() {
        let unknown = match rule.unknown.is_empty() {
            true => String::new(),
            false => format!("unknown to this version: {}", rule.unknown.join(", ")),
        };
        table.row(vec![
            Cell::text(&rule.table),
            Cell::text(rule.column.as_deref().unwrap_or_default()),
            Cell::text(rule.strategy.map_or("", Strategy::as_str)),
            Cell::text(rule.on_delete.map_or("", OnDelete::as_str)),
            Cell::text(rule.merge.map_or("", MergeType::as_str)),
            Cell::text(unknown).styled(ODD),
        ]);
    }
    let mut lines = table.lines();
    lines.extend(inapplicable.iter().map(|why| styled(ODD, &format!("does not merge: {why}"))));
    lines.push(String::new());
    lines.join("\n")
}

#[derive(Serialize)]
struct Report<'a> {
    table: &'a str,
    column: Option<&'a str>,
    strategy: Option<&'static str>,
    on_delete: Option<&'static str>,
    merge: Option<&'static str>,
    unknown: &'a [String],
}

impl<'a> Report<'a> {
    fn of(rule: &'a Rule) -> Self {
        Report {
            table: &rule.table,
            column: rule.column.as_deref(),
            strategy: rule.strategy.map(Strategy::as_str),
            on_delete: rule.on_delete.map(OnDelete::as_str),
            merge: rule.merge.map(MergeType::as_str),
            unknown: &rule.unknown,
        }
    }
}

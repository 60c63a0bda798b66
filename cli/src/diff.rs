//! `pocketsync diff`.

use std::path::PathBuf;

use pocketsync::store::sqlite::{DiffError, DiffReport, RowDiff, TableDiff, diff};
use pocketsync::value::Value;
use serde::Serialize;

use crate::failure::{Failure, Outcome, Result};
use crate::output::{FAINT, ODD, count, print, print_json, styled};

/// How many differing rows of a table are shown.
const SHOWN: usize = 20;

/// Compares two tracked files row by row
///
/// Rows are matched by their global identity: files may use different integer keys for one row and still hold the
/// same. References are compared as the rows that they mean. Both files may be in use.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync diff phone.db laptop.db
  pocketsync diff phone.db laptop.db --json | jq '.tables[] | select(.same | not)'

Exit codes:
  0  the same
  1  they differ
  2  one of them cannot be read")]
pub(crate) struct Args {
    /// One file
    a: PathBuf,
    /// The other
    b: PathBuf,
    /// As JSON, on one line
    #[arg(long)]
    json: bool,
}

/// Compares, and tells.
pub(crate) fn run(args: Args) -> Result {
    let report = diff(&args.a, &args.b).map_err(|error| match error {
        DiffError::Open(error) => error.into(),
        DiffError::NotTracked { ref path } => {
            Failure::new(error.to_string()).hint(format!("pocketsync track {}", path.display()))
        }
        _ => Failure::new(error.to_string()),
    })?;
    if args.json {
        print_json(&Report::of(&report))?;
    } else {
        print(&told(&args, &report))?;
    }
    Ok(if report.is_same() { Outcome::Done } else { Outcome::No })
}

fn told(args: &Args, report: &DiffReport) -> String {
    let (a, b) = (args.a.display(), args.b.display());
    if report.is_same() {
        return format!("{a} and {b} hold the same {}\n", count(report.rows(), "row", "rows"));
    }
    let mut text = format!("{}\n", styled(FAINT, &format!("- {a}   + {b}")));
    for table in report.tables.iter().filter(|table| !table.is_same()) {
        let counted: Vec<String> = [
            (table.changed, "changed"),
            (table.only_in_a, "only in the first"),
            (table.only_in_b, "only in the second"),
        ]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
        text.push_str(&format!("{}: {}\n", styled(ODD, &table.name), counted.join(", ")));
        for (columns, side) in [(&table.columns_only_in_a, "first"), (&table.columns_only_in_b, "second")] {
            match columns.as_slice() {
                [] => {}
                [all] if all == "*" => text.push_str(&format!("  only the {side} file tracks this table\n")),
                columns => {
                    text.push_str(&format!("  columns only in the {side} file: {}\n", columns.join(", ")))
                }
            }
        }
        for row in table.rows.iter().take(SHOWN) {
            text.push_str(&row_told(row));
        }
        let more = table.differences().saturating_sub(SHOWN.min(table.rows.len()) as u64);
        if more > 0 {
            text.push_str(&styled(FAINT, &format!("  and {} more\n", count(more, "row", "rows"))));
        }
    }
    text
}

fn row_told(row: &RowDiff) -> String {
    match (&row.key_a, &row.key_b) {
        (Some(a), Some(b)) => {
            let key = if a == b { key(a) } else { format!("{} / {}", key(a), key(b)) };
            let cells = row.cells.iter().map(|cell| {
                format!(
                    "    {}\n      - {}\n      + {}\n",
                    shown(&cell.column),
                    value(&cell.a),
                    value(&cell.b)
                )
            });
            std::iter::once(format!("  {key}\n")).chain(cells).collect()
        }
        (Some(a), None) => format!("- {}\n", key(a)),
        (None, b) => format!("+ {}\n", b.as_deref().map_or_else(String::new, key)),
    }
}

fn key(values: &[Value]) -> String {
    values.iter().map(value).collect::<Vec<_>>().join(", ")
}

fn value(value: &Value) -> String {
    let text = shown(&value.to_string());
    match text.char_indices().nth(120) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// Control characters written out, so that data cannot drive the terminal.
fn shown(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

#[derive(Serialize)]
struct Report<'r> {
    same: bool,
    tables: Vec<TableReport<'r>>,
}

#[derive(Serialize)]
struct TableReport<'r> {
    name: &'r str,
    same: bool,
    rows_a: u64,
    rows_b: u64,
    changed: u64,
    only_in_a: u64,
    only_in_b: u64,
    columns_only_in_a: &'r [String],
    columns_only_in_b: &'r [String],
    rows: Vec<RowReport>,
}

#[derive(Serialize)]
struct RowReport {
    key_a: Option<Vec<String>>,
    key_b: Option<Vec<String>>,
    cells: Vec<CellReport>,
}

#[derive(Serialize)]
struct CellReport {
    column: String,
    a: String,
    b: String,
}

impl<'r> Report<'r> {
    fn of(report: &'r DiffReport) -> Self {
        Report { same: report.is_same(), tables: report.tables.iter().map(TableReport::of).collect() }
    }
}

impl<'r> TableReport<'r> {
    fn of(table: &'r TableDiff) -> Self {
        TableReport {
            name: &table.name,
            same: table.is_same(),
            rows_a: table.rows_a,
            rows_b: table.rows_b,
            changed: table.changed,
            only_in_a: table.only_in_a,
            only_in_b: table.only_in_b,
            columns_only_in_a: &table.columns_only_in_a,
            columns_only_in_b: &table.columns_only_in_b,
            rows: table.rows.iter().map(RowReport::of).collect(),
        }
    }
}

impl RowReport {
    /// Values are SQL literals, so that text and numbers are told apart.
    fn of(row: &RowDiff) -> Self {
        let literals = |key: &Vec<Value>| key.iter().map(Value::to_string).collect();
        let cells = row.cells.iter().map(|cell| CellReport {
            column: cell.column.clone(),
            a: cell.a.to_string(),
            b: cell.b.to_string(),
        });
        RowReport {
            key_a: row.key_a.as_ref().map(literals),
            key_b: row.key_b.as_ref().map(literals),
            cells: cells.collect(),
        }
    }
}

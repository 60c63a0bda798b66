//! Everything that was measured, side by side: a table a shape and setting, a column a contender.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Series;
use super::report::number;
use crate::contender::Kind;
use crate::pass::Sample;
use crate::stats::Spread;

/// The steps in the order in which they happen; each has what was carried behind it.
const WRITES: [&str; 5] = ["insert", "update 1", "update 5", "delete", "autocommit insert"];

fn steps() -> Vec<String> {
    let mut steps: Vec<String> = WRITES.iter().map(|&step| step.to_owned()).collect();
    for carried in ["fold", "extract", "encode", "decode", "apply"] {
        steps.extend(WRITES.iter().map(|step| format!("{carried} {step}")));
    }
    steps.extend(["apply duplicates", "apply losing"].map(str::to_owned));
    steps
}

fn spread(series: &Series, of: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
    Spread::of(series.samples.iter().filter_map(of))
}

/// The tables, as Markdown.
pub(super) fn markdown(all: &[Series], contenders: usize) -> String {
    all.chunks(contenders.max(1)).map(one).collect()
}

fn one(of_table: &[Series]) -> String {
    let Some(first) = of_table.first() else { return String::new() };
    let rows = first.samples.first().and_then(|sample| sample.laps.get("insert")).map_or(0, |step| step.rows);
    let mut text =
        format!("\n### {}, {} pragmas, {rows} rows\n\n", first.shape.title(), first.pragmas.name());
    let _infallible = write!(text, "| µs a row, processor (wall) |");
    for series in of_table {
        let _infallible = write!(text, " {} |", series.kind.name());
    }
    text.push_str(&format!("\n|---|{}\n", "---:|".repeat(of_table.len())));
    let plain = of_table.iter().find(|series| series.kind == Kind::Plain);
    for step in steps() {
        let cells: Vec<Option<String>> = of_table.iter().map(|series| cell(series, plain, &step)).collect();
        row(&mut text, &step, cells);
    }
    let names: BTreeSet<&String> =
        of_table.iter().flat_map(|series| &series.samples).flat_map(|sample| sample.bytes.keys()).collect();
    for name in names.into_iter().filter(|name| !name.starts_with("values")) {
        let (label, per) = match name.as_str() {
            "disk" => ("file, MB".to_owned(), 1e6),
            "memory" => ("peak memory, MB".to_owned(), 1e6),
            // Of the rows that the step was about.
            wire => (format!("{wire}, bytes a row"), rows as f64),
        };
        let cells = of_table.iter().map(|series| {
            let per = match name.split_once(' ') {
                Some(("wire", what)) => {
                    let what = what.trim_end_matches(", LZ4");
                    series.samples.first()?.laps.get(what)?.rows as f64
                }
                _ => per,
            };
            spread(series, |sample| sample.bytes.get(name).map(|bytes| bytes / per))
                .map(|it| number(it.median))
        });
        let cells = cells.collect();
        row(&mut text, &label, cells);
    }
    text
}

/// `1.23 (1.30) ×1.50`: processor and wall time, and the ratio of the former to plain SQLite's, the median
/// of those of the passes.
fn cell(series: &Series, plain: Option<&Series>, step: &str) -> Option<String> {
    let per_row = |sample: &Sample, wall: bool| {
        let step = sample.laps.get(step)?;
        let seconds = if wall { step.lap.wall } else { step.lap.cpu };
        Some(seconds * 1e6 / step.rows as f64)
    };
    let (cpu, wall) =
        (spread(series, |sample| per_row(sample, false))?, spread(series, |sample| per_row(sample, true))?);
    let mut text = format!("{} ({})", number(cpu.median), number(wall.median));
    let ratios = plain.filter(|plain| plain.kind != series.kind).and_then(|plain| {
        let pairs = series.samples.iter().zip(&plain.samples);
        Spread::of(pairs.filter_map(|(ours, plain)| Some(per_row(ours, false)? / per_row(plain, false)?)))
    });
    if let Some(ratios) = ratios {
        let _infallible = write!(text, " **×{:.2}** [{:.2}–{:.2}]", ratios.median, ratios.low, ratios.high);
    }
    Some(text)
}

fn row(text: &mut String, label: &str, cells: Vec<Option<String>>) {
    if cells.iter().all(Option::is_none) {
        return;
    }
    let _infallible = write!(text, "| {label} |");
    for cell in cells {
        let _infallible = write!(text, " {} |", cell.as_deref().unwrap_or("–"));
    }
    text.push('\n');
}

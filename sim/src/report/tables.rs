//! The tables of a page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::figures::{converged, quantile};
use super::html::escape;
use super::units::{bytes_told, short, time_told};
use super::{Group, section};
use crate::outcome::Folder;

/// One row a scenario: what was run, and how it went.
pub(super) fn overview(groups: &[Group<'_>]) -> String {
    let mut rows = String::new();
    for (index, group) in groups.iter().enumerate() {
        for (label, folder) in &group.members {
            let name = match group.members.len() {
                1 => group.title.clone(),
                _ if *label == folder.info.scenario => label.clone(),
                _ => format!("{} · {label}", group.title),
            };
            let _ = write!(rows, "<tr><th scope=\"row\"><a href=\"#s{index}\">{}</a></th>", escape(&name));
            for cell in cells(folder) {
                let _ = write!(rows, "<td>{cell}</td>");
            }
            rows.push_str("</tr>\n");
        }
    }
    let heads = [
        "scenario",
        "engine",
        "runs",
        "broken",
        "converged in (median)",
        "converged in (worst)",
        "rows written",
        "faults",
        "bytes",
        "simulated time",
        "runs a second",
    ];
    table("Scenarios", &heads, &rows)
}

fn cells(folder: &Folder) -> [String; 10] {
    let outcomes = &folder.outcomes;
    let broken = outcomes.iter().filter(|outcome| outcome.violation.is_some()).count();
    let converged = converged(folder);
    let time = |part| match converged.is_empty() {
        true => "–".to_owned(),
        false => time_told(quantile(&converged, part)),
    };
    let sum = |of: fn(&crate::outcome::Measures) -> u64| {
        outcomes.iter().map(|outcome| of(&outcome.measures)).sum::<u64>() as f64
    };
    let seconds = folder.info.wall_ms as f64 / 1000.0;
    [
        escape(&folder.info.engine),
        short(outcomes.len() as f64),
        match broken {
            0 => "none".to_owned(),
            n => format!("<strong class=\"bad\">{n}</strong>"),
        },
        time(0.5),
        time(1.0),
        short(sum(|measures| measures.rows_written)),
        short(sum(|measures| measures.faults.values().sum())),
        bytes_told(sum(|measures| measures.traffic.values().map(|one| one.up + one.down).sum())),
        time_told(sum(|measures| measures.simulated_ms)),
        if seconds > 0.0 { short(outcomes.len() as f64 / seconds) } else { "–".to_owned() },
    ]
}

/// What was done to devices and hub, in all runs.
pub(super) fn faults(group: &Group<'_>) -> String {
    let counted: Vec<BTreeMap<&str, u64>> =
        group.members.iter().map(|(_, folder)| faults_of(folder)).collect();
    let names: BTreeSet<&str> = counted.iter().flat_map(|faults| faults.keys().copied()).collect();
    if names.is_empty() {
        return "<p>Nothing was done to anyone.</p>".to_owned();
    }
    let mut rows = String::new();
    for name in names {
        let _ = write!(rows, "<tr><th scope=\"row\">{}</th>", escape(&name.replace('_', " ")));
        for faults in &counted {
            let _ = write!(rows, "<td>{}</td>", short(faults.get(name).copied().unwrap_or(0) as f64));
        }
        rows.push_str("</tr>\n");
    }
    let labels = group.members.iter().map(|(label, _)| match group.members.len() {
        1 => "times, all runs".to_owned(),
        _ => escape(label),
    });
    let heads: Vec<String> = std::iter::once("fault".to_owned()).chain(labels).collect();
    table("Faults", &heads, &rows)
}

fn faults_of(folder: &Folder) -> BTreeMap<&str, u64> {
    let mut all = BTreeMap::new();
    for (name, count) in folder.outcomes.iter().flat_map(|outcome| &outcome.measures.faults) {
        *all.entry(&**name).or_default() += count;
    }
    all
}

/// The promises that were broken, and how to see it again.
pub(super) fn failures(group: &Group<'_>) -> String {
    let mut text = String::new();
    for (_, folder) in &group.members {
        for outcome in &folder.outcomes {
            let Some(violation) = &outcome.violation else { continue };
            let _ = write!(
                text,
                "<details class=\"failure\"><summary>seed {} broke <code>{}</code> at {}</summary>\n<p>{}</p>\n\
                 <p class=\"faint\">The promise: {}</p>\n<pre>{}</pre></details>\n",
                outcome.seed,
                escape(&violation.oracle),
                escape(&crate::telling::seconds(violation.at)),
                escape(&violation.what),
                escape(&violation.promise),
                escape(&section::replay(folder, outcome)),
            );
        }
    }
    match text.is_empty() {
        true => "<p>None: every promise was kept in every run.</p>".to_owned(),
        false => text,
    }
}

fn table(title: &str, heads: &[impl AsRef<str>], rows: &str) -> String {
    let heads: String =
        heads.iter().map(|head| format!("<th scope=\"col\">{}</th>", head.as_ref())).collect();
    format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\"><table>\n\
         <thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

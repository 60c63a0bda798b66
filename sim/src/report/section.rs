//! What a page says about one scenario, or several side by side.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::figures::{catch_ups, converged, divergence, histogram, quantile, sorted, traffic};
use super::html::{escape, figure};
use super::plot::{self, Axis, Frame};
use super::units::{self, bytes_told, short, time_told};
use super::{Group, tables};
use crate::outcome::{CatchUp, Folder, Outcome};

/// How many catch-ups are drawn: a page with 100,000 dots does not open on a phone.
const DOTS: usize = 1500;
/// How many bars a histogram has at most.
const BARS: usize = 24;

/// The section.
pub(super) fn of(index: usize, group: &Group<'_>) -> String {
    let mut text = format!("<section id=\"s{index}\">\n<h2>{}</h2>\n", escape(&group.title));
    for (label, folder) in &group.members {
        let _ = writeln!(text, "<p class=\"faint\">{}</p>", about(group, label, folder));
    }
    let parts = [
        ("Divergence", over_time(group)),
        ("Time to converge", to_converge(group)),
        ("Bytes by cause", by_cause(group)),
        ("Conflicts and parked rows", conflicts(group) + &parked(group)),
    ];
    if group.members.len() > 1 {
        for (title, figures) in parts {
            part(&mut text, title, &figures);
        }
    } else {
        part(&mut text, "How it went", &parts.map(|(_, figures)| figures).concat());
    }
    part(&mut text, "What coming back costs", &coming_back(group));
    let _ = write!(text, "<h3>Faults</h3>\n{}", tables::faults(group));
    let _ = write!(text, "<h3>Broken promises</h3>\n{}</section>\n", tables::failures(group));
    text
}

/// The command that shows a run again.
pub(super) fn replay(folder: &Folder, outcome: &Outcome) -> String {
    let info = &folder.info;
    let scenario = if info.given.is_empty() { &info.scenario } else { &info.given };
    format!("pocketsync-sim replay {scenario} --seed {} --engine {}", outcome.seed, outcome.engine)
}

fn part(text: &mut String, title: &str, figures: &str) {
    let _ = write!(text, "<h3>{title}</h3>\n<div class=\"figures\">\n{figures}</div>\n");
}

fn about(group: &Group<'_>, label: &str, folder: &Folder) -> String {
    let info = &folder.info;
    let mut text = String::new();
    if group.members.len() > 1 {
        let _ = write!(text, "<strong>{}</strong>: ", escape(label));
    }
    let _ = write!(text, "{} runs of seeds {}..{}", folder.outcomes.len(), info.first_seed, info.end_seed);
    let _ = write!(text, ", {} engine", escape(&info.engine));
    if let Some(bytes) = info.peak_rss_bytes {
        let _ = write!(text, ", {} of memory at most", bytes_told(bytes as f64));
    }
    let skipped: BTreeSet<&str> =
        folder.outcomes.iter().flat_map(|outcome| &outcome.skipped_oracles).map(|name| &**name).collect();
    if !skipped.is_empty() {
        let names: Vec<String> =
            skipped.into_iter().map(|name| format!("<code>{}</code>", escape(name))).collect();
        let _ = write!(text, "; left out, since they need real SQLite, or a hub: {}", names.join(", "));
    }
    if folder.broken_off {
        text.push_str("; the last line of its outcomes breaks off and was left out");
    }
    text.push('.');
    text
}

/// One figure a member, on the same axes.
fn figures<T>(
    group: &Group<'_>,
    data: impl Fn(&Folder) -> T,
    draw: impl Fn(&str, &T, &[T]) -> (String, String),
) -> String {
    let all: Vec<T> = group.members.iter().map(|(_, folder)| data(folder)).collect();
    let several = group.members.len() > 1;
    let drawn = group.members.iter().zip(&all).map(|((label, _), one)| {
        let name = if several { label.as_str() } else { &*group.title };
        let (svg, caption) = draw(name, one, &all);
        let caption =
            if several { format!("<strong>{}</strong>: {caption}", escape(label)) } else { caption };
        figure(&svg, &caption)
    });
    drawn.collect()
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

fn over_time(group: &Group<'_>) -> String {
    figures(group, divergence, |name, series, all| {
        let end = largest(all.iter().flatten().map(|point| point.at));
        let most = largest(all.iter().flatten().map(|point| point.max));
        let frame = Frame {
            title: format!("{name}: rows that differ between devices over simulated time"),
            x: Axis::new("simulated time", end, units::time(end)),
            y: Axis::new("rows that differ", most, units::count("")),
        };
        let peak = largest(series.iter().map(|point| point.max));
        let caption = format!(
            "Rows that are not the same on all devices: <span class=\"key first\">median run</span>, thin: nine runs \
             of ten, <span class=\"key second\">worst run</span> (at most {}).",
            short(peak)
        );
        (plot::divergence(&frame, series), caption)
    })
}

fn to_converge(group: &Group<'_>) -> String {
    let data = |folder: &Folder| (converged(folder), folder.outcomes.len());
    figures(group, data, |name, (times, runs), all| {
        let max = largest(all.iter().flat_map(|(times, _)| times.iter().copied()));
        let bars: Vec<_> = all.iter().map(|(times, _)| histogram(times, max, BARS, 1.0).1).collect();
        let (width, counts) = histogram(times, max, BARS, 1.0);
        let counts = if times.is_empty() { Vec::new() } else { counts };
        let frame = Frame {
            title: format!("{name}: distribution of the time to converge"),
            x: Axis::new(
                "quiet time until all are equal",
                max.max(width * counts.len() as f64),
                units::time(max),
            ),
            y: Axis::new("runs", largest(bars.into_iter().flatten()), units::count("")),
        };
        let caption = match times.is_empty() {
            true => format!("None of {runs} runs got as far as to converge."),
            false => format!(
                "{} of {runs} runs converged: half of them within {}, all within {}.",
                times.len(),
                time_told(quantile(times, 0.5)),
                time_told(quantile(times, 1.0))
            ),
        };
        (plot::histogram(&frame, width, &counts), caption)
    })
}

fn by_cause(group: &Group<'_>) -> String {
    figures(group, traffic, |name, bars, all| {
        let most = largest(all.iter().flatten().map(|(_, up, down)| up + down));
        let told: Vec<_> =
            bars.iter().map(|(cause, up, down)| (cause.clone(), *up, *down, bytes_told(up + down))).collect();
        let total = bars.iter().map(|(_, up, down)| up + down).sum();
        let caption = format!(
            "Bytes in all runs, <span class=\"key first\">to the hub</span> and <span class=\"key second\">from \
             it</span>: {} together.",
            bytes_told(total)
        );
        (plot::stacked(&format!("{name}: bytes by cause"), most, &told), caption)
    })
}

fn conflicts(group: &Group<'_>) -> String {
    counted(group, "conflicts", "conflicts that a merge decided", |outcome| outcome.measures.conflicts)
}

fn parked(group: &Group<'_>) -> String {
    counted(group, "parked rows", "most rows parked on one device", |outcome| outcome.measures.parked_max)
}

fn counted(group: &Group<'_>, name: &str, label: &str, of: fn(&Outcome) -> u64) -> String {
    let data = |folder: &Folder| sorted(folder.outcomes.iter().map(|outcome| of(outcome) as f64));
    figures(group, data, |member, values, all| {
        let max = largest(all.iter().flatten().copied());
        if max == 0.0 {
            return (String::new(), format!("There were no {name} in any run."));
        }
        let bars: Vec<_> = all.iter().map(|values| histogram(values, max, BARS, 1.0).1).collect();
        let (width, counts) = histogram(values, max, BARS, 1.0);
        let frame = Frame {
            title: format!("{member}: distribution of {name}"),
            x: Axis::new(label, max.max(width * counts.len() as f64), units::count("")),
            y: Axis::new("runs", largest(bars.into_iter().flatten()), units::count("")),
        };
        let caption = format!(
            "{}, by run: median {}, at most {}.",
            label[..1].to_uppercase() + &label[1..],
            short(quantile(values, 0.5)),
            short(quantile(values, 1.0))
        );
        (plot::histogram(&frame, width, &counts), caption)
    })
}

/// One thing about a catch-up: its label, how it is read off, and its unit.
struct Side {
    label: &'static str,
    of: fn(&CatchUp) -> f64,
    unit: fn(f64) -> units::Unit,
}

fn coming_back(group: &Group<'_>) -> String {
    if group.members.iter().all(|(_, folder)| catch_ups(folder, DOTS).is_empty()) {
        return "<p>No device was offline and came back.</p>\n".to_owned();
    }
    let offline = || Side { label: "time offline", of: |one| one.offline_ms as f64, unit: units::time };
    let missed =
        || Side { label: "rows missed", of: |one| one.missed_rows as f64, unit: |_| units::count("") };
    let bytes = || Side { label: "bytes", of: |one| one.bytes as f64, unit: units::bytes };
    let took = || Side { label: "time to catch up", of: |one| one.took_ms as f64, unit: units::time };
    let pairs = [(offline(), bytes()), (missed(), bytes()), (offline(), took()), (missed(), took())];
    pairs.iter().map(|(x, y)| against(group, x, y)).collect()
}

fn against(group: &Group<'_>, x: &Side, y: &Side) -> String {
    figures(
        group,
        |folder| catch_ups(folder, DOTS),
        |name, dots, all| {
            let max = |side: &Side| largest(all.iter().flatten().map(side.of));
            let (x_max, y_max) = (max(x), max(y));
            let frame = Frame {
                title: format!("{name}: {} of catching up against {}", y.label, x.label),
                x: Axis::new(x.label, x_max, (x.unit)(x_max)),
                y: Axis::new(y.label, y_max, (y.unit)(y_max)),
            };
            let points: Vec<_> = dots.iter().map(|one| ((x.of)(one), (y.of)(one))).collect();
            let caption = match points.len() {
                0 => "No device was offline and came back.".to_owned(),
                n => format!(
                    "{} against {}, {n} catch-ups.",
                    y.label[..1].to_uppercase() + &y.label[1..],
                    x.label
                ),
            };
            (plot::scatter(&frame, &points), caption)
        },
    )
}

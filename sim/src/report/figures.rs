//! What is drawn, computed from outcomes.

use crate::outcome::{CatchUp, Folder};
use crate::story::Ms;

/// How many moments of the divergence are drawn.
const MOMENTS: usize = 160;

/// The share `part` (0 to 1) of sorted values lies at or below the result; 0 if there are none.
pub(super) fn quantile(sorted: &[f64], part: f64) -> f64 {
    match sorted.len() {
        0 => 0.0,
        len => sorted[((len - 1) as f64 * part).round() as usize],
    }
}

/// How many rows differ at some moment of all runs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Differing {
    pub(super) at: f64,
    pub(super) median: f64,
    pub(super) p90: f64,
    pub(super) max: f64,
}

/// The divergence over simulated time, all runs together. Between two looks the earlier one holds.
pub(super) fn divergence(folder: &Folder) -> Vec<Differing> {
    // A run that was stopped by a broken promise says nothing about the time after it.
    let runs: Vec<(&[(Ms, u64)], f64)> = folder
        .outcomes
        .iter()
        .filter_map(|outcome| {
            let looks = &*outcome.measures.divergence;
            let last = looks.last()?.0 as f64;
            Some((looks, if outcome.violation.is_some() { last } else { f64::INFINITY }))
        })
        .collect();
    let end = runs.iter().filter_map(|(looks, _)| looks.last()).map(|(at, _)| *at).max().unwrap_or(0);
    if runs.is_empty() {
        return Vec::new();
    }
    let moments = (0..=MOMENTS).map(|moment| {
        let at = end as f64 * moment as f64 / MOMENTS as f64;
        let mut differing: Vec<f64> = runs
            .iter()
            .filter(|(_, until)| at <= *until)
            .map(|(looks, _)| {
                let seen = looks.partition_point(|(looked, _)| *looked as f64 <= at);
                seen.checked_sub(1).map_or(0.0, |last| looks[last].1 as f64)
            })
            .collect();
        differing.sort_by(f64::total_cmp);
        Differing {
            at,
            median: quantile(&differing, 0.5),
            p90: quantile(&differing, 0.9),
            max: quantile(&differing, 1.0),
        }
    });
    moments.collect()
}

/// Times to converge, sorted, in milliseconds.
pub(super) fn converged(folder: &Folder) -> Vec<f64> {
    sorted(
        folder.outcomes.iter().filter_map(|outcome| outcome.measures.converged_after_ms).map(|ms| ms as f64),
    )
}

/// Values in order.
pub(super) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// All catch-ups; no more than `most`, evenly chosen.
pub(super) fn catch_ups(folder: &Folder, most: usize) -> Vec<CatchUp> {
    let all: Vec<CatchUp> =
        folder.outcomes.iter().flat_map(|outcome| outcome.measures.catch_ups.iter().copied()).collect();
    let step = all.len().div_ceil(most).max(1);
    all.into_iter().step_by(step).collect()
}

/// Bytes by cause, of all runs: name, to the hub, from the hub.
pub(super) fn traffic(folder: &Folder) -> Vec<(String, f64, f64)> {
    let mut sums: std::collections::BTreeMap<&str, (f64, f64)> = std::collections::BTreeMap::new();
    for (cause, traffic) in folder.outcomes.iter().flat_map(|outcome| &outcome.measures.traffic) {
        let sum = sums.entry(cause).or_default();
        sum.0 += traffic.up as f64;
        sum.1 += traffic.down as f64;
    }
    sums.into_iter().map(|(cause, (up, down))| (cause.to_owned(), up, down)).collect()
}

/// How often values fall between round borders that are no closer than `least`: the width of a bar,
/// and the counts from 0 on.
pub(super) fn histogram(values: &[f64], max: f64, bars: usize, least: f64) -> (f64, Vec<f64>) {
    let width = round_up(max / bars as f64).max(least);
    let mut counts = vec![0.0; bars];
    for value in values {
        let bar = (value / width) as usize;
        counts[bar.min(bars - 1)] += 1.0;
    }
    let used = ((max / width) as usize + 1).min(bars);
    counts.truncate(used.max(1));
    (width, counts)
}

/// The next number of the kind 1, 2, 2.5, 5, 10, 20, ...
pub(super) fn round_up(number: f64) -> f64 {
    if number <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(number.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= number).unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Measures, Outcome};

    fn run(divergence: Vec<(Ms, u64)>) -> Outcome {
        let mut measures = Measures::default();
        measures.divergence = divergence;
        Outcome {
            seed: 0,
            engine: String::new(),
            violation: None,
            skipped_oracles: Vec::new(),
            trace_hash: String::new(),
            measures,
        }
    }

    #[test]
    fn divergence_holds_between_looks_and_ends_where_the_longest_run_ends() {
        let outcomes = vec![run(vec![(0, 0), (50, 4), (100, 0)]), run(vec![(0, 0), (50, 8), (75, 0)])];
        let series = divergence(&Folder { outcomes, ..Folder::default() });
        assert_eq!(series.last().unwrap().at, 100.0);
        let at = |ms: f64| series.iter().rev().find(|point| point.at <= ms).unwrap();
        assert_eq!((at(60.0).max, at(60.0).p90), (8.0, 8.0));
        assert_eq!(at(80.0).max, 4.0);
        assert_eq!(at(10.0).max, 0.0);
    }

    #[test]
    fn every_value_is_in_one_bar() {
        let values = [0.0, 1.0, 9.9, 10.0, 99.0, 100.0];
        let (width, counts) = histogram(&values, 100.0, 20, 0.0);
        assert_eq!(width, 5.0);
        assert_eq!(counts.iter().sum::<f64>(), values.len() as f64);
        assert_eq!(counts[2], 1.0);
        assert_eq!(histogram(&[0.0, 0.0], 0.0, 20, 1.0), (1.0, vec![2.0]));
    }

    #[test]
    fn quantiles_are_members() {
        assert_eq!(quantile(&[], 0.5), 0.0);
        assert_eq!(quantile(&[1.0, 2.0, 9.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 9.0], 1.0), 9.0);
    }
}

//! Tables for a notebook.

use crate::outcome::Folder;

/// One row a run.
pub fn runs_csv(folders: &[Folder]) -> String {
    let mut text = line(&[
        "scenario",
        "engine",
        "seed",
        "violated",
        "violated_at_ms",
        "simulated_ms",
        "transactions",
        "rows_written",
        "conflicts",
        "parked_max",
        "faults",
        "bytes_up",
        "bytes_down",
        "converged_after_ms",
        "trace_hash",
    ]);
    for (folder, outcome) in each(folders) {
        let measures = &outcome.measures;
        let violation = outcome.violation.as_ref();
        text.push_str(&line(&[
            &folder.info.scenario,
            &outcome.engine,
            &outcome.seed.to_string(),
            violation.map_or("", |violation| &violation.oracle),
            &violation.map_or_else(String::new, |violation| violation.at.to_string()),
            &measures.simulated_ms.to_string(),
            &measures.transactions.to_string(),
            &measures.rows_written.to_string(),
            &measures.conflicts.to_string(),
            &measures.parked_max.to_string(),
            &measures.faults.values().sum::<u64>().to_string(),
            &measures.traffic.values().map(|traffic| traffic.up).sum::<u64>().to_string(),
            &measures.traffic.values().map(|traffic| traffic.down).sum::<u64>().to_string(),
            &measures.converged_after_ms.map_or_else(String::new, |ms| ms.to_string()),
            &outcome.trace_hash,
        ]));
    }
    text
}

/// One row a look at the devices.
pub fn divergence_csv(folders: &[Folder]) -> String {
    let mut text = line(&["scenario", "engine", "seed", "at_ms", "differing_rows"]);
    for (folder, outcome) in each(folders) {
        for (at, rows) in &outcome.measures.divergence {
            text.push_str(&line(&[
                &folder.info.scenario,
                &outcome.engine,
                &outcome.seed.to_string(),
                &at.to_string(),
                &rows.to_string(),
            ]));
        }
    }
    text
}

/// One row a device that came back and caught up.
pub fn catch_ups_csv(folders: &[Folder]) -> String {
    let mut text =
        line(&["scenario", "engine", "seed", "device", "offline_ms", "took_ms", "bytes", "missed_rows"]);
    for (folder, outcome) in each(folders) {
        for one in &outcome.measures.catch_ups {
            text.push_str(&line(&[
                &folder.info.scenario,
                &outcome.engine,
                &outcome.seed.to_string(),
                &one.device.0.to_string(),
                &one.offline_ms.to_string(),
                &one.took_ms.to_string(),
                &one.bytes.to_string(),
                &one.missed_rows.to_string(),
            ]));
        }
    }
    text
}

fn each(folders: &[Folder]) -> impl Iterator<Item = (&Folder, &crate::outcome::Outcome)> {
    folders.iter().flat_map(|folder| folder.outcomes.iter().map(move |outcome| (folder, outcome)))
}

fn line(fields: &[&str]) -> String {
    let quoted: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    quoted.join(",") + "\n"
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

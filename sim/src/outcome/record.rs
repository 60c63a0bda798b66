//! Outcomes as lines of JSON. A reader takes what it knows and leaves the rest, so that lines of a
//! newer or older program can be read.

use std::io::BufRead;

use serde::{Deserialize, Serialize};

use super::Outcome;

/// One line: an outcome, and of which scenario.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The scenario's name.
    #[serde(default)]
    pub scenario: String,
    /// The outcome; its fields stand beside the name.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Record {
    /// The line, with its end.
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("an outcome has nothing that JSON has not");
        line.push('\n');
        line
    }
}

/// A line that is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It could not be read at all.
    #[error("cannot read line {line}: {error}")]
    Io {
        /// Which line, counted from 1.
        line: usize,
        /// Why.
        error: std::io::Error,
    },
    /// It says something else.
    #[error("line {line} is not an outcome: {error}")]
    Json {
        /// Which line, counted from 1.
        line: usize,
        /// Why.
        error: serde_json::Error,
    },
}

/// What was read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lines {
    /// The records, in the order of the lines.
    pub records: Vec<Record>,
    /// Whether the last line breaks off, as it does when a program is killed while it writes.
    pub broken_off: bool,
}

/// Reads lines of outcomes. Empty lines and fields that are not known are passed over.
///
/// ```
/// let text = "{\"scenario\":\"office\",\"seed\":7,\"engine\":\"world\",\"from_the_future\":1}\n";
/// let lines = pocketsync_sim::outcome::read_lines(text.as_bytes())?;
/// assert_eq!(lines.records[0].outcome.seed, 7);
/// # Ok::<(), pocketsync_sim::outcome::RecordError>(())
/// ```
///
/// # Errors
/// When a line is no outcome; one that breaks off at the end is no error.
pub fn read_lines(mut text: impl BufRead) -> Result<Lines, RecordError> {
    let mut lines = Lines::default();
    let mut buffer = String::new();
    for line in 1.. {
        buffer.clear();
        match text.read_line(&mut buffer) {
            Err(error) => return Err(RecordError::Io { line, error }),
            Ok(0) => break,
            Ok(_) if buffer.trim().is_empty() => {}
            Ok(_) => match serde_json::from_str(&buffer) {
                Ok(record) => lines.records.push(record),
                Err(_) if !buffer.ends_with('\n') => lines.broken_off = true,
                Err(error) => return Err(RecordError::Json { line, error }),
            },
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Violation;
    use crate::outcome::{CatchUp, Measures, Traffic};
    use crate::story::DeviceNo;

    fn record(seed: u64) -> Record {
        let mut measures = Measures::default();
        (measures.simulated_ms, measures.conflicts) = (9, 3);
        measures.traffic.insert("acks".to_owned(), Traffic { up: 1, down: 2 });
        measures.divergence.push((5, 6));
        let catch_up =
            CatchUp { device: DeviceNo(1), offline_ms: 10, took_ms: 11, bytes: 12, missed_rows: 13 };
        measures.catch_ups.push(catch_up);
        let violation = Violation {
            oracle: "convergence".to_owned(),
            promise: "same".to_owned(),
            at: 4,
            what: "line\nbreak \"quoted\"".to_owned(),
        };
        Record {
            scenario: "office".to_owned(),
            outcome: Outcome {
                seed,
                engine: "world".to_owned(),
                violation: Some(violation),
                skipped_oracles: vec!["constraints".to_owned()],
                trace_hash: "abc".to_owned(),
                measures,
            },
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let records = vec![record(1), record(u64::MAX)];
        let text: String = records.iter().map(Record::line).collect();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(read_lines(text.as_bytes()).unwrap(), Lines { records, broken_off: false });
    }

    #[test]
    fn unknown_and_missing_fields_do_not_matter() {
        let text = "\n{\"seed\":1,\"engine\":\"x\",\"measures\":{\"conflicts\":2,\"new\":[1]},\"more\":{}}\n";
        let lines = read_lines(text.as_bytes()).unwrap();
        assert_eq!(lines.records[0].outcome.measures.conflicts, 2);
        assert_eq!(lines.records[0].outcome.violation, None);
    }

    #[test]
    fn a_line_that_breaks_off_is_left_out_and_a_wrong_one_is_named() {
        let whole = record(1).line();
        let cut = format!("{whole}{}", &whole[..whole.len() / 2]);
        let lines = read_lines(cut.as_bytes()).unwrap();
        assert_eq!((lines.records.len(), lines.broken_off), (1, true));
        let error = read_lines(format!("{whole}nonsense\n{whole}").as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("line 2 is not an outcome"), "{error}");
    }
}

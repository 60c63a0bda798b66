//! One pass of one contender over one table: every step measured, and the contents compared.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::contender::{Contender, Kind, Parcel, Pragmas, Write};
use crate::meter::{Lap, Process, measure};
use crate::shape::{Shape, Width, record_bytes, shuffled};

/// Rows that are written each in a transaction of its own.
const AUTOCOMMITS: usize = 1000;

/// What to measure.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Whom.
    pub kind: Kind,
    /// On which table.
    pub shape: Shape,
    /// With which settings.
    pub pragmas: Pragmas,
    /// How many rows a table of six columns gets.
    pub rows: usize,
}

/// What was measured.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Time by step.
    pub laps: BTreeMap<String, Step>,
    /// Bytes by what they are.
    pub bytes: BTreeMap<String, f64>,
    /// What the table held at the moments when it was compared.
    pub digests: Vec<String>,
}

/// A measured step.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// What it took.
    pub lap: Lap,
    /// How many rows it was about.
    pub rows: usize,
}

struct Pass {
    contender: Box<dyn Contender>,
    sample: Sample,
    rows: usize,
}

impl Pass {
    fn note(&mut self, step: &str, rows: usize, lap: Lap) {
        self.sample.laps.insert(step.to_owned(), Step { lap, rows });
    }

    fn write(&mut self, name: &str, write: &Write, one_transaction: bool) -> Result<()> {
        let (lap, ()) = measure(|| self.contender.write(write, one_transaction))?;
        self.note(name, write.rows(), lap);
        Ok(())
    }

    /// Brings what was written to the second replica.
    fn carry(&mut self, name: &str) -> Result<bool> {
        let Some(parcel) = self.contender.collect()? else { return Ok(false) };
        let Parcel { fold, extract, encode, decode, raw_bytes, compressed_bytes } = parcel;
        for (step, lap) in
            [("fold", fold), ("extract", Some(extract)), ("encode", encode), ("decode", decode)]
        {
            if let Some(lap) = lap {
                self.note(&format!("{step} {name}"), self.rows, lap);
            }
        }
        self.sample.bytes.insert(format!("wire {name}"), raw_bytes as f64);
        self.sample.bytes.insert(format!("wire {name}, LZ4"), compressed_bytes as f64);
        let applied = self.contender.deliver()?;
        self.note(&format!("apply {name}"), self.rows, applied);
        Ok(true)
    }

    fn compare(&mut self) -> Result<()> {
        let (here, there) = self.contender.digests()?;
        if there.as_ref().is_some_and(|there| *there != here) {
            return Err(
                format!("the replicas differ: {here} here, {} there", there.unwrap_or_default()).into()
            );
        }
        self.sample.digests.push(here);
        Ok(())
    }
}

/// Runs a pass in a folder that is empty. The peak of memory is that of this process, so a process should
/// run one pass only.
///
/// # Errors
/// When something fails, or the replicas do not hold the same.
pub fn run(order: &Order, dir: &Path) -> Result<Sample> {
    let Order { kind, shape, pragmas, .. } = order;
    let count = shape.rows(order.rows);
    let permuted = shuffled(count);
    let insert = Write::Insert((0..count).map(|n| shape.row(n)).collect());
    let update = |width, round| {
        Write::Update(width, permuted.iter().map(|&n| shape.update(n, width, round)).collect())
    };
    let (one, five) = (update(Width::One, 1), update(Width::Five, 2));
    let delete = Write::Delete(permuted.iter().map(|&n| shape.key(n)).collect());
    let single = Write::Insert((count..count + AUTOCOMMITS.min(count)).map(|n| shape.row(n)).collect());

    let process = Process::this();
    process.forget_peak();
    let before = process.resident_bytes();
    let contender = kind.open(dir, *shape, *pragmas)?;
    let mut pass = Pass { contender, sample: Sample::default(), rows: count };

    pass.write("insert", &insert, true)?;
    let carries = pass.carry("insert")?;
    pass.write("update 1", &one, true)?;
    if carries {
        pass.carry("update 1")?;
        if let Some(lap) = pass.contender.deliver_again()? {
            pass.note("apply duplicates", count, lap);
        }
    }
    pass.compare()?;
    if let Some(bytes) = pass.contender.disk_bytes()? {
        pass.sample.bytes.insert("disk".to_owned(), bytes as f64);
    }
    pass.write("update 5", &five, true)?;
    if carries {
        pass.carry("update 5")?;
        if let Some(lap) = pass.contender.deliver_late()? {
            pass.note("apply losing", count, lap);
        }
    }
    pass.compare()?;
    pass.write("delete", &delete, true)?;
    if carries {
        pass.carry("delete")?;
    }
    pass.write("autocommit insert", &single, false)?;
    if carries {
        pass.rows = single.rows();
        pass.carry("autocommit insert")?;
    }
    pass.compare()?;
    if let (Some(before), Some(peak)) = (before, process.peak_bytes()) {
        pass.sample.bytes.insert("memory".to_owned(), peak.saturating_sub(before) as f64);
    }
    let values = |write: &Write| -> f64 {
        let (Write::Insert(rows) | Write::Update(_, rows)) = write else { return 0.0 };
        rows.iter().flatten().map(record_bytes).sum::<usize>() as f64
    };
    let keys = (0..count).map(|n| record_bytes(&shape.key(n))).sum::<usize>() as f64;
    for (name, bytes) in
        [("insert", values(&insert)), ("update 1", values(&one) - keys), ("update 5", values(&five) - keys)]
    {
        pass.sample.bytes.insert(format!("values {name}"), bytes);
    }
    Ok(pass.sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_tracked_files_end_the_same() {
        for shape in Shape::ALL {
            // Without a WAL every commit is synced, which takes its time.
            for (pragmas, rows) in [(Pragmas::Tuned, 200), (Pragmas::Default, 20)] {
                let digests = [Kind::Plain, Kind::PocketSync].map(|kind| {
                    let dir = tempfile::tempdir().unwrap();
                    let order = Order { kind, shape, pragmas, rows };
                    let sample = run(&order, dir.path()).unwrap();
                    assert_eq!(sample.laps["insert"].rows, shape.rows(rows));
                    sample.digests
                });
                assert_eq!(digests[0], digests[1], "{shape:?} {pragmas:?}");
                assert_eq!(digests[0].len(), 3);
            }
        }
    }
}

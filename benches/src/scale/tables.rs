//! Writes to one table while more and more others are tracked too.

use std::path::Path;

use super::Law;
use crate::Result;
use crate::contender::{Contender, PocketSync, Pragmas, Write};
use crate::meter::measure;
use crate::shape::Shape;

/// How often each size is measured.
const TIMES: usize = 7;

/// A transaction of inserts, its fold and extract, and what a transaction of one row costs.
pub(super) fn writes(scratch: &Path, rows: usize) -> Result<Vec<Law>> {
    let size = "tables that are tracked";
    let mut laws = [
        Law::new("capture of an insert", size, "µs", 0.1),
        Law::new("fold and extract of an insert", size, "µs", 0.1),
        Law::new("fold and extract of a transaction of one row", size, "µs", 0.25),
    ];
    let count = rows.clamp(10, 5000);
    for tables in [1, 4, 16, 64, 256].into_iter().filter(|tables| tables * 20 <= rows.max(80)) {
        let dir = tempfile::tempdir_in(scratch)?;
        let mut devices = PocketSync::new(dir.path(), Shape::Integer, Pragmas::Tuned)?;
        for n in 1..tables {
            let sql = format!("CREATE TABLE other_{n}(id INTEGER PRIMARY KEY, a TEXT, b INTEGER)");
            devices.here.conn.execute_batch(&sql)?;
        }
        devices.track_all()?;
        let mut found: [Vec<f64>; 3] = Default::default();
        for time in 0..TIMES {
            let from = time * (count + 1);
            let write = Write::Insert((from..from + count).map(|n| Shape::Integer.row(n)).collect());
            let (capture, ()) = measure(|| devices.write(&write, true))?;
            let (many, ()) = measure(|| devices.extract())?;
            devices.write(&Write::Insert(vec![Shape::Integer.row(from + count)]), true)?;
            let (one, ()) = measure(|| devices.extract())?;
            let per_row = 1e6 / count as f64;
            for (all, cost) in
                found.iter_mut().zip([capture.cpu * per_row, many.cpu * per_row, one.cpu * 1e6])
            {
                all.push(cost);
            }
        }
        for (law, all) in laws.iter_mut().zip(found) {
            law.push(tables, all);
        }
    }
    Ok(laws.into())
}

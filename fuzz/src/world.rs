//! The world that a replica sees: a clock and a generator that are the same in every run, so that
//! an input does tomorrow what it does today.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Result};

/// 2026-01-01, as SQLite counts days.
const BEGIN: f64 = 2_461_041.5;
const MS: f64 = 1.0 / 86_400_000.0;
/// A clock that is read so often in a millisecond shows equal times, and does go on.
const READS_IN_A_MS: u32 = 4;

/// One replica's clock and generator.
#[derive(Clone)]
pub(crate) struct World {
    reads: Arc<AtomicU32>,
    state: Arc<AtomicU64>,
}

impl World {
    /// The world of the `n`th replica of an input. Their clocks are some milliseconds apart.
    pub(crate) fn of(n: u8) -> Self {
        let reads = AtomicU32::new(u32::from(n) * 3 * READS_IN_A_MS);
        let state = AtomicU64::new(0x9E37_79B9_7F4A_7C15 ^ (u64::from(n) << 32));
        World { reads: Arc::new(reads), state: Arc::new(state) }
    }

    /// Gives a connection this clock and this generator in place of SQLite's.
    pub(crate) fn rule(&self, conn: &Connection) -> Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        let world = self.clone();
        conn.create_scalar_function("julianday", 1, flags, move |_| Ok(world.day()))?;
        let world = self.clone();
        conn.create_scalar_function("random", 0, flags, move |_| Ok(world.draw() as i64))?;
        let world = self.clone();
        conn.create_scalar_function("randomblob", 1, flags, move |call| {
            let bytes: i64 = call.get(0)?;
            Ok((0..bytes.max(1)).map(|_| world.draw() as u8).collect::<Vec<u8>>())
        })
    }

    fn day(&self) -> f64 {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed);
        BEGIN + f64::from(reads / READS_IN_A_MS) * MS
    }

    /// Xorshift, which is enough for ids that differ.
    fn draw(&self) -> u64 {
        let mut state = self.state.load(Ordering::Relaxed);
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.state.store(state, Ordering::Relaxed);
        state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 8
    }
}

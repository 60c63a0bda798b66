//! Chance and time of one thread, taken from a seed.
//!
//! What the engine draws of the world goes through its `Runtime`, and is the simulator's. What
//! remains is drawn behind everybody's back: the keys of the standard library's hash maps, the masks
//! of WebSocket frames, SQLite's `randomblob()` and `julianday('now')`. All of it comes from four
//! functions of the operating system and two of SQLite, which this module puts itself in front of:
//!
//! * `getrandom`, `clock_gettime` and `gettimeofday` are defined by this crate, which the linker
//!   prefers to the C library's. On a thread that is [`Seeded`] they answer from its seed and its
//!   clock; on every other they make the system call.
//! * SQLite's own generator is one for the whole process, so every new connection gets functions
//!   `random` and `randomblob` that draw from the thread.
//!
//! Hash maps take their keys once a thread, so a run has to have a [fresh one](in_fresh_thread).
//! All of this is for Linux. Elsewhere runs work, but two of one seed may differ: see
//! [`IS_COMPLETE`].

mod chance;
mod sqlite;
#[cfg(target_os = "linux")]
mod symbols;

pub use chance::Chance;
pub(crate) use sqlite::watching_commits;

use std::cell::Cell;
use std::marker::PhantomData;

/// Whether two runs of one seed are the same to the byte on this system.
pub const IS_COMPLETE: bool = cfg!(target_os = "linux");

thread_local! {
    // Without destructors and lazy beginnings: these are read while a thread starts and ends.
    static SEEDED: Cell<bool> = const { Cell::new(false) };
    static CHANCE: Cell<Chance> = const { Cell::new(Chance::STILL) };
    static WALL_US: Cell<u64> = const { Cell::new(0) };
    static MONO_US: Cell<u64> = const { Cell::new(0) };
}

/// While it lives, its thread has no chance and no clock but those of a seed.
#[derive(Debug)]
pub struct Seeded {
    // Of this thread.
    not_send: PhantomData<*const ()>,
}

impl Seeded {
    /// Seeds the calling thread. Its clocks stand at `wall_ms` until somebody sets them.
    ///
    /// # Panics
    /// When the thread is seeded already: two runs would mix.
    pub fn enter(seed: u64, wall_ms: u64) -> Self {
        assert!(!SEEDED.get(), "one simulation at a time in a thread");
        sqlite::install();
        CHANCE.set(Chance::new(seed, "thread", 0));
        set_clocks(wall_ms.saturating_mul(1_000), 1_000_000_000);
        SEEDED.set(true);
        Seeded { not_send: PhantomData }
    }
}

impl Drop for Seeded {
    fn drop(&mut self) {
        SEEDED.set(false);
    }
}

/// Sets the clocks that the calling thread reads while it is [`Seeded`], in microseconds.
pub(crate) fn set_clocks(wall_us: u64, mono_us: u64) {
    WALL_US.set(wall_us);
    MONO_US.set(mono_us);
}

/// Runs `work` on a seeded thread of its own, and waits for it.
///
/// # Panics
/// When `work` does, or no thread can be had.
pub fn in_fresh_thread<T: Send>(seed: u64, wall_ms: u64, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|threads| {
        let run = threads.spawn(move || {
            let _seeded = Seeded::enter(seed, wall_ms);
            work()
        });
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Fills a buffer from the thread's seed; `false` where it has none.
fn fill(buffer: &mut [u8]) -> bool {
    if !SEEDED.get() {
        return false;
    }
    let mut chance = CHANCE.get();
    chance.fill(buffer);
    CHANCE.set(chance);
    true
}

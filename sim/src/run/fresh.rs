//! A thread of its own for a run, and what panicked on it.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Once;
use std::thread;

/// SQLite, turmoil and a deep future inside a debug build want more than the default.
const STACK_BYTES: usize = 32 << 20;

thread_local! {
    /// What panicked here; `None` on threads that are not a run's.
    static PANICS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Does `work` on a new thread and waits for it.
pub(super) fn on_fresh_thread<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    note_panics();
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("simulation".to_owned()).stack_size(STACK_BYTES);
        let running = thread.spawn_scoped(scope, move || {
            PANICS.with(|panics| *panics.borrow_mut() = Some(Vec::new()));
            work()
        })?;
        Ok(running.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Does `work`, and yields what it came to, with everything that panicked meanwhile: also what
/// somebody between here and there has caught, as a runtime does with its tasks.
pub(super) fn noting_panics<T>(work: impl FnOnce() -> T) -> (Option<T>, Vec<String>) {
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    let panics = PANICS.with(|panics| panics.borrow_mut().as_mut().map(std::mem::take)).unwrap_or_default();
    (done, panics)
}

/// From now on a panic on a run's thread is noted and not printed; on all others nothing changes.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            // A thread that is going away has no place to note it in.
            let noted = PANICS.try_with(|panics| match panics.borrow_mut().as_mut() {
                Some(panics) => {
                    panics.push(told(panic));
                    true
                }
                None => false,
            });
            if !noted.unwrap_or(false) {
                before(panic);
            }
        }));
    });
}

fn told(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let what = text.unwrap_or("a panic without a message");
    match panic.location() {
        Some(place) => format!("{what} (at {}:{})", place.file(), place.line()),
        None => what.to_owned(),
    }
}

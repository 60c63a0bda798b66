//! What every SQLite connection of this process gets: random functions that draw from the thread,
//! and a hook that says when it is about to commit.
#![expect(unsafe_code, reason = "SQLite's C interface, which rusqlite has under features that are off")]

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Once;

use rusqlite::ffi;

use super::fill;

thread_local! {
    static ON_COMMIT: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// Sees to it that connections opened from now on get all this.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: `prepare` is what SQLite calls with every connection it opens; it lives as long
        // as the program.
        let code = unsafe { ffi::sqlite3_auto_extension(Some(prepare)) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite has memory for one extension");
    });
}

/// Runs `work`, and calls `committing` whenever a connection of this thread is about to commit a
/// transaction that has written something: the file does not have it yet.
pub(crate) fn watching_commits<T>(committing: impl FnMut() + 'static, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Box<dyn FnMut()>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ON_COMMIT.set(self.0.take());
        }
    }
    let _restore = Restore(ON_COMMIT.replace(Some(Box::new(committing))));
    work()
}

unsafe extern "C" fn prepare(
    db: *mut ffi::sqlite3,
    _error: *mut *mut c_char,
    _api: *const ffi::sqlite3_api_routines,
) -> c_int {
    // Innocuous: the engine's connections run with an untrusting schema, where others could not be
    // used as a column's default, as the built-in ones can.
    let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_INNOCUOUS;
    let functions: [(&CStr, c_int, Function); 2] = [(c"random", 0, random), (c"randomblob", 1, randomblob)];
    for (name, arguments, function) in functions {
        // SAFETY: `db` is the connection that SQLite is opening, the name is a C string, and the
        // function lives as long as the program and needs no data of its own.
        let code = unsafe {
            ffi::sqlite3_create_function_v2(
                db,
                name.as_ptr(),
                arguments,
                flags,
                ptr::null_mut(),
                Some(function),
                None,
                None,
                None,
            )
        };
        if code != ffi::SQLITE_OK {
            return code;
        }
    }
    // SAFETY: as above.
    unsafe { ffi::sqlite3_commit_hook(db, Some(committing), ptr::null_mut()) };
    ffi::SQLITE_OK
}

type Function = unsafe extern "C" fn(*mut ffi::sqlite3_context, c_int, *mut *mut ffi::sqlite3_value);

unsafe extern "C" fn committing(_: *mut c_void) -> c_int {
    // A panic must not go through SQLite; and a commit inside of the watcher is none of its business.
    ON_COMMIT.with(|watcher| {
        if let Ok(mut watcher) = watcher.try_borrow_mut()
            && let Some(watcher) = &mut *watcher
        {
            let called = std::panic::catch_unwind(std::panic::AssertUnwindSafe(watcher));
            // Not to be committed then: the job fails, and says so.
            return c_int::from(called.is_err());
        }
        0
    })
}

unsafe extern "C" fn random(context: *mut ffi::sqlite3_context, _: c_int, _: *mut *mut ffi::sqlite3_value) {
    let mut bytes = [0; 8];
    draw(&mut bytes);
    // SAFETY: the context is the one of the call that SQLite is making.
    unsafe { ffi::sqlite3_result_int64(context, i64::from_le_bytes(bytes)) };
}

unsafe extern "C" fn randomblob(
    context: *mut ffi::sqlite3_context,
    _: c_int,
    arguments: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: SQLite calls this with one argument, as it was registered, and its context.
    let wanted = unsafe { ffi::sqlite3_value_int64(*arguments) }.max(1);
    let Ok(length) = i32::try_from(wanted) else {
        // SAFETY: the context is the one of the call that SQLite is making.
        unsafe { ffi::sqlite3_result_error_toobig(context) };
        return;
    };
    let mut bytes = vec![0; length as usize];
    draw(&mut bytes);
    // SAFETY: the bytes are there until the call returns, and SQLite copies them.
    unsafe { ffi::sqlite3_result_blob(context, bytes.as_ptr().cast(), length, ffi::SQLITE_TRANSIENT()) };
}

/// From the thread's seed, or as SQLite would.
fn draw(buffer: &mut [u8]) {
    if !fill(buffer) {
        let length = c_int::try_from(buffer.len()).expect("no longer than an i32 says");
        // SAFETY: the buffer has room for so many bytes.
        unsafe { ffi::sqlite3_randomness(length, buffer.as_mut_ptr().cast()) };
    }
}

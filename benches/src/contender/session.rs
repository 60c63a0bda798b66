//! SQLite's session extension: records changes in memory while the application's own connection makes
//! them, and applies them to another file.
//!
//! rusqlite's feature of that name makes its bindings with libclang. These few functions are all that is
//! needed, and SQLite's interface does not change.
#![allow(unsafe_code, reason = "the session extension is a C interface")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

use rusqlite::Connection;
use rusqlite::ffi::{SQLITE_OK, sqlite3, sqlite3_free};

use super::{Contender, Parcel, Pragmas, SqliteFile, Write};
use crate::Result;
use crate::meter::{Lap, measure};
use crate::shape::Shape;

/// What a conflict handler answers for "leave it".
const OMIT: c_int = 0;

#[repr(C)]
struct RawSession(c_void);

type Conflict = unsafe extern "C" fn(*mut c_void, c_int, *mut c_void) -> c_int;

unsafe extern "C" {
    fn sqlite3session_create(db: *mut sqlite3, schema: *const c_char, session: *mut *mut RawSession)
    -> c_int;
    fn sqlite3session_attach(session: *mut RawSession, table: *const c_char) -> c_int;
    fn sqlite3session_changeset(session: *mut RawSession, size: *mut c_int, bytes: *mut *mut c_void)
    -> c_int;
    fn sqlite3session_delete(session: *mut RawSession);
    fn sqlite3changeset_apply(
        db: *mut sqlite3,
        size: c_int,
        bytes: *mut c_void,
        filter: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int>,
        conflict: Option<Conflict>,
        context: *mut c_void,
    ) -> c_int;
}

unsafe extern "C" fn count_conflict(count: *mut c_void, _kind: c_int, _change: *mut c_void) -> c_int {
    // SAFETY: `count` is what `Changes::apply` gave, for the time of that call.
    unsafe { *count.cast::<u64>() += 1 };
    OMIT
}

fn ok(code: c_int) -> Result<()> {
    if code == SQLITE_OK { Ok(()) } else { Err(format!("the session extension answered {code}").into()) }
}

/// Records what a connection writes, until it is dropped. Must not outlive the connection.
struct Recorder(*mut RawSession);

impl Recorder {
    fn start(conn: &Connection) -> Result<Recorder> {
        let mut session = ptr::null_mut();
        // SAFETY: the handle is that of an open connection; names are C strings that live for ever. The
        // session is deleted before its connection closes, as `Session` declares its fields in that order.
        unsafe {
            ok(sqlite3session_create(conn.handle(), CStr::as_ptr(c"main"), &mut session))?;
            let recorder = Recorder(session);
            ok(sqlite3session_attach(recorder.0, ptr::null()))?;
            Ok(recorder)
        }
    }

    fn changes(&self) -> Result<Vec<u8>> {
        let (mut size, mut bytes) = (0, ptr::null_mut());
        // SAFETY: the session is alive; SQLite sets both, and what it allocated is copied and freed once.
        unsafe {
            ok(sqlite3session_changeset(self.0, &mut size, &mut bytes))?;
            let changes = if bytes.is_null() {
                Vec::new()
            } else {
                std::slice::from_raw_parts(bytes.cast::<u8>(), size as usize).to_vec()
            };
            sqlite3_free(bytes);
            Ok(changes)
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // SAFETY: created by `start`, deleted here only.
        unsafe { sqlite3session_delete(self.0) }
    }
}

fn apply(conn: &Connection, changes: &mut [u8]) -> Result<u64> {
    let mut conflicts = 0u64;
    // SAFETY: the handle is that of an open connection, the bytes and the count live longer than the call.
    unsafe {
        ok(sqlite3changeset_apply(
            conn.handle(),
            c_int::try_from(changes.len())?,
            changes.as_mut_ptr().cast(),
            None,
            Some(count_conflict),
            ptr::from_mut(&mut conflicts).cast(),
        ))?;
    }
    Ok(conflicts)
}

/// Two files; the connection to the first has a session.
pub struct Session {
    recorder: Option<Recorder>,
    here: SqliteFile,
    there: SqliteFile,
    changes: Vec<u8>,
}

impl Session {
    /// Two new files in a folder.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn new(dir: &Path, shape: Shape, pragmas: Pragmas) -> Result<Session> {
        let here = SqliteFile::create(dir, "here.db", shape, pragmas)?;
        let there = SqliteFile::create(dir, "there.db", shape, pragmas)?;
        let recorder = Some(Recorder::start(&here.conn)?);
        Ok(Session { recorder, here, there, changes: Vec::new() })
    }
}

impl Contender for Session {
    fn write(&mut self, write: &Write, one_transaction: bool) -> Result<()> {
        self.here.write(write, one_transaction)
    }

    fn collect(&mut self) -> Result<Option<Parcel>> {
        let recorder = self.recorder.take().ok_or("no session")?;
        let (extract, changes) = measure(|| recorder.changes())?;
        drop(recorder);
        self.recorder = Some(Recorder::start(&self.here.conn)?);
        self.changes = changes;
        let raw_bytes = self.changes.len();
        let compressed_bytes = lz4_flex::block::compress(&self.changes).len();
        Ok(Some(Parcel { extract, raw_bytes, compressed_bytes, ..Parcel::default() }))
    }

    fn deliver(&mut self) -> Result<Lap> {
        let (lap, conflicts) = measure(|| -> Result<u64> {
            self.there.conn.execute_batch("BEGIN")?;
            let conflicts = apply(&self.there.conn, &mut self.changes)?;
            self.there.conn.execute_batch("COMMIT")?;
            Ok(conflicts)
        })?;
        if conflicts > 0 { Err(format!("{conflicts} conflicts").into()) } else { Ok(lap) }
    }

    fn digests(&mut self) -> Result<(String, Option<String>)> {
        Ok((self.here.digest()?, Some(self.there.digest()?)))
    }

    fn disk_bytes(&mut self) -> Result<Option<u64>> {
        self.here.disk_bytes().map(Some)
    }
}

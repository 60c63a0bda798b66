//! What the machine has for the larger tests, and what is done where it has not.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pocketsync::rusqlite::Connection;

/// Says that something is skipped. A failure where `CI=true`.
pub(crate) fn skip(what: &str, missing: &str) {
    let message = format!("SKIPPED {what}: {missing}");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
    eprintln!("{message}");
}

/// Whether a program is there; skips `what` where it is not.
pub(crate) fn has(program: &str, what: &str) -> bool {
    let there = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !there {
        skip(what, &format!("install {program}, and have it on the PATH"));
    }
    there
}

/// Makes a music shop's database: Chinook where it is at hand, else one of our own.
pub(crate) fn music(path: &Path) {
    let sql = match chinook() {
        Some(file) => {
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        }
        None => {
            skip(
                "Chinook; a database of our own takes its place",
                "set POCKETSYNC_SHARED to a folder with data/chinook.sql",
            );
            include_str!("../data/music.sql").to_owned()
        }
    };
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA foreign_keys = OFF; BEGIN").unwrap();
    conn.execute_batch(sql.trim_start_matches('\u{feff}')).unwrap();
    conn.execute_batch("COMMIT").unwrap();
}

fn chinook() -> Option<PathBuf> {
    let shared = std::env::var_os("POCKETSYNC_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    Some(shared.join("data/chinook.sql")).filter(|file| file.is_file())
}

//! Who is measured: each gets the same writes, and brings them to a second replica in its own way.

#[cfg(feature = "automerge")]
mod automerge;
mod extension;
mod plain;
mod pocketsync;
#[cfg(feature = "session")]
mod session;
mod sqlite_file;

use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::meter::Lap;
use crate::shape::{Shape, Width};

#[cfg(feature = "automerge")]
pub use automerge::Automerge;
pub use extension::Extension;
pub use plain::Plain;
pub use pocketsync::{Log, PocketSync};
#[cfg(feature = "session")]
pub use session::Session;
pub use sqlite_file::{SqliteFile, digest};

/// How SQLite is set up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pragmas {
    /// As SQLite comes: a rollback journal, everything synced, a cache of 2 MB.
    Default,
    /// As applications set it: WAL, `synchronous=NORMAL`, a cache of 64 MB, temporary tables in
    /// memory.
    Tuned,
}

impl Pragmas {
    /// Both.
    pub const ALL: [Pragmas; 2] = [Pragmas::Tuned, Pragmas::Default];

    /// The name, as the command line has it.
    pub const fn name(self) -> &'static str {
        match self {
            Pragmas::Default => "default",
            Pragmas::Tuned => "tuned",
        }
    }

    /// The statements.
    pub const fn sql(self) -> &'static str {
        match self {
            Pragmas::Default => "",
            Pragmas::Tuned => {
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;
                 PRAGMA temp_store = MEMORY;"
            }
        }
    }
}

/// Who is measured, as the command line and the processes of a run name it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// SQLite alone: what everything is compared with.
    Plain,
    /// PocketSync.
    PocketSync,
    /// The session extension of SQLite.
    Session,
    /// Automerge: documents in memory, no SQLite.
    Automerge,
    /// An extension that is loaded into SQLite.
    Extension {
        /// What to call it; also picks how to talk to it.
        name: String,
        /// The shared library.
        path: PathBuf,
        /// Statements that make it track the table `t`, where it is none that is known.
        setup: Option<PathBuf>,
    },
}

impl Kind {
    /// The contenders that are built in.
    pub fn built_in() -> Vec<Kind> {
        let mut kinds = vec![Kind::Plain, Kind::PocketSync];
        if cfg!(feature = "session") {
            kinds.push(Kind::Session);
        }
        if cfg!(feature = "automerge") {
            kinds.push(Kind::Automerge);
        }
        kinds
    }

    /// What a table calls it.
    pub fn name(&self) -> &str {
        match self {
            Kind::Plain => "plain SQLite",
            Kind::PocketSync => "PocketSync",
            Kind::Session => "session extension",
            Kind::Automerge => "automerge",
            Kind::Extension { name, .. } => name,
        }
    }

    /// Opens it on files in an empty folder, with an empty table `t` on both replicas.
    ///
    /// # Errors
    /// When the files cannot be made, an extension cannot be loaded, or the contender was not
    /// built in.
    pub fn open(&self, dir: &Path, shape: Shape, pragmas: Pragmas) -> Result<Box<dyn Contender>> {
        Ok(match self {
            Kind::Plain => Box::new(Plain::new(dir, shape, pragmas)?),
            Kind::PocketSync => Box::new(PocketSync::new(dir, shape, pragmas)?),
            Kind::Extension { name, path, setup } => {
                Box::new(Extension::new(dir, shape, pragmas, name, path, setup.as_deref())?)
            }
            #[cfg(feature = "session")]
            Kind::Session => Box::new(Session::new(dir, shape, pragmas)?),
            #[cfg(feature = "automerge")]
            Kind::Automerge => Box::new(Automerge::new(shape)),
            #[allow(unreachable_patterns, reason = "depends on the features")]
            other => return Err(format!("{} was not built in: see its feature", other.name()).into()),
        })
    }
}

/// What the application writes, values and all, so that making them up costs nothing while the
/// clock runs.
#[derive(Clone, Debug)]
pub enum Write {
    /// Whole rows.
    Insert(Vec<Vec<Value>>),
    /// One row's cells and its key, each.
    Update(Width, Vec<Vec<Value>>),
    /// Keys.
    Delete(Vec<Value>),
}

impl Write {
    /// How many rows it writes.
    pub fn rows(&self) -> usize {
        match self {
            Write::Insert(rows) | Write::Update(_, rows) => rows.len(),
            Write::Delete(keys) => keys.len(),
        }
    }
}

/// What was made of some writes, to send them.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Parcel {
    /// Turning what was captured into versions, where that is a step of its own.
    pub fold: Option<Lap>,
    /// Reading what is to be sent.
    pub extract: Lap,
    /// Making bytes of it, where that is a step of its own.
    pub encode: Option<Lap>,
    /// Making sense of the bytes again, where that is a step of its own.
    pub decode: Option<Lap>,
    /// How many bytes that is.
    pub raw_bytes: usize,
    /// How many bytes after LZ4.
    pub compressed_bytes: usize,
}

/// Two replicas of one table, and a way from the first to the second.
pub trait Contender {
    /// Writes to the first replica, all in one transaction or each row in its own.
    ///
    /// # Errors
    /// What the database says.
    fn write(&mut self, write: &Write, one_transaction: bool) -> Result<()>;

    /// Collects what was written since the last call. `None` where there is no way to do that.
    ///
    /// # Errors
    /// What the database says.
    fn collect(&mut self) -> Result<Option<Parcel>>;

    /// Merges what was collected last into the second replica, in one transaction.
    ///
    /// # Errors
    /// What the database says.
    fn deliver(&mut self) -> Result<Lap>;

    /// Merges what was delivered last once more. `None` where that is no case of its own.
    ///
    /// # Errors
    /// What the database says.
    fn deliver_again(&mut self) -> Result<Option<Lap>> {
        Ok(None)
    }

    /// Merges the changes of one column into the second replica, which has newer ones by now.
    /// `None` where that is no case of its own.
    ///
    /// # Errors
    /// What the database says.
    fn deliver_late(&mut self) -> Result<Option<Lap>> {
        Ok(None)
    }

    /// What the table of either replica holds, in short: equal tables have equal digests. `None`
    /// for a second replica that is none.
    ///
    /// # Errors
    /// What the database says.
    fn digests(&mut self) -> Result<(String, Option<String>)>;

    /// The bytes of the first replica on the disk, everything written there.
    ///
    /// # Errors
    /// What the database says.
    fn disk_bytes(&mut self) -> Result<Option<u64>>;
}

//! Where the outcomes of one scenario lie on disk: `run.json` says what was run, and
//! `outcomes.jsonl` what it came to.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Outcome, Record, RecordError, read_lines};

const INFO: &str = "run.json";
const OUTCOMES: &str = "outcomes.jsonl";

/// What was run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunInfo {
    /// The scenario's name.
    pub scenario: String,
    /// How it was given: a name or a path, as `replay` takes it.
    pub given: String,
    /// The engine's name.
    pub engine: String,
    /// The first seed.
    pub first_seed: u64,
    /// The seed after the last one.
    pub end_seed: u64,
    /// How long it took, in milliseconds of the wall clock.
    pub wall_ms: u64,
    /// How many runs at a time.
    pub jobs: usize,
    /// The most memory that the program had in use until it was done, in bytes, all runs at a time
    /// and those of scenarios before this one included; `None` where the system does not tell.
    pub peak_rss_bytes: Option<u64>,
    /// The program's version.
    pub version: String,
}

/// The outcomes of one scenario.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Folder {
    /// What was run.
    pub info: RunInfo,
    /// What it came to, by seed.
    pub outcomes: Vec<Outcome>,
    /// Whether the last line breaks off.
    pub broken_off: bool,
}

/// Outcomes cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system is in the way.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It says something else.
    #[error("{}: {what}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// There is nothing.
    #[error("{}: no outcomes here, neither {OUTCOMES} nor folders that have one", .0.display())]
    Nothing(PathBuf),
}

impl FolderError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |error| FolderError::Io { path: path.to_owned(), error }
    }

    fn content(path: &Path, what: &dyn std::fmt::Display) -> Self {
        FolderError::Content { path: path.to_owned(), what: what.to_string() }
    }
}

/// Writes outcomes as they come.
pub struct FolderWriter {
    path: PathBuf,
    outcomes: BufWriter<File>,
}

impl Folder {
    /// Reads what lies in a folder, or in the folders in it, by name.
    ///
    /// # Errors
    /// When there is nothing, or it is something else.
    pub fn load_all(folder: &Path) -> Result<Vec<Folder>, FolderError> {
        if folder.join(OUTCOMES).is_file() {
            return Ok(vec![Folder::load(folder)?]);
        }
        let mut inner = Vec::new();
        for entry in fs::read_dir(folder).map_err(FolderError::io(folder))? {
            let path = entry.map_err(FolderError::io(folder))?.path();
            if path.join(OUTCOMES).is_file() {
                inner.push(path);
            }
        }
        if inner.is_empty() {
            return Err(FolderError::Nothing(folder.to_owned()));
        }
        inner.sort();
        inner.iter().map(|path| Folder::load(path)).collect()
    }

    fn load(folder: &Path) -> Result<Folder, FolderError> {
        let path = folder.join(OUTCOMES);
        let file = File::open(&path).map_err(FolderError::io(&path))?;
        let lines = read_lines(BufReader::new(file)).map_err(|error| match error {
            RecordError::Io { error, .. } => FolderError::io(&path)(error),
            error @ RecordError::Json { .. } => FolderError::content(&path, &error),
        })?;
        let mut info = match fs::read_to_string(folder.join(INFO)) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|error| FolderError::content(&folder.join(INFO), &error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => RunInfo::default(),
            Err(error) => return Err(FolderError::io(&folder.join(INFO))(error)),
        };
        if info.scenario.is_empty() {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
            let told = lines.records.first().map(|record| record.scenario.clone());
            info.scenario = told.filter(|told| !told.is_empty()).or(name).unwrap_or_default();
        }
        let mut outcomes: Vec<_> = lines.records.into_iter().map(|record| record.outcome).collect();
        outcomes.sort_by_key(|outcome| outcome.seed);
        Ok(Folder { info, outcomes, broken_off: lines.broken_off })
    }
}

impl FolderWriter {
    /// Begins anew in a folder, which is made where it does not exist.
    ///
    /// # Errors
    /// When the file system is in the way, as in everything that follows.
    pub fn create(path: &Path, info: &RunInfo) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(FolderError::io(path))?;
        let outcomes = path.join(OUTCOMES);
        let file = File::create(&outcomes).map_err(FolderError::io(&outcomes))?;
        let writer = FolderWriter { path: path.to_owned(), outcomes: BufWriter::new(file) };
        writer.info(info)?;
        Ok(writer)
    }

    fn info(&self, info: &RunInfo) -> Result<(), FolderError> {
        self.file(INFO, &serde_json::to_string_pretty(info).expect("plain fields")).map(drop)
    }

    /// One more outcome.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&mut self, record: &Record) -> Result<(), FolderError> {
        let written = self.outcomes.write_all(record.line().as_bytes());
        // Whoever looks meanwhile, or after a crash, sees all that were run.
        written.and_then(|()| self.outcomes.flush()).map_err(FolderError::io(&self.path))
    }

    /// Another file beside the outcomes; where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, name: &str, text: &str) -> Result<PathBuf, FolderError> {
        let path = self.path.join(name);
        fs::write(&path, text).map_err(FolderError::io(&path))?;
        Ok(path)
    }

    /// That was all, and this is what was run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(self, info: &RunInfo) -> Result<(), FolderError> {
        self.info(info)
    }
}

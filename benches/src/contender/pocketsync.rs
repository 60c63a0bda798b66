//! PocketSync: triggers on the first file; fold, extract, encode, decode and apply step by step, as
//! a session between the two would have them done.

use std::path::Path;
use std::sync::Arc;

use pocketsync_core::change::Changeset;
use pocketsync_core::conflict::Seen;
use pocketsync_core::id::SiteId;
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::store::sqlite::engine::Engine;
use pocketsync_core::store::sqlite::tracking::track;
use pocketsync_core::store::sqlite::{ReplicaOptions, Tables, apply, connection, extract, fold};
use pocketsync_core::store::{Chunk, ChunkOutcome, StoreError};
use pocketsync_core::wire::Body;

use super::{Contender, Parcel, Pragmas, SqliteFile, Write};
use crate::Result;
use crate::meter::{Lap, measure};
use crate::shape::Shape;

/// How much an extract answers at a time: what a session asks for once it runs.
const PIECE_BYTES: usize = 1 << 20;

/// Enough for any piece.
const MAX_PIECE_BYTES: usize = 64 << 20;

/// Whoever asks, where it does not matter who.
const SOMEBODY: SiteId = SiteId::from_bytes([0xee; 16]);

/// The log of a replica from some position on: pieces as an extract makes them.
#[derive(Clone, Debug, Default)]
pub struct Log {
    after: Cursor,
    /// What was extracted last.
    pub pieces: Vec<Changeset>,
}

impl Log {
    /// Reads on from where it stands to the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn extract(&mut self, engine: &mut Engine) -> Result<(), StoreError> {
        self.pieces.clear();
        loop {
            let after = &self.after;
            let told = engine.write(|engine| extract::run(engine, SOMEBODY, after, PIECE_BYTES))?;
            self.after = told.to;
            self.pieces.push(told.changeset);
            if told.last {
                return Ok(());
            }
        }
    }

    /// The pieces as the log of a peer that has said nothing else.
    pub fn chunks(&self, peer: u8) -> Vec<Chunk> {
        let mut lineage = Lineage::default();
        lineage.open(0, Stamp(u64::from(peer)));
        let lineage = Arc::new(lineage);
        let at = |seq: usize| if seq == 0 { Cursor::ZERO } else { lineage.cursor_at(seq as u64) };
        let chunk = |(n, changeset): (usize, &Changeset)| Chunk {
            peer: SiteId::from_bytes([peer; 16]),
            lineage: Arc::clone(&lineage),
            from: at(n),
            to: at(n + 1),
            last: true,
            changeset: changeset.clone(),
            seen: Seen::default(),
        };
        self.pieces.iter().enumerate().map(chunk).collect()
    }
}

/// Merges chunks in one transaction; says whether anything changed.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn merge(engine: &mut Engine, chunks: Vec<Chunk>) -> Result<bool, StoreError> {
    let outcomes = engine.write(|engine| apply::run(engine, chunks))?;
    let changed =
        |outcome: &ChunkOutcome| matches!(outcome, ChunkOutcome::Applied { committed: Some(_), .. });
    Ok(outcomes.iter().any(changed))
}

/// Two tracked files.
#[derive(Debug)]
pub struct PocketSync {
    /// The application's side of the first.
    pub here: SqliteFile,
    there: SqliteFile,
    /// The engine of the first.
    pub engine: Engine,
    /// The engine of the second.
    pub other: Engine,
    /// What the first has to say.
    pub log: Log,
    /// The second time that something was said, which later changes overtake.
    late: Option<Log>,
    collected: u8,
    peers: u8,
}

fn engine(file: &SqliteFile, pragmas: Pragmas) -> Result<Engine> {
    let options = ReplicaOptions::default().with_on_connect(move |conn| conn.execute_batch(pragmas.sql()));
    let mut engine = Engine::load(connection::open(&file.path, &options)?)?;
    track(&mut engine, &Tables::all())?;
    Ok(engine)
}

impl PocketSync {
    /// Two new files in a folder.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn new(dir: &Path, shape: Shape, pragmas: Pragmas) -> Result<PocketSync> {
        let here = SqliteFile::create(dir, "here.db", shape, pragmas)?;
        let there = SqliteFile::create(dir, "there.db", shape, pragmas)?;
        let (engine, other) = (engine(&here, pragmas)?, engine(&there, pragmas)?);
        Ok(PocketSync { here, there, engine, other, log: Log::default(), late: None, collected: 0, peers: 0 })
    }

    /// Turns the journal into versions.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn fold(&mut self) -> Result<Option<u64>, StoreError> {
        self.engine.write(fold::run)
    }

    /// What was extracted last, as pieces of a peer that the second file has not met.
    pub fn chunks(&mut self) -> Vec<Chunk> {
        self.peers += 1;
        self.log.chunks(self.peers)
    }

    /// What was extracted last, as the one piece of the second peer from one position to another.
    pub fn chunks_of(&self, from: Cursor, to: Cursor) -> Vec<Chunk> {
        let mut chunks = self.log.chunks(2);
        chunks.truncate(1);
        for chunk in &mut chunks {
            (chunk.from, chunk.to) = (from.clone(), to.clone());
        }
        chunks
    }

    /// Tracks tables that were added to the first file.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn track_all(&mut self) -> Result<()> {
        track(&mut self.engine, &Tables::all())?;
        Ok(())
    }

    /// Folds, and reads on in the log of the first file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn extract(&mut self) -> Result<(), StoreError> {
        self.log.extract(&mut self.engine)
    }

    /// Merges pieces into the second file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn merge(&mut self, chunks: Vec<Chunk>) -> Result<bool, StoreError> {
        merge(&mut self.other, chunks)
    }

    fn timed_merge(&mut self, chunks: Vec<Chunk>, is_news: bool) -> Result<Lap> {
        let (lap, changed) = measure(|| self.merge(chunks))?;
        if changed != is_news {
            return Err(format!("a merge that should change something ({is_news}) did not, or did").into());
        }
        Ok(lap)
    }
}

impl Contender for PocketSync {
    fn write(&mut self, write: &Write, one_transaction: bool) -> Result<()> {
        self.here.write(write, one_transaction)
    }

    fn collect(&mut self) -> Result<Option<Parcel>> {
        let (fold, _) = measure(|| self.fold())?;
        let (extract, ()) = measure(|| self.log.extract(&mut self.engine))?;
        let (encode, bodies) = measure(|| {
            Ok::<_, StoreError>(
                self.log.pieces.iter().map(|piece| Body::seal(piece, false)).collect::<Vec<_>>(),
            )
        })?;
        let (decode, pieces) =
            measure(|| bodies.iter().map(|body| body.open(MAX_PIECE_BYTES)).collect::<Result<Vec<_>, _>>())?;
        if pieces != self.log.pieces {
            return Err("what was decoded is not what was encoded".into());
        }
        self.collected += 1;
        if self.collected == 2 {
            self.late = Some(self.log.clone());
        }
        Ok(Some(Parcel {
            fold: Some(fold),
            extract,
            encode: Some(encode),
            decode: Some(decode),
            raw_bytes: bodies.iter().map(Body::len).sum(),
            compressed_bytes: bodies.iter().map(|body| body.compressed().len()).sum(),
        }))
    }

    fn deliver(&mut self) -> Result<Lap> {
        let chunks = self.chunks();
        self.timed_merge(chunks, true)
    }

    fn deliver_again(&mut self) -> Result<Option<Lap>> {
        let chunks = self.chunks();
        self.timed_merge(chunks, false).map(Some)
    }

    fn deliver_late(&mut self) -> Result<Option<Lap>> {
        let Some(late) = self.late.take() else { return Ok(None) };
        self.peers += 1;
        let chunks = late.chunks(self.peers);
        self.timed_merge(chunks, false).map(Some)
    }

    fn digests(&mut self) -> Result<(String, Option<String>)> {
        Ok((self.here.digest()?, Some(self.there.digest()?)))
    }

    fn disk_bytes(&mut self) -> Result<Option<u64>> {
        self.here.disk_bytes().map(Some)
    }
}

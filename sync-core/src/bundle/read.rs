//! Reading a bundle, and finding out whether it is whole.

use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{BundleError, FORMAT, MAGIC, MAX_MESSAGE_BYTES, MAX_TITLE_BYTES, Title};
use crate::change::Changeset;
use crate::clock::{Hlc, Version};
use crate::conflict::Seen;
use crate::id::{RowId, Scope, SiteId};
use crate::lineage::Cursor;
use crate::wire::frame::Assembler;
use crate::wire::{DEFAULT_MAX_FRAME_BYTES, Hello, Message, PROTOCOL, PushSeen};

/// A bundle that was read once and found whole.
///
/// Holds no more than one piece of it in memory.
#[derive(Debug)]
pub struct BundleReader<R> {
    input: BufReader<R>,
    pub(super) title: Title,
    pub(super) hello: Hello,
    pub(super) from: Cursor,
    pub(super) to: Cursor,
    pub(super) max_hlc: Hlc,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Whether it tells of the birth of a row that came from the reader.
    pub(super) tells_of_us: bool,
    /// Where the first piece begins.
    pieces_at: u64,
}

impl<R: Read + Seek> BundleReader<R> {
    /// Reads a bundle from its beginning to its end.
    ///
    /// # Errors
    /// When it cannot be read, is none, is damaged or cut off, or of a newer format.
    pub fn open(input: R) -> Result<Self, BundleError> {
        Self::open_with(input, None, |_, _| {})
    }

    /// The same by `us`; says how far it is, of how much.
    pub(super) fn open_with(
        mut input: R,
        us: Option<SiteId>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Self, BundleError> {
        let of_bytes = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(0))?;
        let mut input = BufReader::new(input);
        let mut parts = Parts { input: &mut input, digest: Some(Sha256::new()), at: 0 };
        let title = parts.title()?;
        let Some(Message::Hello(hello)) = parts.message()? else {
            return Err(damaged("it does not begin with an introduction"));
        };
        if hello.min_protocol > PROTOCOL {
            return Err(BundleError::NewerFormat { format: hello.min_protocol });
        }
        let pieces_at = parts.at;
        let mut ends: Option<(Cursor, Cursor)> = None;
        let (mut max_hlc, mut rows, mut is_whole) = (Hlc::ZERO, 0, false);
        let mut tells_of_us = false;
        loop {
            let push = match parts.message()? {
                Some(Message::Push(push)) => push,
                Some(Message::PushSeen(informed)) => informed.push,
                Some(Message::Bye) => break,
                _ => return Err(damaged("it ends without a farewell, or has something else in it")),
            };
            let begins_well = match &ends {
                Some((_, to)) => push.from == *to && !is_whole,
                None => push.from.within.is_empty(),
            };
            if !begins_well {
                return Err(damaged("its pieces do not fit together"));
            }
            let changeset = push
                .body
                .open(MAX_MESSAGE_BYTES)
                .map_err(|error| damaged(format!("changes that cannot be read: {error}")))?;
            max_hlc = max_hlc.max(changeset.max_hlc());
            rows += changeset.row_count() as u64;
            for (_, site, _, _) in births(&changeset) {
                tells_of_us |= us == Some(site);
            }
            is_whole = push.last;
            ends = Some((ends.map_or(push.from, |(from, _)| from), push.to));
            progress(parts.at, of_bytes);
        }
        let Some((from, to)) = ends.filter(|_| is_whole) else {
            return Err(damaged("it ends in the middle of a transaction"));
        };
        let is_own = hello.lineage.contains(to.seq, &from) && hello.lineage.contains(to.seq, &to);
        if !is_own || !to.within.is_empty() {
            return Err(damaged("its positions are not in the history of its sender"));
        }
        let bytes = parts.end()?;
        Ok(BundleReader { input, title, hello, from, to, max_hlc, rows, bytes, tells_of_us, pieces_at })
    }

    /// Of which logical database it is.
    pub fn scope(&self) -> &Scope {
        &self.hello.scope
    }

    /// Who made it.
    pub fn sender(&self) -> SiteId {
        self.hello.site
    }

    /// For whom, if not for anyone.
    pub fn recipient(&self) -> Option<SiteId> {
        self.title.recipient
    }

    /// When it was made by the sender's clock, in milliseconds since 1970.
    pub fn made_at_ms(&self) -> u64 {
        self.hello.wall_ms
    }

    /// What it begins after, in the sender's log.
    pub fn from(&self) -> &Cursor {
        &self.from
    }

    /// Where it ends: for [`ExportOptions::since`](super::ExportOptions::since).
    pub fn to(&self) -> &Cursor {
        &self.to
    }

    /// How many rows it speaks of.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How long it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its pieces once more, from the first on.
    pub(super) fn pieces(&mut self) -> Result<Pieces<'_, R>, BundleError> {
        self.input.seek(SeekFrom::Start(self.pieces_at))?;
        Ok(Pieces(Parts { input: &mut self.input, digest: None, at: self.pieces_at }))
    }
}

/// The rows with a number that a changeset tells the birth of: the table, by whom they were numbered, and how.
pub(crate) fn births(changeset: &Changeset) -> impl Iterator<Item = (&str, SiteId, u64, Version)> {
    let rows = changeset.tables.iter().flat_map(|table| table.rows.iter().map(|row| (&*table.name, row)));
    rows.filter_map(|(table, row)| match row.id {
        RowId::Surrogate { site, counter } => row.life.born.map(|born| (table, site, counter, born)),
        _ => None,
    })
}

/// The pieces of a bundle that is whole.
#[derive(Debug)]
pub(super) struct Pieces<'a, R>(Parts<'a, R>);

impl<R: Read> Pieces<'_, R> {
    pub(super) fn next(&mut self) -> Result<Option<PushSeen>, BundleError> {
        match self.0.message()? {
            Some(Message::Push(push)) => Ok(Some(PushSeen { seen: Seen::default(), push })),
            Some(Message::PushSeen(informed)) => Ok(Some(informed)),
            Some(Message::Bye) => Ok(None),
            _ => Err(damaged("it is another one than before")),
        }
    }

    /// Up to where it was read.
    pub(super) fn at(&self) -> u64 {
        self.0.at
    }
}

/// Reads the parts of a bundle in their order.
#[derive(Debug)]
struct Parts<'a, R> {
    input: &'a mut BufReader<R>,
    /// Of what was read, where that is wanted.
    digest: Option<Sha256>,
    at: u64,
}

impl<R: Read> Parts<'_, R> {
    fn title(&mut self) -> Result<Title, BundleError> {
        let mut magic = [0; MAGIC.len()];
        match self.fill(&mut magic) {
            Err(BundleError::Truncated) => return Err(BundleError::NotABundle),
            read => read?,
        }
        if magic != MAGIC {
            return Err(BundleError::NotABundle);
        }
        let mut format = [0; 2];
        self.fill(&mut format)?;
        match u16::from_be_bytes(format) {
            0 => return Err(damaged("it has no format")),
            format if format > FORMAT => return Err(BundleError::NewerFormat { format }),
            _ => {}
        }
        let Some(title) = self.block(MAX_TITLE_BYTES)? else { return Err(damaged("it has no title")) };
        match postcard::take_from_bytes(&title) {
            Ok((title, [])) => Ok(title),
            _ => Err(damaged("its title cannot be read")),
        }
    }

    /// The next message; `None` at the end.
    fn message(&mut self) -> Result<Option<Message>, BundleError> {
        let mut assembler = Assembler::new(MAX_MESSAGE_BYTES);
        let mut begun = false;
        loop {
            let Some(frame) = self.block(DEFAULT_MAX_FRAME_BYTES)? else {
                return if begun { Err(damaged("a message has no end")) } else { Ok(None) };
            };
            begun = true;
            match assembler.push(frame) {
                Ok(None) => {}
                Ok(message) => return Ok(message),
                Err(error) => return Err(damaged(error.to_string())),
            }
        }
    }

    /// What stands behind the last message. Answers where the bundle ends.
    fn end(&mut self) -> Result<u64, BundleError> {
        if self.block(0)?.is_some() {
            return Err(damaged("something follows its farewell"));
        }
        let digest = self.digest.take().map(Sha256::finalize);
        let mut written = [0; 32];
        self.fill(&mut written)?;
        if digest.is_some_and(|digest| digest[..] != written) {
            return Err(damaged("its digest is not that of what is in it"));
        }
        match self.fill(&mut [0]) {
            Err(BundleError::Truncated) => Ok(self.at),
            Err(error) => Err(error),
            Ok(()) => Err(damaged("something follows its end")),
        }
    }

    /// What has its length in front; `None` where that is 0.
    fn block(&mut self, max_bytes: usize) -> Result<Option<Bytes>, BundleError> {
        let mut len = [0; 4];
        self.fill(&mut len)?;
        let len = u32::from_be_bytes(len) as usize;
        if len == 0 {
            return Ok(None);
        }
        if len > max_bytes {
            return Err(damaged("a part of it is too long"));
        }
        let mut block = vec![0; len];
        self.fill(&mut block)?;
        Ok(Some(block.into()))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BundleError> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => BundleError::Truncated,
            _ => error.into(),
        })?;
        if let Some(digest) = &mut self.digest {
            digest.update(&*bytes);
        }
        self.at += bytes.len() as u64;
        Ok(())
    }
}

fn damaged(what: impl Into<String>) -> BundleError {
    BundleError::Damaged(what.into())
}

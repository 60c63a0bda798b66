//! Why a bundle was not made, or not taken.

use std::io;

use crate::id::{Scope, SiteId};
use crate::store::StoreError;

/// Why a bundle was not made, or not taken. A bundle that is refused has changed no row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Something else than a bundle.
    #[error("this is no bundle of changes")]
    NotABundle,
    /// Made by a newer version of PocketSync.
    #[error("this bundle has format {format}, and this build reads up to {}", super::FORMAT)]
    NewerFormat {
        /// Its format.
        format: u16,
    },
    /// The file ends before the bundle does.
    #[error("the bundle is cut off: its end is missing")]
    Truncated,
    /// Not what was written.
    #[error("the bundle is damaged: {0}")]
    Damaged(String),
    /// Of another logical database.
    #[error("the bundle is of the scope {theirs}, not {ours}")]
    OtherScope {
        /// Its scope.
        theirs: Scope,
        /// The one that was asked for.
        ours: Scope,
    },
    /// For another replica: what came from that one is left out.
    #[error(
        "the bundle is for {recipient}, and this is {us}{}",
        if *forked { ": a restored or cloned file takes a new name when it finds that out, as this one did now" } else { "" }
    )]
    OtherRecipient {
        /// For whom it is.
        recipient: SiteId,
        /// Who we are.
        us: SiteId,
        /// Whether we were the recipient until this bundle showed us to be restored or cloned.
        forked: bool,
    },
    /// Made by this replica, or by a copy of its file.
    #[error("the bundle was made by this replica itself, or by a copy of its file")]
    Own,
    /// What is held of the sender here is not in its history.
    #[error(
        "the file that made the bundle, {sender}, was restored from a backup or cloned, and does not know yet"
    )]
    SenderForked {
        /// Who made it.
        sender: SiteId,
    },
    /// It begins after what is held here: something between is missing.
    #[error("the bundle begins at position {begins} of {sender}, and this file has it up to {held}")]
    Gap {
        /// Who made it.
        sender: SiteId,
        /// Where it begins in the sender's log.
        begins: u64,
        /// Up to where all of that is held.
        held: u64,
    },
    /// A version is too far in the future: some clock is wrong.
    #[error(
        "the bundle holds a write from {by_ms} ms in the future: a clock is wrong, here or where it was made"
    )]
    ClockAhead {
        /// How far.
        by_ms: u64,
    },
    /// A position that is none of this replica's.
    #[error("the position to begin at is not in the history of this replica")]
    UnknownPosition,
    /// A row that no message takes.
    #[error("a row is larger than {} bytes", super::MAX_MESSAGE_BYTES)]
    RowTooLarge,
    /// A session with the sender went on at the same time.
    #[error("the same changes came another way at the same time")]
    Raced,
    /// The bundle could not be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The replica could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BundleError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            BundleError::NotABundle => "not_a_bundle",
            BundleError::NewerFormat { .. } => "newer_format",
            BundleError::Truncated => "truncated",
            BundleError::Damaged(_) => "damaged",
            BundleError::OtherScope { .. } => "other_scope",
            BundleError::OtherRecipient { .. } => "other_recipient",
            BundleError::Own => "own",
            BundleError::SenderForked { .. } => "sender_forked",
            BundleError::Gap { .. } => "gap",
            BundleError::ClockAhead { .. } => "clock_ahead",
            BundleError::UnknownPosition => "unknown_position",
            BundleError::RowTooLarge => "row_too_large",
            BundleError::Raced => "raced",
            BundleError::Io(_) => "io",
            BundleError::Store(error) => error.code(),
        }
    }

    /// Whether trying again later may succeed without anyone doing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            BundleError::Raced => true,
            BundleError::Store(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// What a person can do about it, where that is known. Says "export" and "import" as the program's commands do.
    pub fn way_out(&self) -> Option<&'static str> {
        Some(match self {
            BundleError::NewerFormat { .. } => "update PocketSync here",
            BundleError::Truncated | BundleError::Damaged(_) => "copy it again, or export it again",
            BundleError::OtherRecipient { .. } | BundleError::Gap { .. } => {
                "export from this file for the sender, import that there, and export there again; or export there for anyone"
            }
            BundleError::Own => {
                "copies of one file cannot exchange changes before each has met a third: a hub, or a fresh file that imports \
                 this bundle"
            }
            BundleError::SenderForked { .. } => {
                "export from this file for the sender and import that there: it takes a new name then, and exports all that is new"
            }
            BundleError::ClockAhead { .. } => "set the clock, and import again",
            BundleError::UnknownPosition => "export for the recipient, or for anyone, in place of a position",
            _ => return None,
        })
    }
}

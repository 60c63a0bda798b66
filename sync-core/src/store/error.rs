//! Why a store could not.

/// What kind of failure it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Somebody else holds the lock; it will pass.
    Busy,
    /// The engine is suspended; it goes on after `resume`.
    Suspended,
    /// No space.
    Full,
    /// A scope holds as much as it may.
    Quota,
    /// The file cannot be written.
    ReadOnly,
    /// The file is not a database, or is damaged.
    Corrupt,
    /// The file was written by a newer version of PocketSync.
    NewerFormat,
    /// The file was deleted or replaced while it was open.
    Gone,
    /// The request does not fit this store.
    Unsupported,
    /// Reading or writing failed otherwise.
    Io,
}

/// A store's failure: nothing of the request has happened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What kind.
    pub kind: StoreErrorKind,
    /// What happened, where, and the way out.
    pub message: String,
}

impl StoreError {
    /// A failure.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        StoreError { kind, message: message.into() }
    }

    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self.kind {
            StoreErrorKind::Busy => "busy",
            StoreErrorKind::Suspended => "suspended",
            StoreErrorKind::Full => "full",
            StoreErrorKind::Quota => "quota",
            StoreErrorKind::ReadOnly => "read_only",
            StoreErrorKind::Corrupt => "corrupt",
            StoreErrorKind::NewerFormat => "newer_format",
            StoreErrorKind::Gone => "gone",
            StoreErrorKind::Unsupported => "unsupported",
            StoreErrorKind::Io => "io",
        }
    }

    /// Whether trying again later may succeed without anyone doing anything.
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Busy | StoreErrorKind::Full | StoreErrorKind::Io)
    }
}

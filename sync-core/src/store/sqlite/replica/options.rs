//! How a replica is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use crate::conflict::ConflictLimits;

/// Prepares the engine's connection: see [`ReplicaOptions::on_connect`].
pub type OnConnect = Arc<dyn Fn(&Connection) -> rusqlite::Result<()> + Send + Sync>;

/// How a replica is opened. [`Default`] is right for most.
#[derive(Clone)]
#[non_exhaustive]
pub struct ReplicaOptions {
    /// Runs on the engine's connection before anything else: the key of an encrypted file, the
    /// application's collations and functions. Needed where the schema uses such.
    pub on_connect: Option<OnConnect>,
    /// How long the engine waits for a lock that another connection holds. Default 2 s.
    pub busy_timeout: Duration,
    /// How many merges `applied` keeps for a reader that is slow.
    /// Default 256.
    pub applied_buffer: usize,
    /// How the engine calls itself to another one that finds the file taken. Default: the name
    /// of the running program.
    pub program: Option<String>,
    /// How much the conflict log holds.
    pub conflicts: ConflictLimits,
}

impl ReplicaOptions {
    /// Sets [`on_connect`](Self::on_connect).
    ///
    /// ```
    /// use pocketsync_core::store::sqlite::ReplicaOptions;
    ///
    /// let options = ReplicaOptions::default()
    ///     .with_on_connect(|conn| conn.execute_batch("PRAGMA key = 'open sesame'"));
    /// ```
    #[must_use]
    pub fn with_on_connect(
        mut self,
        hook: impl Fn(&Connection) -> rusqlite::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.on_connect = Some(Arc::new(hook));
        self
    }

    /// Sets [`busy_timeout`](Self::busy_timeout).
    #[must_use]
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }
}

impl Default for ReplicaOptions {
    fn default() -> Self {
        ReplicaOptions {
            on_connect: None,
            busy_timeout: Duration::from_secs(2),
            applied_buffer: 256,
            program: None,
            conflicts: ConflictLimits::default(),
        }
    }
}

impl fmt::Debug for ReplicaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicaOptions")
            .field("on_connect", &self.on_connect.is_some())
            .field("busy_timeout", &self.busy_timeout)
            .field("applied_buffer", &self.applied_buffer)
            .field("program", &self.program)
            .field("conflicts", &self.conflicts)
            .finish()
    }
}
